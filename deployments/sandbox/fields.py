"""Sets of fields, as tries shaped like `fieldsV1`: `f:` a field, `k:` a list item by key, `v:` by value.

Inside this package a node that is a member carries ".", leaves included; `encode` and `decode` translate to the wire,
where a leaf is `{}` and only inner members carry ".".
"""

import json
from dataclasses import dataclass, field
from typing import Any

from deployments.sandbox.schema import Node
from deployments.sandbox.typecheck import format_key

Trie = dict[str, Any]

_MEMBER = "."


def _leaf() -> Trie:
    return {_MEMBER: {}}


def encode(trie: Trie) -> Trie:
    out: Trie = {}
    for key in sorted(trie, key=lambda name: (name != _MEMBER, name)):
        child = trie[key]
        out[key] = {} if key == _MEMBER or child == {_MEMBER: {}} else encode(child)
    return out


def decode(wire: Trie) -> Trie:
    return {key: {} if key == _MEMBER else (decode(child) if child else _leaf()) for key, child in wire.items()}


def item_element(item: Any, node: Node) -> str:
    """The path element of one item of a list that is a map or a set."""
    if node.is_set:
        return "v:" + json.dumps(item, separators=(",", ":"))
    return "k:" + json.dumps(node.key_of(item), separators=(",", ":"), sort_keys=True)


def _items(value: Any, node: Node) -> dict[str, tuple[Any, Node]]:
    """The children of a container: path element → (value, type)."""
    if node.shape == "list":
        return {item_element(item, node): (item, node.item) for item in value}
    children = ((name, item, node.child(name)) for name, item in value.items())
    return {f"f:{name}": (item, child) for name, item, child in children if child is not None}


def _is_leaf(value: Any, node: Node) -> bool:
    return node.atomic or value is None or not isinstance(value, dict | list)


def set_of(value: Any, node: Node) -> Trie:
    """The fields that an applied configuration names."""
    if _is_leaf(value, node) or not value:
        return _leaf()
    out: Trie = {}
    for element, (item, child) in _items(value, node).items():
        out[element] = set_of(item, child)
        if node.shape == "list":
            out[element][_MEMBER] = {}
    return out


def _all_of(value: Any, node: Node, *, known: bool) -> Trie:
    """Every field of a value that appeared or went. `known`: its container was there before, empty."""
    if _is_leaf(value, node) or not value:
        return {} if known and value == {} else _leaf()
    out: Trie = {} if known else _leaf()
    for element, (item, child) in _items(value, node).items():
        inner = _all_of(item, child, known=known and child.embedded)
        if inner:
            out[element] = inner
    return out


@dataclass(frozen=True, slots=True)
class Difference:
    changed: Trie = field(default_factory=dict)
    removed: Trie = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)


_SAME = Difference()


def compare(old: Any, new: Any, node: Node) -> Difference:
    """What changed (appeared included) and what went from `old` to `new`."""
    if old is new:
        return _SAME
    if _is_leaf(old, node) or _is_leaf(new, node):
        return _SAME if old == new else Difference(changed=_leaf())
    before, after = _items(old, node), _items(new, node)
    changed: Trie = {}
    removed: Trie = {}
    for element, (item, child) in after.items():
        known = node.shape == "struct" and child.embedded
        if element in before:
            inner = compare(before[element][0], item, child)
        else:
            inner = Difference(changed=_all_of(item, child, known=known))
        if inner.changed:
            changed[element] = inner.changed
        if inner.removed:
            removed[element] = inner.removed
    for element in before.keys() - after.keys():
        item, child = before[element]
        removed[element] = _all_of(item, child, known=False)
    return Difference(changed, removed)


def union(left: Trie, right: Trie) -> Trie:
    out = dict(left)
    for key, child in right.items():
        out[key] = union(out[key], child) if key in out else child
    return out


def subtract(left: Trie, right: Trie) -> Trie:
    out: Trie = {}
    for key, child in left.items():
        if key == _MEMBER:
            if _MEMBER not in right:
                out[key] = child
            continue
        kept = subtract(child, right[key]) if key in right else child
        if kept:
            out[key] = kept
    return out


def intersect(left: Trie, right: Trie) -> Trie:
    out: Trie = {}
    for key in left.keys() & right.keys():
        if key == _MEMBER:
            out[key] = {}
        elif inner := intersect(left[key], right[key]):
            out[key] = inner
    return out


def paths(trie: Trie, prefix: str = "") -> list[str]:
    """Every member as `.spec.template.spec.containers[name="app"].image`, in order."""
    found: list[str] = [prefix] if _MEMBER in trie else []
    for element in sorted(key for key in trie if key != _MEMBER):
        found += paths(trie[element], prefix + _path_text(element))
    return found


def _path_text(element: str) -> str:
    sort, _, text = element.partition(":")
    if sort == "f":
        return f".{text}"
    if sort == "v":
        return f"[={text}]"
    return format_key(json.loads(text))


def remove(value: Any, node: Node, going: Trie, kept: Trie) -> Any:
    """Take the fields of `going` out of a value. An item or map of which others own a part (`kept`) stays."""
    gone = object()

    def visit(item: Any, kind: Node, trie: Trie, others: Trie) -> Any:
        if _is_leaf(item, kind) or set(trie) == {_MEMBER}:
            return gone if _MEMBER in trie and not others else item
        if kind.shape == "list" and _MEMBER in trie and not others:
            return gone
        out = _rebuilt(item, kind, {e: t for e, t in trie.items() if e != _MEMBER}, others, visit, gone)
        return out if out or not item else gone

    result = visit(value, node, going, kept)
    return value if result is gone else result


def _rebuilt(item: Any, kind: Node, trie: Trie, others: Trie, visit: Any, gone: object) -> Any:
    children = _items(item, kind)
    kept_values: list[tuple[str, Any]] = []
    for element, (inner, inner_kind) in children.items():
        if element in trie:
            sub = trie[element]
            if kind.shape == "list" and _MEMBER in sub and not others.get(element):
                continue
            inner = visit(inner, inner_kind, sub, others.get(element, {}))
            if inner is gone:
                continue
        kept_values.append((element, inner))
    if kind.shape == "list":
        return [value for _, value in kept_values]
    return {element.removeprefix("f:"): value for element, value in kept_values}
