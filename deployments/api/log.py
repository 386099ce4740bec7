"""The log of a deployment as pages by id, or as plain text."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from deployments.models import LogLine
from deployments.serializers.deployments import LogLineOutput
from releasemgr.core.bodies import BIGINT

PAGE, MOST = 200, 1000


class PlainTextRenderer(BaseRenderer):
    """Takes part in the choice of the format; the text is put together below."""

    media_type = "text/plain"
    format = "txt"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return json.dumps(data).encode()


def read_window(request: Request) -> tuple[int, int]:
    """`after` and `limit` of the query. Raises ValidationError."""
    return (
        _number(request, "after", default=0, most=BIGINT - 1),
        max(1, min(_number(request, "limit", default=PAGE, most=BIGINT - 1), MOST)),
    )


def _number(request: Request, name: str, *, default: int, most: int) -> int:
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= most):
        raise ValidationError({name: ["A whole number, 0 or more."]})
    return int(text)


def log_body(request: Request, lines: QuerySet[LogLine], limit: int) -> dict[str, Any]:
    """`next` is the address of the lines that follow, null at the end; ask again with `after` to follow a log."""
    found = list(lines[: limit + 1])
    page, following = found[:limit], ""
    if len(found) > limit:
        query = request.query_params.copy()
        query["after"] = str(page[-1].pk)
        following = request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
    return {"results": LogLineOutput(page, many=True).data, "next": following or None}


def as_plain_text(lines: QuerySet[LogLine]) -> HttpResponse:
    return HttpResponse(_text_lines(lines), content_type="text/plain; charset=utf-8")


def _text_lines(lines: QuerySet[LogLine]) -> Iterator[str]:
    for line in lines.iterator(chunk_size=500):
        where = f" {line.step}" if line.step else ""
        yield f"{line.created_at:%Y-%m-%dT%H:%M:%SZ} {line.level}{where}: {printable(line.message)}\n"


def printable(text: str) -> str:
    """Without control characters: a terminal must not obey what a container wrote."""
    return "".join(character if character.isprintable() or character == "\t" else " " for character in text)
