"""Which rights a deployment needs in a cluster, and which of them its credentials lack."""

from collections.abc import Sequence
from dataclasses import dataclass

from deployments.targets.base import Manifest, Work
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.applying import scaling
from deployments.targets.kubernetes.wire import granted
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wire.errors import ClusterError, UnknownKind
from deployments.targets.kubernetes.wire.parallel import parallel
from deployments.targets.kubernetes.wording import listed
from deployments.targets.strategies import BLUE_GREEN, CANARY, traffic_of, type_of


@dataclass(frozen=True, slots=True)
class Right:
    """A verb on a resource of an API group, in the target's namespace or (not `namespaced`) in the whole cluster."""

    verb: str
    group: str
    resource: str
    namespaced: bool = True

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}" + (f".{self.group}" if self.group else "")


# Without these a deployment still works: it is polled, failures are told with less detail.
HELPFUL = (Right("watch", "", "pods"), Right("watch", "apps", "replicasets"), Right("list", "", "events"))
SCALERS = Right("list", scaling.AUTOSCALER[0], "horizontalpodautoscalers")
# To free a StatefulSet from a broken pod of another revision.
PODS = Right("delete", "", "pods")


@dataclass(frozen=True, slots=True)
class Missing:
    """Rights without which nothing goes, and those that would only help."""

    needed: tuple[Right, ...]
    helpful: tuple[Right, ...]

    def sentences(self, namespace: str) -> list[str]:
        """What to grant; empty when nothing is missing."""
        places = (("in the namespace “{}”", True), ("for objects of the whole cluster", False))
        return [
            f"The cluster's credentials lack rights {place.format(namespace)}: {listed(map(str, found))}. "
            "Grant them, or store other credentials for this cluster."
            for place, namespaced in places
            if (found := [right for right in self.needed if right.namespaced is namespaced])
        ]

    def hints(self) -> list[str]:
        """What goes less well without those that would help."""
        told = [right for right in self.helpful if right != SCALERS]
        hints = []
        if told:
            hints.append(
                f"Without the right to {listed(map(str, told))}, progress is seen later or with less detail, "
                "and broken pods of a StatefulSet may have to be deleted by hand."
            )
        if SCALERS in self.helpful:
            hints.append(f"Without the right to {SCALERS}, replicas are applied as written: autoscalers are not seen.")
        return hints


def missing(cluster: Cluster, work: Work, items: Sequence[Manifest]) -> Missing:
    """Asks for every right at once. The right to create is left to the dry run, which needs it only for new objects."""
    needed = _needed(cluster, work, items)
    helpful = [*HELPFUL]
    if any(item["kind"] == "StatefulSet" for item in items):
        helpful.append(PODS)
    if any(item["kind"] in objects.SCALED_KINDS for item in items):
        helpful.append(SCALERS)
    asked = [*needed, *(right for right in helpful if right not in needed)]
    answers = parallel(
        lambda right: granted.is_allowed(
            cluster, right.verb, right.group, right.resource, work.namespace if right.namespaced else ""
        ),
        asked,
    )
    lacking = []
    for right, answer in zip(asked, answers, strict=True):
        if isinstance(answer, ClusterError):
            raise answer
        if not answer:
            lacking.append(right)
    return Missing(
        tuple(right for right in lacking if right in needed), tuple(right for right in lacking if right not in needed)
    )


def resource_of(cluster: Cluster, item: Manifest, items: Sequence[Manifest] = ()) -> tuple[str, str, bool]:
    """Group, name and whether namespaced, from the cluster or else from the definition among `items`.

    Raises UnknownKind.
    """
    definition = objects.definition_of(item, items)
    try:
        resource = cluster.resource(str(item["apiVersion"]), str(item["kind"]))
    except UnknownKind:
        if definition is None:
            raise
        spec = definition["spec"]
        return objects.group_of(item), str((spec.get("names") or {}).get("plural")), spec.get("scope") != "Cluster"
    return resource.group or "", resource.name, bool(resource.namespaced)


def _needed(cluster: Cluster, work: Work, items: Sequence[Manifest]) -> list[Right]:
    found = []
    for item in items:
        group, resource, namespaced = resource_of(cluster, item, items)
        found += [Right(verb, group, resource, namespaced) for verb in ("get", "patch")]
    if any(objects.is_rolled(item) for item in items):
        found.append(Right("list", "", "pods"))
    if any(item["kind"] == "Deployment" for item in items):
        found.append(Right("list", "apps", "replicasets"))
    found += _of_strategy(work, items)
    for item in work.prune:
        try:
            group, resource, namespaced = resource_of(cluster, item)
        except UnknownKind:
            # Nothing of that kind can be left.
            continue
        found += [Right(verb, group, resource, namespaced) for verb in ("get", "delete")]
    return list(dict.fromkeys(found))


def _of_strategy(work: Work, items: Sequence[Manifest]) -> list[Right]:
    """To find and remove what a strategy brought beside a workload, and to split the traffic."""
    kind, traffic = type_of(work.strategy), traffic_of(work.strategy)
    if kind not in (BLUE_GREEN, CANARY):
        return []
    found = [Right(verb, "apps", "deployments") for verb in ("list", "delete")]
    if kind == BLUE_GREEN and any(item["kind"] == "StatefulSet" for item in items):
        found += [Right(verb, "apps", "statefulsets") for verb in ("list", "delete")]
    if traffic.by != "replicas":
        found += [Right(verb, "", "services") for verb in ("list", "delete")]
    if traffic.by == "gateway":
        found += [Right(verb, "gateway.networking.k8s.io", "httproutes") for verb in ("get", "patch")]
    if traffic.by == "nginx":
        found += [
            Right(verb, "networking.k8s.io", "ingresses") for verb in ("get", "list", "create", "patch", "delete")
        ]
    return found
