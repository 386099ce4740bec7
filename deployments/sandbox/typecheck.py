"""Holding a body to its schema: unknown fields, wrong types, doubled list keys."""

from collections.abc import Callable
from typing import Any

from deployments.sandbox.schema import Node

_GO_TYPES = {str: "string", bool: "bool", int: "int64", float: "float64", list: "slice", dict: "map"}


class SchemaError(Exception):
    """A value that does not fit its type; the message starts with the path."""


def check_typed(value: Any, node: Node, path: str = "") -> None:
    """Raise SchemaError as server-side apply does: unknown fields and wrong types are refused."""
    if value is None:
        return
    if node.shape == "scalar":
        _check_scalar(value, node, path)
    elif node.shape == "list":
        _check_list(value, node, path)
    elif not isinstance(value, dict):
        raise SchemaError(f"{path}: expected map, got &{{{value}}}")
    else:
        for name, item in value.items():
            child = node.child(name)
            if child is None:
                raise SchemaError(f"{path}.{name}: field not declared in schema")
            check_typed(item, child, f"{path}.{name}")


def _check_scalar(value: Any, node: Node, path: str) -> None:
    expected = node.scalar_type
    if expected == "string" and not isinstance(value, str):
        raise SchemaError(f"{path}: expected string, got &value.valueUnstructured{{Value:{value}}}")
    if expected in ("integer", "number") and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise SchemaError(f"{path}: expected numeric (int or float), got {_GO_TYPES.get(type(value), 'unknown')}")
    if expected == "boolean" and not isinstance(value, bool):
        raise SchemaError(f"{path}: expected boolean, got &value.valueUnstructured{{Value:{value}}}")


def _check_list(value: Any, node: Node, path: str) -> None:
    if not isinstance(value, list):
        raise SchemaError(f"{path}: expected list, got &{{{value}}}")
    seen: list[dict[str, Any]] = []
    for index, item in enumerate(value):
        if not node.keys or node.atomic:
            check_typed(item, node.item, f"{path}[{index}]")
            continue
        key = node.key_of(item) if isinstance(item, dict) else {}
        if len(key) < len(node.keys):
            missing = next(name for name in node.keys if name not in key)
            raise SchemaError(
                f'{path}: element {index}: associative list with keys has an element that omits key field "{missing}" '
                "(and doesn't have default value)"
            )
        text = format_key(key)
        if key in seen:
            raise SchemaError(f"{path}: duplicate entries for key {text}")
        seen.append(key)
        check_typed(item, node.item, path + text)


def format_key(key: dict[str, Any]) -> str:
    parts = [f'{name}="{value}"' if isinstance(value, str) else f"{name}={value}" for name, value in key.items()]
    return f"[{','.join(parts)}]"


def prune_unknown(value: Any, node: Node, report: Callable[[str], None], path: str = "") -> Any:
    """A copy without fields that the schema does not know; each is reported by its path."""
    if isinstance(value, dict) and node.shape in ("struct", "map"):
        kept = {}
        for name, item in value.items():
            child, inner = node.child(name), f"{path}.{name}" if path else name
            if child is None:
                report(inner)
            elif item is not None or node.shape == "map":
                kept[name] = prune_unknown(item, child, report, inner)
        return kept
    if isinstance(value, list) and node.shape == "list":
        return [prune_unknown(item, node.item, report, f"{path}[{i}]") for i, item in enumerate(value)]
    return value


def find_mistyped(value: Any, node: Node, path: str = "") -> tuple[str, Any, str] | None:
    """The first value of a wrong type as (path, value, wanted Go type), or None."""
    if value is None:
        return None
    if node.shape == "scalar":
        return _mistyped_scalar(value, node, path)
    if node.shape == "list":
        if not isinstance(value, list):
            return path, value, "[]interface"
        children = ((item, node.item, path) for item in value)
    else:
        if not isinstance(value, dict):
            return path, value, "map[string]interface" if node.shape == "map" else "struct"
        children = ((item, child, f"{path}.{name}") for name, item in value.items() if (child := node.child(name)))
    return next((found for item, child, inner in children if (found := find_mistyped(item, child, inner))), None)


def _mistyped_scalar(value: Any, node: Node, path: str) -> tuple[str, Any, str] | None:
    wanted = node.scalar_type
    if wanted == "string" and not isinstance(value, str):
        return path, value, "string"
    if wanted == "integer" and (isinstance(value, bool) or not isinstance(value, int)):
        return path, value, "int32"
    if wanted == "boolean" and not isinstance(value, bool):
        return path, value, "bool"
    return None
