"""What JSON, PostgreSQL and Kubernetes can all hold. Pure."""

import math
from collections.abc import Iterable
from typing import Any
from uuid import UUID

MAX_DEPTH = 40


def is_plain(value: Any, depth: int = MAX_DEPTH) -> bool:
    """Text keys, plain values, at most `depth` levels; no NaN, no NUL and no half of a surrogate pair."""
    if depth < 0:
        return False
    if isinstance(value, dict):
        return all(is_storable(key) and is_plain(item, depth - 1) for key, item in value.items())
    if isinstance(value, list):
        return all(is_plain(item, depth - 1) for item in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, int) or is_storable(value)


def is_storable(value: Any) -> bool:
    """Text that PostgreSQL can hold."""
    return isinstance(value, str) and "\x00" not in value and is_unicode(value)


def are_storable(texts: Iterable[str]) -> bool:
    return all(is_storable(text) for text in texts)


def is_unicode(text: str) -> bool:
    """False for text with half of a surrogate pair, which JSON escapes can smuggle in and UTF-8 cannot write."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_uuid(text: str) -> UUID | None:
    """None for what is no UUID: an id in an address is user input."""
    try:
        return UUID(text)
    except ValueError:
        return None
