"""CustomResourceDefinitions and their objects in one release: these can be applied only once that kind is served."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from deployments.targets.base import Manifest
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wire.errors import ClusterError, NotFound, Refused, UnknownKind
from deployments.targets.kubernetes.wording import clean

Answer = TypeVar("Answer")
# Between two looks. An API server takes a moment to serve a new kind; longer than all of them the step is left.
PAUSES_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5)


class NotServed(ClusterError):
    """The kind is defined, and the cluster does not serve it yet."""


def wait_until_served(cluster: Cluster, item: Manifest) -> None:
    """Returns at once for other kinds. Raises NotServed, or Refused when the cluster refuses the kind's names."""
    if objects.group_kind(item) != objects.DEFINITION:
        return
    for pause in (*PAUSES_SECONDS, None):
        if _is_served(cluster, item):
            return
        if pause is not None:
            time.sleep(pause)
    raise NotServed(f"Waiting for the cluster to serve the kind that {objects.title(item)} defines.")


def patiently(call: Callable[[], Answer], item: Manifest, items: Sequence[Manifest]) -> Answer:
    """The answer of `call`, which applies `item`. An API server also takes a moment to take up a changed definition:
    until then it refuses objects of the new shape.
    """
    for pause in PAUSES_SECONDS if objects.definition_of(item, items) is not None else ():
        try:
            return call()
        except Refused as error:
            if type(error) is not Refused:
                raise
            time.sleep(pause)
    return call()


def is_too_early(error: ClusterError, item: Manifest, items: Sequence[Manifest]) -> bool:
    """Whether an object failed because the cluster does not serve the kind yet that this release defines."""
    if isinstance(error, NotServed):
        return True
    unserved = isinstance(error, UnknownKind) or (isinstance(error, NotFound) and not error.missing_namespace)
    return unserved and objects.definition_of(item, items) is not None


def _is_served(cluster: Cluster, item: Manifest) -> bool:
    live = cluster.get(str(item["apiVersion"]), str(item["kind"]), "", objects.name_of(item))
    if live is None:
        return False
    names = objects.condition(live, "NamesAccepted")
    if names.get("status") == "False":
        raise Refused(f"{objects.title(item)}: the cluster does not accept its names: {clean(names.get('message'))}")
    if objects.condition(live, "Established").get("status") != "True":
        return False
    spec = live.get("spec") or {}
    served = [version.get("name") for version in spec.get("versions") or [] if version.get("served")]
    kind = str((spec.get("names") or {}).get("kind"))
    try:
        return all(cluster.resource(f"{spec.get('group')}/{version}", kind) for version in served)
    except UnknownKind:
        return False
