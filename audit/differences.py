"""What an event changed, cut into parts that a person can compare."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# Longer values are shown as a diff of their lines.
SHORT = 80


@dataclass(frozen=True)
class Difference:
    """`field` is a path such as "artifacts.images.app"; an absent value is the empty text."""

    field: str
    before: str
    after: str

    @property
    def is_long(self) -> bool:
        return any("\n" in text or len(text) > SHORT for text in (self.before, self.after))


def differences(changes: Mapping[str, Any]) -> list[Difference]:
    """`changes` is {field: [before, after]}; objects are compared part by part, and only what differs is returned."""
    return [each for field, (before, after) in changes.items() for each in _compare(field, before, after)]


def _compare(field: str, before: Any, after: Any) -> Iterator[Difference]:
    if before == after:
        return
    if isinstance(before or {}, Mapping) and isinstance(after or {}, Mapping) and (before or after):
        before, after = before or {}, after or {}
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _compare(f"{field}.{key}", before.get(key), after.get(key))
    else:
        yield Difference(field, _text(before), _text(after))


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
