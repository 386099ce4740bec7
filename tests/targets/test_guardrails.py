"""What may go to a target: kinds, accounts and pod fields, judged before anything is sent."""

import copy
from typing import Any

import pytest

from deployments.sandbox.schema import Node, _schemas
from deployments.targets import guardrails
from deployments.targets.base import InvalidContent
from deployments.targets.kubernetes.rendering.guardrails import judge
from deployments.targets.kubernetes.rendering.pod_security import pod_problems
from deployments.targets.kubernetes.rendering.render import render, stamp
from tests.targets.works import CONFIG_MAP, DEPLOYMENT, SERVICE, deployment, work

ROLE = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r"}, "rules": []}
ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web"}}
REFUSED_KINDS = [
    ("v1", "Namespace"),
    ("v1", "Pod"),
    ("v1", "secret"),
    ("v1", "ResourceQuota"),
    ("example.com/v1", "Deployment"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
]


def with_pod(**fields: Any) -> dict[str, Any]:
    made = deployment()
    made["spec"]["template"]["spec"].update(copy.deepcopy(fields))
    return made


def with_container(**fields: Any) -> dict[str, Any]:
    return with_pod(containers=[{"name": "app", "image": "a:1", **fields}])


def told(*items: Any, **rails: Any) -> str:
    return " ".join(judge(items, rails, "shop"))


@pytest.mark.parametrize(("api_version", "kind"), REFUSED_KINDS)
def test_kinds_outside_the_list_are_refused_and_say_who_can_allow_them(api_version: str, kind: str) -> None:
    item = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}}
    group = api_version.rpartition("/")[0]
    assert f"({group}/{kind})" in told(item) or f"({kind})" in told(item)
    assert "An operator has to list it" in told(item)
    assert not told(item, kinds=[guardrails.written(group, kind)])


def test_the_usual_kinds_pass_in_every_version_that_a_cluster_serves() -> None:
    for group, kinds in guardrails.KINDS.items():
        for kind in kinds:
            api_version = f"{group}/v9" if group else "v9"
            assert not told({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}})


def test_they_are_judged_in_rendering_after_patches_and_again_when_a_deployment_starts() -> None:
    with pytest.raises(InvalidContent, match="Role r is of a kind"):
        render(work(manifests=(DEPLOYMENT, ROLE)))
    patch = [{"op": "add", "path": "/spec/template/spec/hostNetwork", "value": True}]
    overrides = {"patches": [{"kind": "Deployment", "name": "web", "patch": patch}]}
    with pytest.raises(InvalidContent, match=r"Deployment web: spec\.hostNetwork must not be true"):
        render(work(overrides=overrides))
    allowed = render(work(overrides=overrides, guardrails={"pod_security": "privileged"}))
    with pytest.raises(InvalidContent, match="hostNetwork"):
        stamp(work(objects=allowed))


HOSTILE_PODS: list[dict[str, Any]] = [
    {"hostNetwork": True},
    {"hostPID": True},
    {"hostIPC": True},
    {"hostPID": "true"},
    {"nodeName": "control-plane"},
    {"ephemeralContainers": [{"name": "debug", "image": "a:1"}]},
    {"somethingNew": {}},
    {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]},
    {"volumes": [{"name": "v", "flexVolume": {"driver": "x"}}]},
    {"volumes": [{"name": "v", "newVolume": {}}]},
    {"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]},
    {"volumes": [{"name": "v", "projected": {"sources": [{"podCertificate": {"keyType": "ED25519"}}]}}]},
    {"volumes": {"name": "v"}},
    {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
    {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
    {"securityContext": {"appArmorProfile": {"type": "Unconfined"}}},
    {"securityContext": {"seLinuxOptions": {"type": "spc_t"}}},
    {"securityContext": {"seLinuxOptions": {"user": "system_u"}}},
    {"securityContext": {"windowsOptions": {"hostProcess": True}}},
    {"securityContext": {"supplementaryPowers": True}},
    {"serviceAccountName": "admin"},
    {"serviceAccount": "admin"},
    {"initContainers": [{"name": "i", "image": "a:1", "securityContext": {"privileged": True}}]},
]
HOSTILE_CONTAINERS: list[dict[str, Any]] = [
    {"securityContext": {"privileged": True}},
    {"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}},
    {"securityContext": {"capabilities": {"add": "SYS_ADMIN"}}},
    {"securityContext": {"procMount": "Unmasked"}},
    {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
    {"securityContext": {"windowsOptions": {"hostProcess": True}}},
    {"securityContext": [{"privileged": True}]},
    {"ports": [{"containerPort": 80, "hostPort": 80}]},
    {"livenessProbe": {"httpGet": {"port": 80, "host": "169.254.169.254"}}},
    {"lifecycle": {"postStart": {"tcpSocket": {"port": 80, "host": "10.0.0.1"}}}},
    {"volumeMounts": [{"name": "v", "mountPath": "/v", "mountPropagation": "Bidirectional"}]},
    {"env": [{"name": "A", "valueFrom": {"newRef": {}}}]},
    {"newField": 1},
]


@pytest.mark.parametrize("fields", HOSTILE_PODS, ids=str)
def test_pods_that_reach_out_of_themselves_are_refused(fields: dict[str, Any]) -> None:
    assert told(with_pod(**fields))


@pytest.mark.parametrize("fields", HOSTILE_CONTAINERS, ids=str)
def test_containers_that_reach_out_of_themselves_are_refused_wherever_they_stand(fields: dict[str, Any]) -> None:
    pod = with_container(**fields)["spec"]["template"]["spec"]
    cron = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "c"}}
    cron["spec"] = {"jobTemplate": {"spec": {"template": {"spec": pod}}}}
    assert told(with_container(**fields))
    assert told(with_pod(initContainers=pod["containers"]))
    assert told(cron)
    assert not told(with_container(**fields), pod_security="privileged")


def test_the_old_apparmor_annotation_counts_as_well() -> None:
    item = deployment()
    name = "container.apparmor.security.beta.kubernetes.io/app"
    item["spec"]["template"]["metadata"]["annotations"] = {name: "unconfined"}
    assert "annotation" in told(item)
    item["spec"]["template"]["metadata"]["annotations"] = {name: "runtime/default"}
    assert not told(item)


def test_service_accounts_are_the_default_one_those_of_the_release_and_those_that_an_operator_lists() -> None:
    item = with_pod(serviceAccountName="web")
    assert "runs as the service account “web”" in told(item)
    assert not told(item, ACCOUNT)
    assert not told(item, service_accounts=["web"])
    assert not told(with_pod(serviceAccountName="default"))
    # Also where pods may do everything else.
    assert told(item, pod_security="privileged")


def test_tokens_of_service_accounts_are_mounted_only_where_an_operator_allows_it() -> None:
    item = with_pod(volumes=[{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}])
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    secret["type"] = "kubernetes.io/service-account-token"
    assert "project a serviceAccountToken" in told(item)
    assert "Secret s would hold a token" in told(secret)
    assert not told(item, secret, service_account_tokens=True)


def test_a_service_claims_addresses_only_where_an_operator_allows_it() -> None:
    service = copy.deepcopy(dict(SERVICE))
    service["spec"]["externalIPs"] = ["203.0.113.7"]
    assert "spec.externalIPs" in told(service)
    assert not told(service, external_ips=True)


@pytest.mark.parametrize("field", ["volumeClaimTemplates", "volumes"])
def test_claims_that_reach_into_another_namespace_are_refused(field: str) -> None:
    claim = {"metadata": {"name": "data"}, "spec": {"dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "x"}}}
    item = {**with_pod(), "kind": "StatefulSet"}
    if field == "volumes":
        item["spec"]["template"]["spec"]["volumes"] = [{"name": "v", "ephemeral": {"volumeClaimTemplate": claim}}]
    else:
        item["spec"]["volumeClaimTemplates"] = [claim]
    assert not told(item)
    claim["spec"]["dataSourceRef"]["namespace"] = "kube-system"  # type: ignore[index]
    assert "“kube-system”" in told(item)


ORDINARY_CONTAINER: dict[str, Any] = {
    "name": "app",
    "image": "a:1",
    "command": ["run"],
    "args": ["--fast"],
    "workingDir": "/",
    "tty": False,
    "stdin": False,
    "imagePullPolicy": "IfNotPresent",
    "terminationMessagePolicy": "FallbackToLogsOnError",
    "env": [
        {"name": "A", "value": "1"},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "D", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
    ],
    "envFrom": [{"prefix": "X_", "configMapRef": {"name": "c"}}, {"secretRef": {"name": "s"}}],
    "resources": {"limits": {"cpu": "1"}, "requests": {"memory": "1Gi"}},
    "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}],
    "startupProbe": {"exec": {"command": ["true"]}, "failureThreshold": 30},
    "livenessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 5, "timeoutSeconds": 2},
    "readinessProbe": {"grpc": {"port": 9000}, "initialDelaySeconds": 1, "successThreshold": 1},
    "lifecycle": {"preStop": {"sleep": {"seconds": 5}}, "postStart": {"exec": {"command": ["true"]}}},
    "volumeMounts": [{"name": "config", "mountPath": "/c", "readOnly": True, "subPath": "x"}],
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "privileged": False,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}
ORDINARY_POD: dict[str, Any] = {
    "containers": [ORDINARY_CONTAINER, {"name": "side", "image": "b:1", "restartPolicy": "Always"}],
    "initContainers": [{"name": "init", "image": "c:1"}],
    "restartPolicy": "Always",
    "serviceAccountName": "default",
    "automountServiceAccountToken": False,
    "imagePullSecrets": [{"name": "registry"}],
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
    "hostNetwork": False,
    "nodeSelector": {"disk": "ssd"},
    "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
    "priorityClassName": "high",
    "securityContext": {
        "fsGroup": 1000,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
        "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
        "seLinuxOptions": {"level": "s0:c1,c2"},
    },
    "volumes": [
        {"name": "config", "configMap": {"name": "c"}},
        {"name": "secret", "secret": {"secretName": "s"}},
        {"name": "tmp", "emptyDir": {"medium": "Memory"}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "d"}},
        {"name": "all", "projected": {"sources": [{"configMap": {"name": "c"}}, {"secret": {"name": "s"}}]}},
        {"name": "labels", "downwardAPI": {"items": []}},
        {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
    ],
}


def test_ordinary_pods_pass() -> None:
    assert pod_problems(ORDINARY_POD, {"prometheus.io/scrape": "true"}, tokens=False) == []


def schema(kind: str) -> Node:
    schemas, _ = _schemas("v1")
    return Node(schemas[f"io.k8s.api.core.v1.{kind}"], schemas)


REFUSED_FIELDS = {
    "PodSpec": {"ephemeralContainers", "nodeName"},
    "Container": set(),
    "Volume": {
        "awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "fc", "flexVolume", "flocker",
        "gcePersistentDisk", "gitRepo", "glusterfs", "hostPath", "iscsi", "nfs", "photonPersistentDisk",
        "portworxVolume", "quobyte", "rbd", "scaleIO", "storageos", "vsphereVolume",
    },
    "VolumeProjection": {"podCertificate", "serviceAccountToken"},
    "PodSecurityContext": set(),
    "SecurityContext": set(),
    "Probe": set(),
    "Lifecycle": set(),
    "EnvVarSource": set(),
    "VolumeMount": set(),
    "ContainerPort": set(),
    "EnvVar": set(),
    "EnvFromSource": set(),
    "HTTPGetAction": set(),
    "TCPSocketAction": set(),
    "LifecycleHandler": set(),
    "Capabilities": set(),
    "SeccompProfile": set(),
    "AppArmorProfile": set(),
    "SELinuxOptions": set(),
    "WindowsSecurityContextOptions": set(),
}  # fmt: skip
PLACES: dict[str, Any] = {
    "PodSpec": lambda field: {field: None},
    "Container": lambda field: {"containers": [{field: None}]},
    "Volume": lambda field: {"volumes": [{field: None}]},
    "VolumeProjection": lambda field: {"volumes": [{"name": "v", "projected": {"sources": [{field: None}]}}]},
    "PodSecurityContext": lambda field: {"securityContext": {field: None}},
    "SecurityContext": lambda field: {"containers": [{"securityContext": {field: None}}]},
    "Probe": lambda field: {"containers": [{"livenessProbe": {field: None}}]},
    "Lifecycle": lambda field: {"containers": [{"lifecycle": {field: None}}]},
    "EnvVarSource": lambda field: {"containers": [{"env": [{"valueFrom": {field: None}}]}]},
    "VolumeMount": lambda field: {"containers": [{"volumeMounts": [{field: None}]}]},
    "ContainerPort": lambda field: {"containers": [{"ports": [{field: None}]}]},
    "EnvVar": lambda field: {"initContainers": [{"env": [{field: None}]}]},
    "EnvFromSource": lambda field: {"containers": [{"envFrom": [{field: None}]}]},
    "HTTPGetAction": lambda field: {"containers": [{"startupProbe": {"httpGet": {field: None}}}]},
    "TCPSocketAction": lambda field: {"containers": [{"readinessProbe": {"tcpSocket": {field: None}}}]},
    "LifecycleHandler": lambda field: {"containers": [{"lifecycle": {"postStart": {field: None}}}]},
    "Capabilities": lambda field: {"containers": [{"securityContext": {"capabilities": {field: None}}}]},
    "SeccompProfile": lambda field: {"securityContext": {"seccompProfile": {field: None}}},
    "AppArmorProfile": lambda field: {"securityContext": {"appArmorProfile": {field: None}}},
    "SELinuxOptions": lambda field: {"securityContext": {"seLinuxOptions": {field: None}}},
    "WindowsSecurityContextOptions": lambda field: {"securityContext": {"windowsOptions": {field: None}}},
}


@pytest.mark.parametrize("kind", PLACES)
def test_every_field_of_the_api_is_either_known_to_be_harmless_or_refused(kind: str) -> None:
    """Held to the API's own description: whoever moves on to a newer one has to decide about its new fields."""
    refused = {field for field in schema(kind).fields if pod_problems(PLACES[kind](field), {}, tokens=False)}
    assert refused == REFUSED_FIELDS[kind]
    assert pod_problems(PLACES[kind]("fieldOfTomorrow"), {}, tokens=False)


@pytest.mark.parametrize(
    "raw",
    [
        [],
        {"kind": ["Role"]},
        {"kinds": "Role"},
        {"kinds": ["*"]},
        {"kinds": ["example.com/v1/Widget"]},
        {"kinds": [5]},
        {"kinds": ["Role"] * 101},
        {"pod_security": "none"},
        {"pod_security": ["privileged"]},
        {"service_accounts": {"web": True}},
        {"service_account_tokens": "yes"},
        {"prune": True},
    ],
)
def test_guardrails_that_are_no_guardrails_are_told_apart_and_open_nothing(raw: Any) -> None:
    assert guardrails.problems(raw)
    if isinstance(raw, dict) and raw.get("kinds") != ["Role"] * 101:
        assert guardrails.read(raw) == guardrails.Guardrails()


def test_guardrails_of_every_sort_are_read() -> None:
    raw = {
        "kinds": ["rbac.authorization.k8s.io/Role", "Namespace"],
        "pod_security": "privileged",
        "service_accounts": ["web"],
        "service_account_tokens": True,
        "prune": ["PersistentVolumeClaim"],
    }
    assert guardrails.problems(raw) == []
    rails = guardrails.read(raw)
    assert rails.allows("", "Namespace") and rails.may_prune("", "PersistentVolumeClaim")
    assert not rails.allows("", "Node") and not rails.may_prune("", "Namespace")
    assert not told(CONFIG_MAP)
