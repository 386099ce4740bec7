"""Bringing recorded and replayed answers into one form: what hangs on the clock, on chance or on Go is named alike.

The recordings' kubelet was itself a simulation, written with a plain HTTP client: its entry in managedFields and its
image ids and addresses are left out.
"""

import re
from collections.abc import Iterator
from typing import Any

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")
_NODE = re.compile(r"node-\d")
_EVENT_NAME = re.compile(r"\.[0-9a-f]{14,}$")
_VERSIONS = (
    (re.compile(r"too old resource version: \d+ \(\d+\)"), "too old resource version: N (M)"),
    (re.compile(r"current: \d+"), "current: N"),
)
_LEFT_OUT = ("podIP", "podIPs", "imageID", "clusterIP", "clusterIPs", "reportingInstance")
# Whether a watch sees these change hangs on milliseconds: the gap between an old pod's end and its successor, and
# the ready pods of a Job, which are counted once a second.
_BY_THE_CLOCK = (".status.currentNumberScheduled", ".status.ready")
_KUBELETS = ("kubelet", "python-httpx")


class Names:
    """Stand-ins for generated parts of names, given out in the order in which they appear."""

    def __init__(self) -> None:
        self._hashes: dict[str, str] = {}

    def learn(self, obj: dict[str, Any]) -> None:
        if "involvedObject" in obj:
            self._learn_from(obj["message"])
        status = obj.get("status")
        if "metadata" not in obj or not isinstance(status, dict):
            return
        labels = obj["metadata"].get("labels", {})
        if "pod-template-hash" in labels:
            self._learn(labels["pod-template-hash"])
        for name in ("currentRevision", "updateRevision"):
            if name in status:
                self._learn(status[name].rpartition("-")[2])
        for condition in status.get("conditions", ()):
            self._learn_from(condition.get("message", ""))

    def _learn_from(self, message: str) -> None:
        for digest in re.findall(r'replica ?set "?[a-z]+-([a-z0-9]+)', message, re.IGNORECASE):
            self._learn(digest)

    def _learn(self, digest: str) -> None:
        self._hashes.setdefault(digest, f"HASH{len(self._hashes) + 1}")

    def text(self, text: str) -> str:
        for digest, stand_in in self._hashes.items():
            text = re.sub(rf"{digest}-\w{{5}}\b", f"{stand_in}-POD", text)
            text = text.replace(digest, stand_in)
        text = re.sub(r"\b(migrate-\w+)-[a-z0-9]{5}\b", r"\1-POD", text)
        text = _EVENT_NAME.sub(".EVENT", _NODE.sub("NODE", _UUID.sub("UID", _TIME.sub("TIME", text))))
        for pattern, stand_in in _VERSIONS:
            text = pattern.sub(stand_in, text)
        return text


def normal(value: Any, names: Names) -> Any:
    if isinstance(value, dict):
        names.learn(value)
        return {names.text(key): _field(key, item, names) for key, item in value.items() if key not in _LEFT_OUT}
    if isinstance(value, list):
        return [normal(item, names) for item in value]
    return names.text(value) if isinstance(value, str) else value


def _field(key: str, value: Any, names: Names) -> Any:
    if key == "resourceVersion":
        return "VERSION"
    if key == "managedFields":
        kept = [entry for entry in value if not _is_kubelets(entry)]
        return sorted((normal(entry, names) for entry in kept), key=repr)
    if key == "items" and isinstance(value, list):
        return [normal(item, names) for item in sorted(value, key=_images)]
    if key == "serverAddress":
        return "ADDRESS"
    return normal(value, names)


def _images(item: dict[str, Any]) -> list[str]:
    return re.findall(r"'image': '([^']+)'", repr(item)) + re.findall(r"'phase': '(\w+)'", repr(item))


def _is_kubelets(entry: dict[str, Any]) -> bool:
    return entry["manager"] in _KUBELETS and entry.get("subresource") == "status"


def differences(wanted: Any, found: Any, path: str = "") -> list[str]:
    """Where two normal forms differ, one line for each place."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        out: list[str] = []
        for key in sorted(wanted.keys() | found.keys()):
            inner = f"{path}.{key}"
            if key not in found:
                out.append(f"{inner} is missing, recorded: {wanted[key]!r}")
            elif key not in wanted:
                out.append(f"{inner} is extra: {found[key]!r}")
            else:
                out += differences(wanted[key], found[key], inner)
        return out
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return [line for i, (left, right) in pairs for line in differences(left, right, f"{path}[{i}]")]
    return [] if wanted == found else [f"{path}: recorded {wanted!r}, answered {found!r}"]


def courses(states: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The values that each field of an object went through, repetitions left out.

    A controller may fold two writes into one, and count several pods at once: so fields are followed one by one, and
    of a counter only its turning points stay.
    """
    flat = [dict(_leaves(state)) for state in states]
    found: dict[str, list[Any]] = {}
    for path in sorted({path for state in flat for path in state}):
        values = [state.get(path) for state in flat]
        if path in _BY_THE_CLOCK:
            continue
        numeric = all(isinstance(value, int | None) for value in values)
        found[path] = _turning_points(values) if numeric else _without_repetitions(values)
    return found


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            if key != "managedFields":
                yield from _leaves(item, f"{path}.{key}")
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{item.get('type', index)}]")
    else:
        yield path, value


def _without_repetitions(values: list[Any]) -> list[Any]:
    return [value for index, value in enumerate(values) if index == 0 or value != values[index - 1]]


def _turning_points(values: list[Any]) -> list[int]:
    numbers = _without_repetitions([value or 0 for value in values])
    return [
        number
        for index, number in enumerate(numbers)
        if index in (0, len(numbers) - 1) or (number - numbers[index - 1]) * (numbers[index + 1] - number) < 0
    ]
