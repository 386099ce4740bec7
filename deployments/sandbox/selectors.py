"""Label and field selectors, as the query string and as a spec say them."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deployments.sandbox import kinds
from deployments.sandbox.errors import bad_request
from deployments.sandbox.kinds import Kind
from deployments.sandbox.objects import Object

Predicate = Callable[[Object], bool]

_SPLIT = re.compile(r",(?![^(]*\))")
_SET = re.compile(r"^\s*(\S+?)\s+(in|notin)\s*\(([^)]*)\)\s*$")
_EQUAL = re.compile(r"^\s*([^=!\s]+)\s*(==|=|!=)\s*([^=!\s]*)\s*$")
_EXISTS = re.compile(r"^\s*(!?)\s*([^=!\s,()]+)\s*$")

_FIELDS: Mapping[Kind, tuple[str, ...]] = {
    kinds.POD: ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "status.phase"),
    kinds.EVENT: (
        *(f"involvedObject.{name}" for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion")),
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    kinds.NAMESPACE: ("status.phase",),
    kinds.JOB: ("status.successful",),
    kinds.SECRET: ("type",),
    kinds.REPLICA_SET: ("status.replicas",),
}


def label_selector(text: str) -> Predicate:
    """`a=b,c!=d,e in (f,g),h,!i`. Raises ApiError 400 when it cannot be read."""
    tests = [_requirement(part) for part in _SPLIT.split(text) if part.strip()]
    return lambda obj: all(test(obj["metadata"].get("labels") or {}) for test in tests)


def _requirement(part: str) -> Callable[[Mapping[str, str]], bool]:
    if match := _SET.match(part):
        key, operator, values = match[1], match[2], [value.strip() for value in match[3].split(",")]
        return _test(key, "In" if operator == "in" else "NotIn", values)
    if match := _EQUAL.match(part):
        return _test(match[1], "NotIn" if match[2] == "!=" else "In", [match[3]])
    if match := _EXISTS.match(part):
        return _test(match[2], "DoesNotExist" if match[1] else "Exists", ())
    raise bad_request(f"unable to parse requirement: {part!r} is no label requirement")


def _test(key: str, operator: str, values: Sequence[str]) -> Callable[[Mapping[str, str]], bool]:
    if operator == "In":
        return lambda labels: labels.get(key) in values
    if operator == "NotIn":
        return lambda labels: labels.get(key) not in values
    if operator == "Exists":
        return lambda labels: key in labels
    return lambda labels: key not in labels


def matches(selector: Object | None, labels: Mapping[str, str]) -> bool:
    """A spec's `matchLabels` and `matchExpressions`; no selector matches nothing, an empty one everything."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    expressions = selector.get("matchExpressions") or ()
    return all(_test(item["key"], item["operator"], item.get("values") or ())(labels) for item in expressions)


def field_selector(kind: Kind, text: str) -> Predicate:
    """`metadata.name=web,status.phase!=Failed`. Raises ApiError 400 for fields that the kind does not offer."""
    tests: list[Predicate] = []
    for part in text.split(","):
        if not part.strip():
            continue
        match = _EQUAL.match(part)
        if match is None:
            raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
        tests.append(_field_test(kind, match[1], match[2], match[3]))
    return lambda obj: all(test(obj) for test in tests)


def _field_test(kind: Kind, path: str, operator: str, wanted: str) -> Predicate:
    if path not in ("metadata.name", "metadata.namespace", *_FIELDS.get(kind, ())):
        raise bad_request(f'field label not supported: "{path}"')
    negated = operator == "!="
    return lambda obj: (_field_value(kind, obj, path) == wanted) != negated


def _field_value(kind: Kind, obj: Object, path: str) -> str:
    value: Any = obj
    if kind is kinds.EVENT and path == "source":
        path = "source.component"
    if kind is kinds.JOB and path == "status.successful":
        path = "status.succeeded"
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return "" if value is None else str(value)
