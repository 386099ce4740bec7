"""Several questions to a cluster at once."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from deployments.targets.kubernetes.wire.errors import ClusterError, Unavailable

Item = TypeVar("Item")
Answer = TypeVar("Answer")
PARALLEL_REQUESTS = 8
# Each request ends much sooner by itself.
LONGEST_SECONDS = 3600.0
TOO_LATE = "The cluster did not answer in time. Try again."


@dataclass
class Inquiry:
    """For a person who waits: asks at most `seconds` in all.

    What takes longer is left to end by itself, and its answer is Unavailable.
    """

    seconds: float
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(PARALLEL_REQUESTS, thread_name_prefix="compare"), repr=False
    )

    def __post_init__(self) -> None:
        self._ends = time.monotonic() + self.seconds

    def __enter__(self) -> "Inquiry":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def ask(self, call: Callable[[], Answer]) -> Answer:
        """Raises what `call` raises, and Unavailable when time runs out."""
        (answer,) = self.ask_all(lambda _: call(), [None])
        if isinstance(answer, ClusterError):
            raise answer
        return answer

    def ask_all(self, call: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer | ClusterError]:
        """The answers in order; a ClusterError takes the place of its answer. Other exceptions are raised."""

        def attempt(item: Item) -> Answer | ClusterError:
            try:
                return call(item)
            except ClusterError as error:
                return error

        return [self._in_time(pending) for pending in [self._pool.submit(attempt, item) for item in items]]

    def _in_time(self, pending: Future[Answer]) -> Answer | Unavailable:
        try:
            return pending.result(timeout=max(0.0, self._ends - time.monotonic()))
        except TimeoutError:
            return Unavailable(TOO_LATE)


def parallel(call: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer | ClusterError]:
    """The answers in order, as long as each takes; a ClusterError takes the place of its answer."""
    with Inquiry(seconds=LONGEST_SECONDS) as inquiry:
        return inquiry.ask_all(call, items)
