"""Server-side apply: merge by the schema, keep what others own, refuse what they would lose."""

from collections.abc import Mapping
from typing import Any

from deployments.sandbox import fields
from deployments.sandbox.errors import ApiError
from deployments.sandbox.fields import Trie
from deployments.sandbox.managed import Owned, Owners, Writer, ownable, owners_of, with_owners, without_owners
from deployments.sandbox.objects import Object, timestamp
from deployments.sandbox.schema import Node


def apply(
    live: Object | None, config: Object, node: Node, writer: Writer, *, force: bool, ignore: tuple[str, ...] = ()
) -> Object:
    """The live object with the configuration merged in and ownership recorded.

    Raises ApiError 409 with one cause for each field that another manager owns with another value.
    """
    owners = owners_of(live) if live else {}
    base = without_owners(live) if live else {"metadata": {}}
    wanted = ownable(fields.set_of(without_owners(config), node), ignore=ignore)
    merged = merge(base, without_owners(config), node)
    merged = _pruned(merged, node, writer, wanted, owners)
    difference = fields.compare(base, merged, node)
    changed = ownable(difference.changed, ignore=ignore)
    others = {who: owned for who, owned in owners.items() if who != writer}
    conflicts = {who: lost for who, owned in others.items() if (lost := fields.intersect(owned.trie, changed))}
    if conflicts and not force:
        raise _conflict(conflicts, owners)
    gone = fields.union(changed, ownable(difference.removed, ignore=ignore))
    kept = {who: Owned(fields.subtract(owned.trie, gone), owned.time) for who, owned in others.items()}
    return with_owners(merged, {**kept, writer: Owned(wanted, timestamp())})


def merge(live: Any, config: Any, node: Node) -> Any:
    if live is None or node.atomic:
        return config
    if isinstance(config, list):
        return _merged_list(live, config, node)
    if not isinstance(config, dict):
        return config
    out = dict(live)
    for name, value in config.items():
        child = node.child(name)
        if value is None:
            out.pop(name, None)
        elif child is not None:
            out[name] = merge(live.get(name), value, child)
    return out


def _merged_list(live: list[Any], config: list[Any], node: Node) -> list[Any]:
    before = {fields.item_element(item, node): item for item in live}
    wanted = {fields.item_element(item, node): item for item in config}
    merged = {element: merge(before.get(element), item, node.item) for element, item in wanted.items()}
    if before.keys() <= wanted.keys():
        return list(merged.values())
    kept = [merged.pop(element, item) for element, item in before.items()]
    return kept + list(merged.values())


def _pruned(merged: Object, node: Node, writer: Writer, wanted: Trie, owners: Owners) -> Object:
    """Take out what this manager applied before and names no longer, unless somebody else owns it."""
    before = owners.get(writer)
    if before is None:
        return merged
    others: Trie = {}
    for who, owned in owners.items():
        if who != writer:
            others = fields.union(others, owned.trie)
    going = fields.subtract(fields.subtract(before.trie, wanted), others)
    result = fields.remove(merged, node, going, fields.union(others, wanted)) if going else merged
    return dict(result)


def _conflict(conflicts: Mapping[Writer, Trie], owners: Owners) -> ApiError:
    named = {who.text(owners[who].time): fields.paths(lost) for who, lost in conflicts.items()}
    pairs = [(who, path) for who in sorted(named) for path in named[who]]
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": path} for who, path in pairs
    ]
    if len(pairs) == 1:
        who, path = pairs[0]
        message = f"Apply failed with 1 conflict: conflict with {who}: {path}"
    else:
        lines = [f"conflicts with {who}:\n" + "\n".join(f"- {path}" for path in named[who]) for who in sorted(named)]
        message = f"Apply failed with {len(pairs)} conflicts: " + "\n".join(lines)
    return ApiError(409, message, "Conflict", {"causes": causes})
