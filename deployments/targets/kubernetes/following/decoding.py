"""The parts of watched objects that are read at all; msgspec skips the rest without making Python objects of it."""

from msgspec import Raw, Struct, field
from msgspec.json import Decoder

from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.judging.revisions import TEMPLATE_HASH


class Part(Struct, rename="camel", gc=False):
    """Every field has a default, and null is no error where the API may send it."""


class Owner(Part):
    kind: str = ""
    name: str = ""
    controller: bool | None = None


class Labels(Struct, gc=False):
    template_hash: str = field(default="", name=TEMPLATE_HASH)


class Annotations(Struct, gc=False):
    deployment: str = field(default="", name=objects.DEPLOYMENT)


class Metadata(Part):
    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    generation: int = 0
    deletion_timestamp: str | None = None
    labels: Labels | None = None
    annotations: Annotations | None = None
    owner_references: list[Owner] | None = None


class Condition(Part):
    type: str = ""
    status: str = ""
    reason: str = ""


class RollingUpdate(Part):
    partition: int | None = None


class UpdateStrategy(Part):
    type: str = ""
    rolling_update: RollingUpdate | None = None


class WorkloadSpec(Part):
    replicas: int | None = None
    completions: int | None = None
    paused: bool | None = None
    update_strategy: UpdateStrategy | None = None


class WorkloadStatus(Part):
    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int | None = None
    terminating_replicas: int | None = None
    current_revision: str = ""
    update_revision: str = ""
    desired_number_scheduled: int = 0
    updated_number_scheduled: int = 0
    number_ready: int = 0
    number_available: int = 0
    succeeded: int | None = None
    ready: int | None = None
    conditions: list[Condition] | None = None


class Waiting(Part):
    reason: str = ""


class Terminated(Part):
    exit_code: int = 0


class ContainerState(Part):
    waiting: Waiting | None = None
    terminated: Terminated | None = None


class ContainerStatus(Part):
    ready: bool = False
    restart_count: int = 0
    state: ContainerState | None = None
    last_state: ContainerState | None = None


class PodStatus(Part):
    phase: str = ""
    conditions: list[Condition] | None = None
    init_container_statuses: list[ContainerStatus] | None = None
    container_statuses: list[ContainerStatus] | None = None


class Workload(Part):
    metadata: Metadata
    spec: WorkloadSpec | None = None
    status: WorkloadStatus | None = None


class Pod(Part):
    metadata: Metadata
    status: PodStatus | None = None


class WorkloadEvent(Struct, gc=False):
    type: str
    object: Workload


class PodEvent(Struct, gc=False):
    type: str
    object: Pod


class ListMetadata(Part):
    resource_version: str = ""
    next_page: str | None = field(default=None, name="continue")


class Page(Struct, gc=False):
    """One page of a list; its items are decoded one by one, so that an odd one spoils no other."""

    metadata: ListMetadata
    items: list[Raw] | None = None


POD = "Pod"
_pod_events, _workload_events = Decoder(PodEvent), Decoder(WorkloadEvent)
_pods, _workloads = Decoder(Pod), Decoder(Workload)
_pages = Decoder(Page)


def event(kind: str, line: bytes) -> WorkloadEvent | PodEvent:
    """Raises `msgspec.MsgspecError` for anything of another shape, bad UTF-8 included."""
    return _pod_events.decode(line) if kind == POD else _workload_events.decode(line)


def item(kind: str, raw: bytes | Raw) -> Workload | Pod:
    return _pods.decode(raw) if kind == POD else _workloads.decode(raw)


def page(data: bytes) -> Page:
    return _pages.decode(data)
