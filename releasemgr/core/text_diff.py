"""A unified diff of two texts as numbered lines, ready for a page."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class DiffLine:
    kind: str  # added, removed, same or hunk
    old_number: int | None
    new_number: int | None
    text: str

    @property
    def sign(self) -> str:
        return {"added": "+", "removed": "-"}.get(self.kind, " ")


def unified(before: str, after: str) -> list[DiffLine]:
    """Unified diff with three lines around each change; the same text gives an empty list."""
    return list(_numbered(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3)))


def _numbered(lines: Iterator[str]) -> Iterator[DiffLine]:
    old = new = 0
    for index, line in enumerate(lines):
        if index < 2:  # the two file-name lines
            continue
        if hunk := re.match(r"@@ -(\d+)(?:,\d+)? \+(\d+)", line):
            old, new = int(hunk[1]), int(hunk[2])
            yield DiffLine("hunk", None, None, line)
        elif line[0] == "-":
            yield DiffLine("removed", old, None, line[1:])
            old += 1
        elif line[0] == "+":
            yield DiffLine("added", None, new, line[1:])
            new += 1
        else:
            yield DiffLine("same", old, new, line[1:])
            old, new = old + 1, new + 1
