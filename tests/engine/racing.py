"""Threads with a database connection each, let go by one barrier: the worst timing, on purpose."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from django.db import connection

from releasemgr.core.errors import DomainError

SECONDS = 20.0


class Racers:
    """`size` threads that keep their connections from round to round."""

    def __init__(self, size: int = 8) -> None:
        self.size = size
        self._pool = ThreadPoolExecutor(size)
        self.race([_connect] * size)

    def race(self, attempts: Sequence[Callable[[], Any]]) -> list[Any]:
        """What each attempt returned, or the DomainError that it met. Anything else that is raised fails the test."""
        barrier = threading.Barrier(len(attempts))
        return [future.result(SECONDS) for future in [self._pool.submit(_run, barrier, each) for each in attempts]]

    def start(self, attempt: Callable[[], Any]) -> "Future[Any]":
        return self._pool.submit(attempt)

    def end(self) -> None:
        """Each thread closes its own connection: the barrier gives every one of them exactly one call."""
        self.race([_disconnect] * self.size)
        self._pool.shutdown()


def _connect() -> None:
    connection.ensure_connection()


def _disconnect() -> None:
    connection.close()


def _run(barrier: threading.Barrier, attempt: Callable[[], Any]) -> Any:
    barrier.wait(SECONDS)
    try:
        return attempt()
    except DomainError as refusal:
        return refusal


def winners(results: Iterable[Any]) -> list[Any]:
    return [result for result in results if not isinstance(result, DomainError)]


def refusals(results: Iterable[Any]) -> "Counter[str]":
    """How often each code was met."""
    return Counter(result.code for result in results if isinstance(result, DomainError))
