"""What we know of the shape of Kubernetes objects. Pure: mappings in, values out."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

SEQUENCE = "releasemgr.dev/sequence"
DEPLOYMENT = "releasemgr.dev/deployment"
RELEASE = "releasemgr.dev/release"
TARGET = "releasemgr.dev/target"
# Labels of what a progressive strategy brings beside the workload that runs, and of whose place it takes.
VARIANT = "releasemgr.dev/variant"
TRACK = "releasemgr.dev/track"
VARIANT_OF = "releasemgr.dev/variant-of"
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "releasemgr"

# Where each kind that runs pods keeps the pod's spec.
POD_SPEC_PATHS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("apps", "Deployment"): ("spec", "template", "spec"),
    ("apps", "StatefulSet"): ("spec", "template", "spec"),
    ("apps", "DaemonSet"): ("spec", "template", "spec"),
    ("apps", "ReplicaSet"): ("spec", "template", "spec"),
    ("batch", "Job"): ("spec", "template", "spec"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
    ("", "ReplicationController"): ("spec", "template", "spec"),
    ("", "Pod"): ("spec",),
    ("", "PodTemplate"): ("template", "spec"),
}
SCALED_KINDS = frozenset({"Deployment", "StatefulSet", "ReplicaSet"})
ROLLED_KINDS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job"})

# Group → kinds that belong to the whole cluster. Of other kinds only discovery (or their definition) can tell.
CLUSTER_SCOPED: Mapping[str, frozenset[str]] = {
    "": frozenset({"Namespace", "Node", "PersistentVolume"}),
    "admissionregistration.k8s.io": frozenset(
        {
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        }
    ),
    "apiextensions.k8s.io": frozenset({"CustomResourceDefinition"}),
    "apiregistration.k8s.io": frozenset({"APIService"}),
    "certificates.k8s.io": frozenset({"CertificateSigningRequest", "ClusterTrustBundle"}),
    "flowcontrol.apiserver.k8s.io": frozenset({"FlowSchema", "PriorityLevelConfiguration"}),
    "gateway.networking.k8s.io": frozenset({"GatewayClass"}),
    "networking.k8s.io": frozenset({"IPAddress", "IngressClass", "ServiceCIDR"}),
    "node.k8s.io": frozenset({"RuntimeClass"}),
    "rbac.authorization.k8s.io": frozenset({"ClusterRole", "ClusterRoleBinding"}),
    "resource.k8s.io": frozenset({"DeviceClass"}),
    "scheduling.k8s.io": frozenset({"PriorityClass"}),
    "storage.k8s.io": frozenset({"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"}),
}
DEFINITION = ("apiextensions.k8s.io", "CustomResourceDefinition")


def group_of(item: Mapping[str, Any]) -> str:
    """`apps` for `apps/v1`, empty for the core group."""
    api_version = str(item.get("apiVersion", ""))
    return api_version.rpartition("/")[0]


def group_kind(item: Mapping[str, Any]) -> tuple[str, str]:
    """`("apps", "Deployment")`: what stays the same when the API version changes."""
    return group_of(item), str(item.get("kind"))


def identity(item: Mapping[str, Any]) -> tuple[str, str, str]:
    """Group, kind and name."""
    return (*group_kind(item), name_of(item))


def is_cluster_scoped(item: Mapping[str, Any], others: Iterable[Mapping[str, Any]] = ()) -> bool:
    """Whether the object belongs to no namespace, as far as that is known without the cluster.

    `others`: the objects that come with it, among them the definition of its kind, perhaps.
    """
    group, kind = group_kind(item)
    if kind in CLUSTER_SCOPED.get(group, ()):
        return True
    definition = definition_of(item, others)
    return definition is not None and mapping(definition.get("spec")).get("scope") == "Cluster"


def definition_of(item: Mapping[str, Any], others: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The CustomResourceDefinition among `others` that makes the kind of `item`."""
    for other in others:
        spec = mapping(other.get("spec"))
        if group_kind(other) == DEFINITION:
            made = (spec.get("group"), mapping(spec.get("names")).get("kind"))
            if made == group_kind(item):
                return other
    return None


def metadata(item: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(item.get("metadata"))


def name_of(item: Mapping[str, Any]) -> str:
    return str(metadata(item).get("name") or "")


def title(item: Mapping[str, Any]) -> str:
    """`Deployment web`, as people say it."""
    return f"{item.get('kind', 'object')} {name_of(item)}"


def annotation(item: Mapping[str, Any], name: str) -> str:
    return str(mapping(metadata(item).get("annotations")).get(name, ""))


def labels(item: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(metadata(item).get("labels"))


def sequence_of(item: Mapping[str, Any]) -> int:
    """The sequence of the deployment that wrote the object last; 0 when it was none of ours."""
    text = annotation(item, SEQUENCE)
    return int(text) if text.isascii() and text.isdigit() else 0


def template_labels(workload: Mapping[str, Any]) -> Mapping[str, Any]:
    """The labels that the workload's pods get."""
    template = mapping(mapping(workload.get("spec")).get("template"))
    return mapping(mapping(template.get("metadata")).get("labels"))


def base_name(item: Mapping[str, Any]) -> str:
    """The name in the release: `web` for the variant `web-7`."""
    return annotation(item, VARIANT_OF) or name_of(item)


def service_selector(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a Service selects pods by; empty for other kinds and for Services without selector."""
    if item.get("kind") != "Service" or group_of(item):
        return {}
    return mapping(mapping(item.get("spec")).get("selector"))


# What a second Service beside one may share with it; its address and node ports are its own.
SHARED_SERVICE_FIELDS = ("selector", "sessionAffinity", "sessionAffinityConfig", "publishNotReadyAddresses")


def inner_service(item: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a Service that is reached from inside the cluster only."""
    made = copy.deepcopy(dict(item))
    spec = made["spec"]
    ports = [{key: value for key, value in port.items() if key != "nodePort"} for port in spec.get("ports") or []]
    made["spec"] = {name: spec[name] for name in SHARED_SERVICE_FIELDS if name in spec} | {"ports": ports}
    meta = made["metadata"]
    meta["labels"], meta["annotations"] = dict(meta.get("labels") or {}), dict(meta.get("annotations") or {})
    return made


def pod_spec(item: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The pod spec inside a workload (the very mapping, not a copy), or None for other kinds."""
    path = POD_SPEC_PATHS.get((group_of(item), str(item.get("kind"))))
    if path is None:
        return None
    found: Any = item
    for step in path:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else None


def containers(spec: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Init containers and containers of a pod spec (the very mappings)."""
    if spec is None:
        return []
    found = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    return [container for container in found if isinstance(container, dict)]


def images_of(item: Mapping[str, Any]) -> dict[str, str]:
    """Container name → image reference, as the workload asks for."""
    return {str(c.get("name", "")): str(c.get("image", "")) for c in containers(pod_spec(item))}


def owner(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The owner reference of the controller, empty without one."""
    for reference in metadata(item).get("ownerReferences") or []:
        if isinstance(reference, Mapping) and reference.get("controller"):
            return reference
    return {}


def condition(item: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The status condition of this type, empty without one."""
    for found in mapping(item.get("status")).get("conditions") or []:
        if found.get("type") == kind:
            return mapping(found)
    return {}


def is_rolled(item: Mapping[str, Any]) -> bool:
    """Whether the object is a workload whose rollout can be judged."""
    return item.get("kind") in ROLLED_KINDS and group_of(item) in {"apps", "batch"}


def selector_of(workload: Mapping[str, Any]) -> str:
    """The workload's selector as a query parameter."""
    selector = mapping(mapping(workload.get("spec")).get("selector"))
    parts = [f"{name}={value}" for name, value in sorted(mapping(selector.get("matchLabels")).items())]
    for expression in selector.get("matchExpressions") or []:
        key, operator = expression.get("key", ""), expression.get("operator", "")
        values = ",".join(expression.get("values") or [])
        parts.append({"Exists": key, "DoesNotExist": f"!{key}"}.get(operator, f"{key} {operator.lower()} ({values})"))
    return ",".join(parts)


def events_about(item: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [event for event in events if mapping(event.get("involvedObject")).get("uid") == metadata(item).get("uid")]


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is a mapping, else an empty one: manifests are written by strangers."""
    return value if isinstance(value, Mapping) else {}
