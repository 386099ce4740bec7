"""Where two objects differ, field by field. Pure.

Lists whose items have a key (containers by name, ports by number) are compared item by item, whatever their order;
other lists count as one value. Values are compared as they are and hidden afterwards (see `secrecy`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deployments.targets.comparison import FieldChange
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.comparing import fieldnames
from deployments.targets.kubernetes.comparing.fieldnames import Item, Step
from deployments.targets.kubernetes.rendering.render import SERVER_FIELDS
from deployments.targets.kubernetes.secrecy import (
    HIDDEN,
    OPEN_IN_A_SECRET,
    concealed,
    is_copy,
    is_secret,
    is_value_of_telling_variable,
    may_be_shown,
)
from deployments.targets.kubernetes.wording import clean_block

TEXT_LENGTH = 4000
DIFFERS = " (differs)"
OUR_MARKS = "releasemgr.dev/"
# Only there are they ours: anywhere else such a name would be a place to hide something.
MARKED = frozenset({"annotations", "labels", "matchLabels", "selector"})
# Written by controllers into what is otherwise a person's.
CONTROLLERS_MARKS = ("deployment.kubernetes.io/", "deprecated.daemonset.template.generation", "batch.kubernetes.io/")
DEFAULT_PROTOCOL = "TCP"
KEYS = (
    ("name",), ("mountPath",), ("containerPort", "protocol"), ("port", "protocol"), ("key",), ("ip",), ("type",),
    ("topologyKey",), ("devicePath",),
)  # fmt: skip


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class Leaf:
    """One field that differs. `is_hidden`: its values may be shown to nobody."""

    steps: tuple[Step, ...]
    before: Any
    after: Any
    is_hidden: bool

    def texts(self) -> tuple[str | None, str | None]:
        """The values as they may be shown; two that look alike are told apart all the same."""
        before, after = (_shown(value, is_hidden=self.is_hidden) for value in (self.before, self.after))
        return before, after + DIFFERS if after is not None and before == after else after


def changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[FieldChange]:
    """What differs between two states of one object (None: it is not there): images, env and replicas first."""
    present = after or before or {}
    sides = (bare(item) if item is not None else _identity(present) for item in (before, after))
    found = sorted(leaves(*sides), key=lambda leaf: fieldnames.rank(leaf.steps))
    return [FieldChange(fieldnames.words(present, leaf.steps), *leaf.texts()) for leaf in found]


def leaves(before: Any, after: Any) -> Iterator[Leaf]:
    """Each field that differs, in the order of the names, but for our own marks. Both sides as `bare` leaves them."""
    yield from _walk((), before, after, None)


def bare(item: Mapping[str, Any]) -> dict[str, Any]:
    """Without what the server and its controllers add."""
    meta = {name: value for name, value in objects.metadata(item).items() if name not in SERVER_FIELDS}
    found = meta.get("annotations")
    if isinstance(found, Mapping):
        kept = {name: value for name, value in found.items() if not str(name).startswith(CONTROLLERS_MARKS)}
        meta = {name: value for name, value in meta.items() if name != "annotations"} | (
            {"annotations": kept} if kept else {}
        )
    return {name: value for name, value in item.items() if name != "status"} | {"metadata": meta}


def _identity(item: Mapping[str, Any]) -> dict[str, Any]:
    meta = {name: value for name, value in objects.metadata(item).items() if name in ("name", "namespace")}
    return {name: value for name, value in item.items() if name in ("apiVersion", "kind")} | {"metadata": meta}


def _walk(steps: tuple[Step, ...], before: Any, after: Any, secret: tuple[str, ...] | None) -> Iterator[Leaf]:
    """`secret` is the path inside of the Secret that encloses these values, if one does."""
    if before == after:
        return
    if secret is None and (is_secret(before) or is_secret(after)):
        secret = ()
    children = _children(before, after) if secret is None or secret in OPEN_IN_A_SECRET else None
    if children is None:
        path = tuple(str(step) for step in steps)
        is_hidden = secret is not None and not may_be_shown(secret)
        is_hidden = is_hidden or any(map(is_copy, path)) or is_value_of_telling_variable(path)
        yield Leaf(steps, before, after, is_hidden)
        return
    for step, one, other in children:
        if not _is_our_mark(steps, step):
            yield from _walk((*steps, step), one, other, None if secret is None else (*secret, str(step)))


def _is_our_mark(steps: tuple[Step, ...], step: Step) -> bool:
    return str(step).startswith(OUR_MARKS) and bool(steps) and str(steps[-1]) in MARKED


def _children(before: Any, after: Any) -> list[tuple[Step, Any, Any]] | None:
    """The fields or items of two values of the same shape; None where they are to be shown as a whole."""
    present = [value for value in (before, after) if value is not MISSING]
    if not any(present):
        return None
    if all(isinstance(value, Mapping) for value in present):
        one, other = (value if value is not MISSING else {} for value in (before, after))
        names = sorted({*one, *other}, key=str)
        return [(str(name), one.get(name, MISSING), other.get(name, MISSING)) for name in names]
    if all(isinstance(value, list) for value in present):
        return _items(*(value if value is not MISSING else [] for value in (before, after)))
    return None


def _items(before: Sequence[Any], after: Sequence[Any]) -> list[tuple[Step, Any, Any]] | None:
    for fields in KEYS:
        one, other = _by_key(before, fields), _by_key(after, fields)
        if one is not None and other is not None:
            break
    else:
        return None
    places = {key: place for place, key in enumerate(other)}
    found: list[tuple[Step, Any, Any]] = []
    for key in {**one, **other}:
        pair = [side.get(key, MISSING) for side in (one, other)]
        step = Item("/".join(key), pair[0] if pair[1] is MISSING else pair[1], places.get(key))
        found.append((step, *(pair if MISSING not in pair else [_without_key(value, fields) for value in pair])))
    return found


def _by_key(items: Sequence[Any], fields: Sequence[str]) -> dict[tuple[str, ...], Any] | None:
    found = {}
    for item in items:
        if not isinstance(item, Mapping) or fields[0] not in item:
            return None
        key = tuple(str(item.get(name, DEFAULT_PROTOCOL)) for name in fields)
        if key in found:
            return None
        found[key] = item
    return found


def _without_key(item: Any, fields: Sequence[str]) -> Any:
    """The key of an added item stands in its path already."""
    if item is MISSING:
        return item
    return {name: value for name, value in item.items() if name not in fields} or item


def _shown(value: Any, *, is_hidden: bool) -> str | None:
    if value is MISSING:
        return None
    if is_hidden:
        return HIDDEN
    text = value if isinstance(value, str) else json.dumps(concealed(value), ensure_ascii=False, sort_keys=True)
    shown = clean_block(text, limit=TEXT_LENGTH)
    return shown if len(text) <= TEXT_LENGTH else f"{shown}…"
