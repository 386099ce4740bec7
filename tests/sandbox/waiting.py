"""Waiting for what a cluster brings about in its own time."""

import time
from collections.abc import Callable


def eventually(holds: Callable[[], object], seconds: float = 5.0) -> bool:
    """Whether something comes to hold within the time; asked every 10 ms."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
