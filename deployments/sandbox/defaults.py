"""The values that the server fills in when a body leaves them out."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

from deployments.sandbox import kinds
from deployments.sandbox.kinds import Kind
from deployments.sandbox.objects import Object

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_TOLERATIONS = [
    {"key": f"node.kubernetes.io/{what}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for what in ("not-ready", "unreachable")
]


def filled(value: Mapping[str, Any] | None, **defaults: Any) -> Object:
    """The value with what it lacks."""
    return {**defaults, **(value or {})}


def with_defaults(kind: Kind, obj: Object) -> Object:
    """A copy of the object with the server's defaults; unknown kinds come back as they are."""
    fill = _FILLERS.get(kind)
    return fill(obj) if fill else obj


def _spec(fill: Callable[[Object], Object]) -> Callable[[Object], Object]:
    return lambda obj: {**obj, "spec": fill(obj.get("spec") or {})}


def _image_pull_policy(image: str) -> str:
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return "Always" if not digest and tag in ("", "latest") else "IfNotPresent"


def _container(container: Object) -> Object:
    out = filled(
        container,
        resources={},
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        imagePullPolicy=_image_pull_policy(container.get("image") or ""),
    )
    if out.get("ports"):
        out["ports"] = [filled(port, protocol="TCP") for port in out["ports"]]
    for probe in _PROBES:
        if out.get(probe):
            out[probe] = _probe(out[probe])
    if out.get("env"):
        out["env"] = [_variable(variable) for variable in out["env"]]
    return out


def _probe(probe: Object) -> Object:
    out = filled(probe, **_PROBE)
    if "httpGet" in out:
        out["httpGet"] = filled(out["httpGet"], path="/", scheme="HTTP")
    return out


def _variable(variable: Object) -> Object:
    source = variable.get("valueFrom")
    if source and "fieldRef" in source:
        reference = filled(source["fieldRef"], apiVersion="v1")
        return {**variable, "valueFrom": {**source, "fieldRef": reference}}
    return variable


def _volume(volume: Object) -> Object:
    for source in ("configMap", "secret", "projected", "downwardAPI"):
        if isinstance(volume.get(source), dict):
            return {**volume, source: filled(volume[source], defaultMode=420)}
    return volume if len(volume) > 1 else {**volume, "emptyDir": {}}


def pod_spec(spec: Object) -> Object:
    out = filled(
        spec,
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        securityContext={},
        schedulerName="default-scheduler",
    )
    for name in ("initContainers", "containers"):
        if out.get(name):
            out[name] = [_container(container) for container in out[name]]
    if out.get("volumes"):
        out["volumes"] = [_volume(volume) for volume in out["volumes"]]
    if out.get("serviceAccountName"):
        out.setdefault("serviceAccount", out["serviceAccountName"])
    return out


def _template(spec: Object) -> Object:
    template = spec.get("template") or {}
    return {
        **spec,
        "template": {
            **template,
            "metadata": template.get("metadata") or {},
            "spec": pod_spec(template.get("spec") or {}),
        },
    }


def _pod(spec: Object) -> Object:
    return filled(pod_spec(spec), enableServiceLinks=True)


def admitted_pod(spec: Object) -> Object:
    """What admission adds to a pod, after ownership was recorded."""
    return filled(spec, tolerations=_TOLERATIONS, priority=0, preemptionPolicy="PreemptLowerPriority")


def _deployment(spec: Object) -> Object:
    out = filled(_template(spec), replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = filled(out.get("strategy"), type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = filled(strategy.get("rollingUpdate"), maxUnavailable="25%", maxSurge="25%")
    return {**out, "strategy": strategy}


def _replica_set(spec: Object) -> Object:
    return filled(_template(spec), replicas=1)


def _stateful_set(spec: Object) -> Object:
    out = filled(
        _template(spec),
        replicas=1,
        podManagementPolicy="OrderedReady",
        revisionHistoryLimit=10,
        persistentVolumeClaimRetentionPolicy={"whenDeleted": "Retain", "whenScaled": "Retain"},
    )
    strategy = filled(out.get("updateStrategy"), type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = filled(strategy.get("rollingUpdate"), partition=0)
    if out.get("volumeClaimTemplates"):
        out["volumeClaimTemplates"] = [
            {"kind": "PersistentVolumeClaim", "apiVersion": "v1", **claim, "spec": _claim(claim.get("spec") or {})}
            for claim in out["volumeClaimTemplates"]
        ]
    return {**out, "updateStrategy": strategy}


def _daemon_set(spec: Object) -> Object:
    out = filled(_template(spec), revisionHistoryLimit=10)
    strategy = filled(out.get("updateStrategy"), type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = filled(strategy.get("rollingUpdate"), maxUnavailable=1, maxSurge=0)
    return {**out, "updateStrategy": strategy}


def _job(spec: Object) -> Object:
    counts = {} if "parallelism" in spec or "completions" in spec else {"completions": 1}
    return filled(
        _template(spec),
        **counts,
        parallelism=1,
        backoffLimit=6,
        completionMode="NonIndexed",
        suspend=False,
        podReplacementPolicy="TerminatingOrFailed",
        manualSelector=False,
    )


def _cron_job(spec: Object) -> Object:
    out = filled(spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    template = out.get("jobTemplate") or {}
    return {**out, "jobTemplate": {"metadata": {}, **template, "spec": _template(template.get("spec") or {})}}


def _service(spec: Object) -> Object:
    out = filled(spec, type="ClusterIP", sessionAffinity="None")
    if out.get("ports"):
        ports = [filled(port, protocol="TCP") for port in out["ports"]]
        out["ports"] = [filled(port, targetPort=port["port"]) if "port" in port else port for port in ports]
    if out["type"] != "ExternalName":
        out = filled(out, ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack", internalTrafficPolicy="Cluster")
    if out["type"] in ("LoadBalancer", "NodePort"):
        out = filled(out, externalTrafficPolicy="Cluster")
    return out


def _claim(spec: Object) -> Object:
    return filled(spec, volumeMode="Filesystem")


def _autoscaler(spec: Object) -> Object:
    resource = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
    return filled(spec, minReplicas=1, metrics=[{"type": "Resource", "resource": resource}])


def _network_policy(spec: Object) -> Object:
    types = ["Ingress", "Egress"] if "egress" in spec else ["Ingress"]
    return filled(spec, policyTypes=types, podSelector={})


def _definition(spec: Object) -> Object:
    names = spec.get("names") or {}
    kind = str(names.get("kind", ""))
    names = filled(names, singular=kind.lower(), listKind=f"{kind}List")
    return {**filled(spec, conversion={"strategy": "None"}), "names": names}


def _secret(obj: Object) -> Object:
    texts = obj.get("stringData") or {}
    encoded = {name: base64.b64encode(str(text).encode()).decode() for name, text in texts.items()}
    data = {**(obj.get("data") or {}), **encoded}
    out = {name: value for name, value in obj.items() if name not in ("stringData", "data")}
    return {**out, **({"data": data} if data else {}), "type": obj.get("type") or "Opaque"}


_FILLERS: Mapping[Kind, Callable[[Object], Object]] = {
    kinds.POD: _spec(_pod),
    kinds.DEPLOYMENT: _spec(_deployment),
    kinds.REPLICA_SET: _spec(_replica_set),
    kinds.STATEFUL_SET: _spec(_stateful_set),
    kinds.DAEMON_SET: _spec(_daemon_set),
    kinds.JOB: _spec(_job),
    kinds.CRON_JOB: _spec(_cron_job),
    kinds.SERVICE: _spec(_service),
    kinds.VOLUME_CLAIM: _spec(_claim),
    kinds.AUTOSCALER: _spec(_autoscaler),
    kinds.NETWORK_POLICY: _spec(_network_policy),
    kinds.SECRET: _secret,
    kinds.DEFINITION: _spec(_definition),
}
