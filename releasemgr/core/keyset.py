"""Pages of a list by key: newest first, no COUNT, no OFFSET, however long the list is."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import F, Model, QuerySet
from django.db.models.fields.tuple_lookups import TupleGreaterThan, TupleLessThan

from releasemgr.core.errors import Malformed

Row = TypeVar("Row", bound=Model)
PAGE_SIZE = 25


@dataclass(frozen=True)
class KeysetPage(Generic[Row]):
    """`next_cursor` leads to older rows, `previous_cursor` to newer ones; empty where there are none."""

    rows: Sequence[Row]
    next_cursor: str = ""
    previous_cursor: str = ""


def keyset_page(queryset: QuerySet[Row], cursor: str, *, size: int = PAGE_SIZE) -> KeysetPage[Row]:
    """One page of `queryset` by (created_at, id), newest first. Raises Malformed for a cursor that is none of ours."""
    key = (F("created_at"), F("id"))
    if not cursor:
        return _older(queryset.order_by("-created_at", "-id"), size, previous=False)
    direction, created_at, row_id = _decode(cursor)
    # A row value, not OR: PostgreSQL walks the index on (created_at, id) from exactly here.
    if direction == "older":
        after = queryset.filter(TupleLessThan(key, (created_at, row_id)))
        return _older(after.order_by("-created_at", "-id"), size, previous=True)
    before = queryset.filter(TupleGreaterThan(key, (created_at, row_id)))
    return _newer(before.order_by("created_at", "id"), size)


def _older(queryset: QuerySet[Row], size: int, *, previous: bool) -> KeysetPage[Row]:
    rows = list(queryset[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    return KeysetPage(
        rows=rows,
        next_cursor=_encode("older", rows[-1]) if more else "",
        previous_cursor=_encode("newer", rows[0]) if previous and rows else "",
    )


def _newer(queryset: QuerySet[Row], size: int) -> KeysetPage[Row]:
    rows = list(queryset[: size + 1])
    more, rows = len(rows) > size, rows[:size][::-1]
    return KeysetPage(
        rows=rows,
        next_cursor=_encode("older", rows[-1]) if rows else "",
        previous_cursor=_encode("newer", rows[0]) if more else "",
    )


def _encode(direction: str, row: Any) -> str:
    content = json.dumps([direction, row.created_at.isoformat(), str(row.pk)])
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[str, datetime, UUID]:
    try:
        direction, created_at, row_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if direction not in ("older", "newer"):
            raise ValueError(direction)
        return direction, datetime.fromisoformat(created_at), UUID(row_id)
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise Malformed("This page address is not valid. Open the list from its first page.") from None
