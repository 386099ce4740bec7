"""JSON patches (RFC 6902) that a target lays over a release's objects. Pure.

Shape: `[{"kind": "Deployment", "name": "web", "patch": [{"op": "add", "path": "/spec/minReadySeconds", "value": 5}]}]`.
No message quotes a value: not of the patch, and not of the object that it was tried on.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jsonpatch
import jsonpointer

from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.rendering.shapes import shape_problems

MOST_PATCHES = 50
MOST_OPERATIONS = 100
MOST_BYTES = 512 * 1024
MAX_DEPTH = 60
# What each operation needs beside its path.
OPERATIONS: Mapping[str, str] = {
    "add": "value",
    "remove": "",
    "replace": "value",
    "move": "from",
    "copy": "from",
    "test": "value",
}


class _Refused(Exception):
    """Completes "Operation 3 of the patch …"."""


def problems(patches: Any) -> list[str]:
    """Why these can't be a target's patches, as sentences; empty when they can."""
    if not isinstance(patches, list) or len(patches) > MOST_PATCHES:
        return [f"The patches must be a list of at most {MOST_PATCHES}."]
    return [sentence for number, patch in enumerate(patches, start=1) for sentence in _shape(patch, number)]


def apply_patches(rendered: list[dict[str, Any]], patches: Any) -> list[str]:
    """Puts the patched objects in the place of the rendered ones; returns the problems as sentences."""
    found = problems(patches)
    if found:
        return found
    for patch in patches:
        places = [
            place
            for place, item in enumerate(rendered)
            if item["kind"] == patch["kind"] and objects.name_of(item) == patch["name"]
        ]
        if not places:
            found.append(f"The target patches {_title(patch)}, but the release has no such object.")
        for place in places:
            try:
                rendered[place] = _patched(rendered[place], patch["patch"])
            except _Refused as error:
                found.append(f"The target's patch of {_title(patch)}: {error}.")
    return found


def _shape(patch: Any, number: int) -> Iterator[str]:
    if not isinstance(patch, Mapping) or set(patch) != {"kind", "name", "patch"}:
        yield f"Patch {number} must be an object with kind, name and patch."
        return
    if not all(isinstance(patch[name], str) and patch[name] for name in ("kind", "name")):
        yield f"Patch {number} needs the kind and the name of an object, as text."
    elif patch["kind"].strip().lower() == "secret":
        yield f"Patch {number} would change a Secret. A target's settings are shown, so they must not hold secrets."
    elif not isinstance(patch["patch"], list) or not 0 < len(patch["patch"]) <= MOST_OPERATIONS:
        yield f"The patch of {_title(patch)} must be a list of 1 to {MOST_OPERATIONS} operations."
    else:
        yield from (
            f"The patch of {_title(patch)}: operation {place} {problem}."
            for place, operation in enumerate(patch["patch"], start=1)
            for problem in _operation_problems(operation)
        )


def _operation_problems(operation: Any) -> Iterator[str]:
    if not isinstance(operation, Mapping) or str(operation.get("op")) not in OPERATIONS:
        yield f"needs an op: {', '.join(OPERATIONS)}"
        return
    needed = OPERATIONS[operation["op"]]
    for name in ("path", *(("from",) if needed == "from" else ())):
        try:
            jsonpointer.JsonPointer(operation[name])
        except (jsonpointer.JsonPointerException, KeyError, TypeError, AttributeError):
            yield f"needs a {name} such as /spec/replicas"
    if needed == "value" and "value" not in operation:
        yield "needs a value"


def _patched(item: dict[str, Any], operations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    result: Any = item
    for number, operation in enumerate(operations, start=1):
        try:
            result = jsonpatch.JsonPatch([dict(operation)]).apply(result)
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, LookupError, TypeError, ValueError):
            what = f"operation {number} ({operation['op']} {str(operation['path'])[:200]})"
            raise _Refused(f"{what} does not fit the object") from None
        if not _is_bounded(result):
            raise _Refused("the result is too large, or nested too deeply")
    if _names(result) != _names(item):
        raise _Refused("it must not change apiVersion, kind, name or namespace")
    for problem in shape_problems(result):
        raise _Refused(f"the result has no such shape: {problem}")
    return dict(result)


def _is_bounded(value: Any) -> bool:
    # Depth first: the encoder would run out of stack on what copies of copies can make.
    return _is_shallow(value, MAX_DEPTH) and len(json.dumps(value)) <= MOST_BYTES


def _is_shallow(value: Any, depth: int) -> bool:
    children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return depth > 0 and all(_is_shallow(child, depth - 1) for child in children)


def _names(item: Any) -> tuple[Any, ...]:
    if not isinstance(item, Mapping):
        return ()
    meta = objects.metadata(item)
    return item.get("apiVersion"), item.get("kind"), meta.get("name"), meta.get("namespace")


def _title(patch: Mapping[str, Any]) -> str:
    return f"{patch['kind'][:63]} {patch['name'][:63]}"
