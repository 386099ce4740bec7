"""Numbers the phases and times them."""

import contextlib
import time
from collections.abc import Iterator

from releasemgr.up.console import Console


class Progress:
    def __init__(self, console: Console, *, phases: int) -> None:
        self._console = console
        self._phases = phases
        self._current = 0

    @contextlib.contextmanager
    def phase(self, name: str, *, done: str = "ready") -> Iterator[None]:
        self._current += 1
        started_at = time.monotonic()
        self._console.begin(f"[{self._current}/{self._phases}] {name} … ")
        try:
            yield
        except BaseException:
            self._console.end("not done")
            raise
        self._console.end(f"{done} ({time.monotonic() - started_at:.1f} s)")
