"""What the server refuses with 422 and a list of causes."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from deployments.sandbox import kinds
from deployments.sandbox.definition_validation import definition_causes
from deployments.sandbox.errors import invalid
from deployments.sandbox.kinds import Kind
from deployments.sandbox.objects import Object, name_of
from deployments.sandbox.pod_validation import pod_causes, pod_spec_causes
from deployments.sandbox.selectors import matches
from deployments.sandbox.validation_causes import (
    DNS_LABEL_RULE,
    DNS_SUBDOMAIN_RULE,
    Cause,
    as_json,
    invalid_value,
    required,
    unsupported,
)

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_NAMED = (kinds.NAMESPACE, kinds.SERVICE)
_FREELY_NAMED = (kinds.ROLE, kinds.ROLE_BINDING, kinds.CLUSTER_ROLE, kinds.CLUSTER_ROLE_BINDING)


def validate(kind: Kind, obj: Object, old: Object | None) -> None:
    """Raise ApiError 422 with every cause found; `old` is the object as it was, for what may not change."""
    causes = list(chain(_metadata_causes(kind, obj), _CHECKS.get(kind, _no_causes)(obj)))
    if old is not None:
        causes += _UPDATE_CHECKS.get(kind, _no_update_causes)(old, obj)
    if causes:
        raise invalid(kind, name_of(obj), causes)


def _no_causes(obj: Object) -> Iterable[Cause]:
    return ()


def _no_update_causes(old: Object, new: Object) -> Iterable[Cause]:
    return ()


def _metadata_causes(kind: Kind, obj: Object) -> Iterator[Cause]:
    name = name_of(obj)
    if kind in _LABEL_NAMED:
        if len(name) > 63 or not _DNS_LABEL.fullmatch(name):
            yield invalid_value("metadata.name", name, DNS_LABEL_RULE)
    elif kind not in _FREELY_NAMED and (len(name) > 253 or not _DNS_SUBDOMAIN.fullmatch(name)):
        yield invalid_value("metadata.name", name, DNS_SUBDOMAIN_RULE)
    yield from _label_causes("metadata.labels", obj["metadata"].get("labels") or {})


def _label_causes(field: str, labels: Mapping[str, str]) -> Iterator[Cause]:
    for key, value in labels.items():
        name = key.rpartition("/")[2]
        if len(name) > 63 or not _QUALIFIED.fullmatch(name):
            yield invalid_value(
                field,
                key,
                "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
                "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
                "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
            )
        if len(value) > 63:
            yield invalid_value(field, value, "must be no more than 63 bytes")
        elif not _LABEL_VALUE.fullmatch(value):
            yield invalid_value(
                field,
                value,
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
                "must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', "
                "regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
            )


def _not_negative(spec: Object, *names: str) -> Iterator[Cause]:
    for name in names:
        if isinstance(spec.get(name), int) and spec[name] < 0:
            yield invalid_value(f"spec.{name}", spec[name], "must be greater than or equal to 0")


def _template_causes(spec: Object, restart_policies: tuple[str, ...]) -> Iterator[Cause]:
    labels = spec["template"]["metadata"].get("labels") or {}
    selector = spec.get("selector")
    if selector is None:
        yield required("spec.selector")
    elif not (selector.get("matchLabels") or selector.get("matchExpressions")):
        yield invalid_value("spec.selector", selector, "empty selector is invalid for deployment")
    elif not matches(selector, labels):
        yield invalid_value("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from _label_causes("spec.template.labels", labels)
    yield from pod_spec_causes("spec.template.spec", spec["template"]["spec"], restart_policies)


def _workload_causes(obj: Object) -> Iterator[Cause]:
    spec = obj["spec"]
    yield from _not_negative(spec, "replicas", "minReadySeconds", "revisionHistoryLimit")
    yield from _template_causes(spec, ("Always",))


def _deployment_causes(obj: Object) -> Iterator[Cause]:
    spec = obj["spec"]
    yield from _workload_causes(obj)
    kind = spec["strategy"]["type"]
    if kind not in ("Recreate", "RollingUpdate"):
        yield unsupported("spec.strategy.type", kind, ("Recreate", "RollingUpdate"))
    elif kind == "Recreate" and "rollingUpdate" in spec["strategy"]:
        yield {
            "reason": "FieldValueForbidden",
            "message": "Forbidden: may not be specified when strategy `type` is 'Recreate'",
            "field": "spec.strategy.rollingUpdate",
        }
    deadline = spec.get("progressDeadlineSeconds", 600)
    if deadline <= spec.get("minReadySeconds", 0):
        yield invalid_value("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def _job_causes(obj: Object) -> Iterator[Cause]:
    spec = obj["spec"]
    names = ("parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished")
    yield from _not_negative(spec, *names)
    yield from pod_spec_causes("spec.template.spec", spec["template"]["spec"], ("Never", "OnFailure"))


def _service_causes(obj: Object) -> Iterator[Cause]:
    spec = obj["spec"]
    if not spec.get("ports") and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    for index, port in enumerate(spec.get("ports") or ()):
        number = port.get("port", 0)
        if not 0 < number < 65536:
            yield invalid_value(f"spec.ports[{index}].port", number, "must be between 1 and 65535, inclusive")
        if len(spec["ports"]) > 1 and not port.get("name"):
            yield required(f"spec.ports[{index}].name")
    if spec.get("type") not in ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"):
        yield unsupported("spec.type", spec.get("type"), ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"))


def _data_causes(obj: Object) -> Iterator[Cause]:
    for key in chain(obj.get("data") or {}, obj.get("binaryData") or {}):
        if not re.fullmatch(r"[-._a-zA-Z0-9]+", key):
            rule = (
                "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
                "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
            )
            yield invalid_value(f"data[{key}]", key, rule)


def _immutable(field: str, old: Any, new: Any, why: str = "field is immutable") -> Iterator[Cause]:
    if old != new:
        yield invalid_value(field, new, why)


def _selector_is_fixed(old: Object, new: Object) -> Iterable[Cause]:
    return _immutable("spec.selector", old["spec"].get("selector"), new["spec"].get("selector"))


def _stateful_set_is_fixed(old: Object, new: Object) -> Iterator[Cause]:
    free = (
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    )
    before, after = ({k: v for k, v in obj["spec"].items() if k not in free} for obj in (old, new))
    if before != after:
        names = "'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', "
        rest = "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
        message = f"Forbidden: updates to statefulset spec for fields other than {names}{rest}"
        yield {"reason": "FieldValueForbidden", "message": message, "field": "spec"}


def _job_is_fixed(old: Object, new: Object) -> Iterator[Cause]:
    for name in ("selector", "template", "completionMode"):
        yield from _immutable(f"spec.{name}", old["spec"].get(name), new["spec"].get(name))


def _data_is_fixed(old: Object, new: Object) -> Iterator[Cause]:
    if old.get("immutable") and any(old.get(name) != new.get(name) for name in ("data", "binaryData", "immutable")):
        message = "Forbidden: field is immutable when `immutable` is set"
        yield {"reason": "FieldValueForbidden", "message": message, "field": "data"}


def _secret_is_fixed(old: Object, new: Object) -> Iterator[Cause]:
    yield from _immutable("type", old.get("type"), new.get("type"))
    yield from _data_is_fixed(old, new)


def _service_is_fixed(old: Object, new: Object) -> Iterator[Cause]:
    if new["spec"].get("type") != "ExternalName" and "clusterIP" in old["spec"]:
        before, after = old["spec"]["clusterIP"], new["spec"].get("clusterIP")
        yield from _immutable("spec.clusterIP", before, after, "may not change once set")


def _pod_is_fixed(old: Object, new: Object) -> Iterator[Cause]:
    def bare(pod: Object) -> Object:
        containers = [{**item, "image": ""} for item in pod["spec"].get("containers") or ()]
        free = ("activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations", "schedulingGates", "nodeName")
        return {**{k: v for k, v in pod["spec"].items() if k not in free}, "containers": containers}

    if bare(old) != bare(new):
        message = (
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
            "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously "
            "negative)"
        )
        yield {"reason": "FieldValueForbidden", "message": f"{message}\n{as_json(new['spec'])}", "field": "spec"}


_CHECKS: Mapping[Kind, Callable[[Object], Iterable[Cause]]] = {
    kinds.POD: pod_causes,
    kinds.DEPLOYMENT: _deployment_causes,
    kinds.REPLICA_SET: _workload_causes,
    kinds.STATEFUL_SET: _workload_causes,
    kinds.DAEMON_SET: _workload_causes,
    kinds.JOB: _job_causes,
    kinds.SERVICE: _service_causes,
    kinds.CONFIG_MAP: _data_causes,
    kinds.SECRET: _data_causes,
    kinds.DEFINITION: definition_causes,
}
_UPDATE_CHECKS: Mapping[Kind, Callable[[Object, Object], Iterable[Cause]]] = {
    kinds.POD: _pod_is_fixed,
    kinds.DEPLOYMENT: _selector_is_fixed,
    kinds.REPLICA_SET: _selector_is_fixed,
    kinds.DAEMON_SET: _selector_is_fixed,
    kinds.STATEFUL_SET: _stateful_set_is_fixed,
    kinds.JOB: _job_is_fixed,
    kinds.SERVICE: _service_is_fixed,
    kinds.CONFIG_MAP: _data_is_fixed,
    kinds.SECRET: _secret_is_fixed,
}
