"""The audit log as a file: the same filter and rights as the page, streamed, so that its length doesn't matter."""

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse

from audit.models import Event
from audit.selectors import in_batches
from audit.serializers import FIELDS, event_bodies

COLUMNS = (
    "sequence", "created_at", "actor", "user", "action", "resource_type", "resource_id", "resource_label", "changes",
    "data", "request_id", "ip", "id", "hash", "seal", "seal_number",
)  # fmt: skip
# A spreadsheet takes a cell that begins so for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


def export(request: HttpRequest, events: QuerySet[Event], *, format: str) -> StreamingHttpResponse:
    """`format` is csv or jsonl."""
    chunks = _chunks(events, format)
    # An ASGI server would first gather all of a synchronous stream in memory.
    content = _stepwise(chunks) if isinstance(request, ASGIRequest) else chunks
    return StreamingHttpResponse(
        content,
        content_type=CONTENT_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="audit-log.{format}"', "Cache-Control": "no-store"},
    )


def _chunks(events: QuerySet[Event], format: str) -> Iterator[str]:
    write: Callable[[list[dict[str, Any]]], str] = _csv if format == "csv" else _json_lines
    # Sent at once: a proxy waits only so long for a first byte.
    yield _csv_text([COLUMNS]) if format == "csv" else ""
    for rows in in_batches(events, *FIELDS):
        yield write(event_bodies(rows))


async def _stepwise(chunks: Iterator[str]) -> AsyncIterator[str]:
    while (chunk := await sync_to_async(_next)(chunks)) is not None:
        yield chunk


def _next(chunks: Iterator[str]) -> str | None:
    return next(chunks, None)


def _json_lines(bodies: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(body, ensure_ascii=False) + "\n" for body in bodies)


def _csv(bodies: list[dict[str, Any]]) -> str:
    return _csv_text([_cells(body) for body in bodies])


def _csv_text(rows: list[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()


def _cells(body: Mapping[str, Any]) -> list[str]:
    return [harmless(_cell(body[column])) for column in COLUMNS]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def harmless(cell: str) -> str:
    """With a quote before it a spreadsheet shows a would-be formula as text."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
