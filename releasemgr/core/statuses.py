"""Legal moves between statuses, and the one guarded UPDATE that makes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models

from releasemgr.core.errors import WrongState


@dataclass(frozen=True)
class TransitionTable:
    """`moves` maps each status to the set of statuses that may follow it."""

    moves: Mapping[str, frozenset[str]]

    def allows(self, source: str, to: str) -> bool:
        return to in self.moves.get(source, frozenset())


def compare_and_set(
    obj: models.Model, *, table: TransitionTable, to: str, guard: Mapping[str, Any] | None = None, **fields: Any
) -> str:
    """Move `obj.status` to `to` by guarded UPDATE and return the old status; `fields` change in the same statement.

    Raises WrongState when the row is not in a status that may precede `to`, or `guard` no longer matches: somebody
    else won. `obj` is brought up to date either way.
    """
    old = obj.status  # type: ignore[attr-defined]
    changed = 0
    if table.allows(old, to):
        rows = type(obj)._default_manager.filter(pk=obj.pk, status=old, **(guard or {}))
        changed = rows.update(status=to, **fields)
    if not changed:
        obj.refresh_from_db(fields=["status"])
        now = str(obj.status)  # type: ignore[attr-defined]
        raise WrongState(_why_not(now, to, table), details={"status": now, "wanted": to})
    obj.status = to  # type: ignore[attr-defined]
    for name, value in fields.items():
        setattr(obj, name, value)
    return str(old)


def _why_not(now: str, to: str, table: TransitionTable) -> str:
    is_now, wanted = now.replace("_", " "), to.replace("_", " ")
    if now == to:
        return f"This is {is_now} already. Reload to see it."
    if table.allows(now, to):
        return "Somebody changed this a moment ago. Reload, read it again, then decide."
    return f"This is {is_now}, so it can no longer become {wanted}. Reload to see what changed."
