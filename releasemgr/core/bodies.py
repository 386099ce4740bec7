"""Request bodies, read with care: bounded, strict JSON, and nothing inside that a database cannot hold."""

import json
import math
from collections.abc import Mapping
from typing import IO, Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from releasemgr.core.errors import Invalid
from releasemgr.core.values import is_storable

# Deeper bodies than this exhaust the stack of whatever walks them; manifests travel as text and need less than ten.
MAX_DEPTH = 64
BIGINT = 2**63


def read_bounded(request: HttpRequest, *, limit: int) -> bytes:
    """The raw body, whether or not its length was announced. Raises RequestDataTooBig past `limit` bytes."""
    if not request._read_started:  # type: ignore[attr-defined]
        announced = str(request.META.get("CONTENT_LENGTH") or "0")
        if announced.isdecimal() and int(announced) > limit:
            raise RequestDataTooBig
        # Kept where Django and DRF look for it: `request.body` would read a chunked body without any bound.
        body = request.read(limit + 1)
        request._body = body
        request.META["CONTENT_LENGTH"] = str(len(body))
    raw = request.body
    if len(raw) > limit:
        raise RequestDataTooBig
    return raw


class StrictJSONParser(JSONParser):
    """JSON in UTF-8 (as RFC 8259 has it) without duplicate names or NaN. Raises ParseError."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return json.loads(stream.read().decode(), parse_constant=_refuse_constant, object_pairs_hook=_unique)
        except RecursionError:
            raise ParseError("It is nested too deeply.") from None
        except ValueError as exc:
            raise ParseError(str(exc)) from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"The name {name[:100]!a} occurs twice in one object.")
        found[name] = value
    return found


def require_object(data: Any) -> None:
    """Raises ParseError unless the body is a JSON object (or a form)."""
    if not isinstance(data, Mapping):
        raise ParseError("It must be an object: {…}.")


def require_storable(data: Any) -> None:
    """Walk the whole body. Raises Invalid for text or numbers that no field can hold, ParseError for absurd nesting."""
    waiting: list[tuple[str, Any, int]] = [("", data, 0)]
    while waiting:
        field, value, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise ParseError("It is nested too deeply.")
        if isinstance(value, Mapping):
            waiting.extend((field or str(name), each, depth + 1) for name, each in value.items())
            waiting.extend((field or str(name), name, depth + 1) for name in value)
        elif isinstance(value, list):
            waiting.extend((field, each, depth + 1) for each in value)
        else:
            _require_storable_value(field, value)


def _require_storable_value(field: str, value: Any) -> None:
    if isinstance(value, str) and not is_storable(value):
        raise _refused(field, "It contains a NUL or half a character (a lone surrogate), which cannot be stored.")
    if isinstance(value, int) and not -BIGINT <= value < BIGINT:
        raise _refused(field, "This number is too large.")
    if isinstance(value, float) and not math.isfinite(value):
        raise _refused(field, "This number is too large.")


def _refused(field: str, sentence: str) -> Invalid:
    name = field if is_storable(field) else "body"
    return Invalid(f"{name}: {sentence}", details={name: [sentence]})
