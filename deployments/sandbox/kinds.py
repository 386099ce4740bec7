"""The kinds this server knows, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_ALL = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource of one group and version.

    `generation`: the server counts changes of its spec. `schema`: of a kind that is not the server's own.
    """

    group: str
    version: str
    plural: str
    kind: str
    singular: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    generation: bool = False
    verbs: tuple[str, ...] = _ALL
    schema: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`deployments.apps`, or `pods` in the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


def _core(plural: str, kind: str, *short: str, **more: object) -> Kind:
    return Kind("", "v1", plural, kind, kind.lower(), short_names=short, **more)  # type: ignore[arg-type]


def _apps(plural: str, kind: str, short: str, *subresources: str) -> Kind:
    return Kind(
        "apps",
        "v1",
        plural,
        kind,
        kind.lower(),
        short_names=(short,),
        categories=("all",),
        subresources=subresources,
        generation=True,
    )


def _batch(plural: str, kind: str, *short: str) -> Kind:
    return Kind(
        "batch",
        "v1",
        plural,
        kind,
        kind.lower(),
        short_names=short,
        categories=("all",),
        subresources=("status",),
        generation=True,
    )


def _rbac(plural: str, kind: str, *, namespaced: bool) -> Kind:
    return Kind("rbac.authorization.k8s.io", "v1", plural, kind, kind.lower(), namespaced=namespaced)


def _network(plural: str, kind: str, short: str, *subresources: str) -> Kind:
    group = "networking.k8s.io"
    return Kind(
        group, "v1", plural, kind, kind.lower(), short_names=(short,), subresources=subresources, generation=True
    )


NAMESPACE = _core(
    "namespaces",
    "Namespace",
    "ns",
    namespaced=False,
    subresources=("status",),
    verbs=tuple(verb for verb in _ALL if verb != "deletecollection"),
)
NODE = _core("nodes", "Node", "no", namespaced=False, subresources=("status",))
POD = _core("pods", "Pod", "po", categories=("all",), subresources=("log", "status"), generation=True)
SERVICE = _core("services", "Service", "svc", categories=("all",), subresources=("status",))
CONFIG_MAP = _core("configmaps", "ConfigMap", "cm")
SECRET = _core("secrets", "Secret")
SERVICE_ACCOUNT = _core("serviceaccounts", "ServiceAccount", "sa")
EVENT = _core("events", "Event", "ev")
ENDPOINTS = Kind("", "v1", "endpoints", "Endpoints", "endpoints", short_names=("ep",))
LIMIT_RANGE = _core("limitranges", "LimitRange", "limits")
RESOURCE_QUOTA = _core("resourcequotas", "ResourceQuota", "quota", subresources=("status",))
VOLUME_CLAIM = _core("persistentvolumeclaims", "PersistentVolumeClaim", "pvc", subresources=("status",))
DEPLOYMENT = _apps("deployments", "Deployment", "deploy", "scale", "status")
REPLICA_SET = _apps("replicasets", "ReplicaSet", "rs", "scale", "status")
STATEFUL_SET = _apps("statefulsets", "StatefulSet", "sts", "scale", "status")
DAEMON_SET = _apps("daemonsets", "DaemonSet", "ds", "status")
CONTROLLER_REVISION = Kind("apps", "v1", "controllerrevisions", "ControllerRevision", "controllerrevision")
JOB = _batch("jobs", "Job")
CRON_JOB = _batch("cronjobs", "CronJob", "cj")
AUTOSCALER = Kind(
    "autoscaling",
    "v2",
    "horizontalpodautoscalers",
    "HorizontalPodAutoscaler",
    "horizontalpodautoscaler",
    short_names=("hpa",),
    categories=("all",),
    subresources=("status",),
)
INGRESS = _network("ingresses", "Ingress", "ing", "status")
# Of a CustomResourceDefinition in a real cluster.
HTTP_ROUTE = Kind(
    "gateway.networking.k8s.io",
    "v1",
    "httproutes",
    "HTTPRoute",
    "httproute",
    categories=("gateway-api",),
    subresources=("status",),
    generation=True,
)
NETWORK_POLICY = _network("networkpolicies", "NetworkPolicy", "netpol")
DISRUPTION_BUDGET = Kind(
    "policy",
    "v1",
    "poddisruptionbudgets",
    "PodDisruptionBudget",
    "poddisruptionbudget",
    short_names=("pdb",),
    subresources=("status",),
    generation=True,
)
ROLE = _rbac("roles", "Role", namespaced=True)
ROLE_BINDING = _rbac("rolebindings", "RoleBinding", namespaced=True)
CLUSTER_ROLE = _rbac("clusterroles", "ClusterRole", namespaced=False)
CLUSTER_ROLE_BINDING = _rbac("clusterrolebindings", "ClusterRoleBinding", namespaced=False)
DEFINITION = Kind(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    "customresourcedefinition",
    namespaced=False,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    subresources=("status",),
    generation=True,
)
# Asked and answered, never stored.
ACCESS_REVIEW = Kind(
    "authorization.k8s.io",
    "v1",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    "selfsubjectaccessreview",
    namespaced=False,
    verbs=("create",),
)

KINDS: tuple[Kind, ...] = (
    CONFIG_MAP,
    ENDPOINTS,
    EVENT,
    LIMIT_RANGE,
    NAMESPACE,
    NODE,
    VOLUME_CLAIM,
    POD,
    RESOURCE_QUOTA,
    SECRET,
    SERVICE_ACCOUNT,
    SERVICE,
    CONTROLLER_REVISION,
    DAEMON_SET,
    DEPLOYMENT,
    REPLICA_SET,
    STATEFUL_SET,
    DEFINITION,
    ACCESS_REVIEW,
    AUTOSCALER,
    CRON_JOB,
    JOB,
    HTTP_ROUTE,
    INGRESS,
    NETWORK_POLICY,
    DISRUPTION_BUDGET,
    CLUSTER_ROLE_BINDING,
    CLUSTER_ROLE,
    ROLE_BINDING,
    ROLE,
)

BY_PATH: dict[tuple[str, str, str], Kind] = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}
BY_NAME: dict[tuple[str, str], Kind] = {(kind.api_version, kind.kind): kind for kind in KINDS}
