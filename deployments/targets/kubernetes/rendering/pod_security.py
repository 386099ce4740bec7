"""The Pod Security *baseline* by an allow list of pod and container fields. Pure.

A list of what is forbidden goes stale with every new field of the API; here a field that is not known to be harmless
is refused (CVE-2026-75884 is what happens otherwise). https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from deployments.targets.kubernetes.rendering.pod_volumes import volume_problems

Check = Callable[[Any, str], Iterator[str]]
Rules = Mapping[str, Check]

CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip
SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    }
)
SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"


def pod_problems(spec: Any, annotations: Any, *, tokens: bool) -> list[str]:
    """What a pod spec asks for beyond the baseline, as half sentences such as `spec.hostNetwork must not be true`.

    `tokens`: whether it may mount tokens of its service account.
    """
    found = list(_fields(spec, "spec", _POD))
    if isinstance(spec, Mapping):
        found += volume_problems(spec.get("volumes"), tokens=tokens)
    return found + list(_annotations(annotations))


def _fields(value: Any, path: str, rules: Rules) -> Iterator[str]:
    """Every field of `value` must have a rule, and keep it."""
    if value is None:
        return
    if not isinstance(value, Mapping):
        yield f"{path} must be an object"
        return
    for name, inner in value.items():
        rule = rules.get(name)
        if rule is None:
            yield f"{path}.{str(name)[:63]} is not a field that a release may set"
        elif inner is not None:
            yield from rule(inner, f"{path}.{name}")


def _anything(value: Any, path: str) -> Iterator[str]:
    return iter(())


def _only(*allowed: str) -> Check:
    def check(value: Any, path: str) -> Iterator[str]:
        if value not in allowed:
            yield f"{path} must not be {str(value)[:80]}"

    return check


def _false(value: Any, path: str) -> Iterator[str]:
    if value is not False:
        yield f"{path} must not be {str(value)[:20].lower()}"


def _object(rules: Rules) -> Check:
    return lambda value, path: _fields(value, path, rules)


def _each(check: Check) -> Check:
    def check_all(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{path} must be a list"
            return
        for index, item in enumerate(value):
            name = item.get("name") if isinstance(item, Mapping) else None
            yield from check(item, f"{path}[{str(name)[:63] if name else index}]")

    return check_all


def _free(*names: str) -> dict[str, Check]:
    return dict.fromkeys(names, _anything)


def _capabilities(value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{path} must be a list"
        return
    for name in value:
        if not isinstance(name, str) or name not in CAPABILITIES:
            yield f"{path} must not hold {str(name)[:40]}"


def _host_port(value: Any, path: str) -> Iterator[str]:
    if value != 0 or isinstance(value, bool):
        yield f"{path} must not be set"


def _sysctls(value: Any, path: str) -> Iterator[str]:
    for entry in value if isinstance(value, list) else [value]:
        name = entry.get("name") if isinstance(entry, Mapping) else entry
        if not isinstance(name, str) or name not in SYSCTLS:
            yield f"{path} must not hold {str(name)[:80]}"


def _annotations(annotations: Any) -> Iterator[str]:
    for name, value in annotations.items() if isinstance(annotations, Mapping) else ():
        is_known = value == "runtime/default" or str(value).startswith("localhost/") or not value
        if str(name).startswith(APPARMOR_ANNOTATION) and not is_known:
            yield f"the pod's annotation {str(name)[:120]} must not be {str(value)[:40]}"


_PROFILE = _object({"type": _only("RuntimeDefault", "Localhost"), "localhostProfile": _anything})
_SELINUX = _object({"type": _only(*SELINUX_TYPES), "level": _anything, "user": _only(""), "role": _only("")})
_WINDOWS = _object({"hostProcess": _false} | _free("gmsaCredentialSpec", "gmsaCredentialSpecName", "runAsUserName"))
_IDENTITY = _free("runAsGroup", "runAsNonRoot", "runAsUser") | {
    "appArmorProfile": _PROFILE,
    "seccompProfile": _PROFILE,
    "seLinuxOptions": _SELINUX,
    "windowsOptions": _WINDOWS,
}
_POD_SECURITY = _IDENTITY | {
    **_free("fsGroup", "fsGroupChangePolicy", "seLinuxChangePolicy", "supplementalGroups", "supplementalGroupsPolicy"),
    "sysctls": _sysctls,
}
_CONTAINER_SECURITY = _IDENTITY | {
    **_free("allowPrivilegeEscalation", "readOnlyRootFilesystem"),
    "capabilities": _object({"add": _capabilities, "drop": _anything}),
    "privileged": _false,
    "procMount": _only("Default"),
}
# A host of its own would let the node ask addresses that the pod can't reach.
_HTTP = _object(_free("httpHeaders", "path", "port", "scheme") | {"host": _only("")})
_TCP = _object({"port": _anything, "host": _only("")})
_HANDLER = {"exec": _anything, "httpGet": _HTTP, "tcpSocket": _TCP}
_LIFECYCLE = {
    "postStart": _object(_HANDLER | _free("sleep")),
    "preStop": _object(_HANDLER | _free("sleep")),
    "stopSignal": _anything,
}
_PROBE = _object(
    _HANDLER
    | _free("grpc", "failureThreshold", "initialDelaySeconds", "periodSeconds", "successThreshold", "timeoutSeconds")
    | _free("terminationGracePeriodSeconds")
)
_ENV = {
    **_free("name", "value"),
    "valueFrom": _object(_free("configMapKeyRef", "fieldRef", "fileKeyRef", "resourceFieldRef", "secretKeyRef")),
}
_PORT = _free("containerPort", "hostIP", "name", "protocol") | {"hostPort": _host_port}
_MOUNT = {
    **_free("mountPath", "name", "readOnly", "recursiveReadOnly", "subPath", "subPathExpr"),
    "mountPropagation": _only("None", "HostToContainer"),
}
_CONTAINER: Rules = {
    **_free(
        "args", "command", "image", "imagePullPolicy", "name", "resizePolicy", "resources", "restartPolicy",
        "restartPolicyRules", "stdin", "stdinOnce", "terminationMessagePath", "terminationMessagePolicy", "tty",
        "volumeDevices", "workingDir",
    ),
    "env": _each(_object(_ENV)),
    "envFrom": _each(_object(_free("configMapRef", "prefix", "secretRef"))),
    "lifecycle": _object(_LIFECYCLE),
    "livenessProbe": _PROBE,
    "ports": _each(_object(_PORT)),
    "readinessProbe": _PROBE,
    "securityContext": _object(_CONTAINER_SECURITY),
    "startupProbe": _PROBE,
    "volumeMounts": _each(_object(_MOUNT)),
}  # fmt: skip
# `serviceAccountName` is judged where the release's own accounts are known, `volumes` in a module of their own.
# Not here: `nodeName`, which goes past the scheduler, and `ephemeralContainers`, which no template can hold.
_POD: Rules = {
    **_free(
        "activeDeadlineSeconds", "affinity", "automountServiceAccountToken", "dnsConfig", "dnsPolicy",
        "enableServiceLinks", "hostAliases", "hostUsers", "hostname", "hostnameOverride", "imagePullSecrets",
        "nodeSelector", "os", "overhead", "preemptionPolicy", "priority", "priorityClassName", "readinessGates",
        "resourceClaims", "resources", "restartPolicy", "runtimeClassName", "schedulerName", "schedulingGates",
        "schedulingGroup", "serviceAccount", "serviceAccountName", "setHostnameAsFQDN", "shareProcessNamespace",
        "subdomain", "terminationGracePeriodSeconds", "tolerations", "topologySpreadConstraints", "volumes",
    ),
    "containers": _each(_object(_CONTAINER)),
    "hostIPC": _false,
    "hostNetwork": _false,
    "hostPID": _false,
    "initContainers": _each(_object(_CONTAINER)),
    "securityContext": _object(_POD_SECURITY),
}  # fmt: skip
