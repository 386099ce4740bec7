"""The three other ways to patch: JSON patch (RFC 6902), merge patch (RFC 7386), strategic merge patch."""

from collections.abc import Sequence
from typing import Any

from deployments.sandbox.errors import ApiError, bad_request
from deployments.sandbox.objects import clone
from deployments.sandbox.schema import Node


def merge_patch(value: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    out = dict(value) if isinstance(value, dict) else {}
    for name, item in patch.items():
        if item is None:
            out.pop(name, None)
        else:
            out[name] = merge_patch(out.get(name), item)
    return out


def strategic_merge(value: Any, patch: Any, node: Node) -> Any:
    """Lists with a merge key merge item by item; `$patch: delete|replace`, `$deleteFromPrimitiveList` are known."""
    if isinstance(patch, list):
        return _strategic_list(value or [], patch, node)
    if not isinstance(patch, dict):
        return patch
    if patch.get("$patch") == "replace":
        return {name: item for name, item in patch.items() if name != "$patch"}
    out = dict(value) if isinstance(value, dict) else {}
    if "$retainKeys" in patch:
        out = {name: item for name, item in out.items() if name in patch["$retainKeys"]}
    for name, item in patch.items():
        target = name.partition("/")[2]
        if name.startswith("$deleteFromPrimitiveList/"):
            out[target] = [entry for entry in out.get(target, []) if entry not in item]
        elif not name.startswith("$"):
            child = node.child(name)
            if item is None:
                out.pop(name, None)
            else:
                out[name] = merge_patch(out.get(name), item) if child is None else _branch(out.get(name), item, child)
    return out


def _branch(value: Any, patch: Any, node: Node) -> Any:
    return merge_patch(value, patch) if node.shape == "scalar" else strategic_merge(value, patch, node)


def _strategic_list(value: list[Any], patch: list[Any], node: Node) -> list[Any]:
    key = node.merge_key
    if key is None:
        return value + [item for item in patch if item not in value] if node.merges_primitives else patch
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if "$patch" not in item]
    out = list(value)
    for item in patch:
        index = next((i for i, old in enumerate(out) if old.get(key) == item.get(key)), None)
        if item.get("$patch") == "delete":
            out = [old for i, old in enumerate(out) if i != index]
        elif index is None:
            out.append(strategic_merge({}, item, node.item))
        else:
            out[index] = strategic_merge(out[index], item, node.item)
    return out


def json_patch(value: Any, operations: Sequence[Any]) -> Any:
    """Raises ApiError 422 when a path is missing or a `test` fails, as the real server does."""
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: a JSON patch is a list of operations")
    out = clone(value)
    for operation in operations:
        try:
            out = _operate(out, operation)
        except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
            raise ApiError(422, "the server rejected our request due to an error in our request", "Invalid") from error
    return out


def _operate(value: Any, operation: Any) -> Any:
    verb, path = operation["op"], _pointer(operation["path"])
    if verb == "test":
        if _read(value, path) != operation["value"]:
            raise ValueError(operation["path"])
        return value
    if verb == "add" or verb == "replace":
        if verb == "replace":
            _read(value, path)
        return _write(value, path, clone(operation["value"]), insert=verb == "add")
    if verb == "remove":
        return _delete(value, path)
    source = _pointer(operation["from"])
    moved = clone(_read(value, source))
    if verb == "move":
        value = _delete(value, source)
    elif verb != "copy":
        raise ValueError(verb)
    return _write(value, path, moved, insert=True)


def _pointer(text: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _read(value: Any, path: list[str]) -> Any:
    for part in path:
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def _write(value: Any, path: list[str], item: Any, *, insert: bool) -> Any:
    if not path:
        return item
    parent, last = _read(value, path[:-1]), path[-1]
    if not isinstance(parent, list):
        parent[last] = item
    elif last == "-":
        parent.append(item)
    elif insert:
        parent.insert(int(last), item)
    else:
        parent[int(last)] = item
    return value


def _delete(value: Any, path: list[str]) -> Any:
    parent, last = _read(value, path[:-1]), path[-1]
    if isinstance(parent, list):
        del parent[int(last)]
    else:
        del parent[last]
    return value
