"""Keeps a task cluster alive when one of its idle workers is killed.

Workers share one pipe. multiprocessing's `Queue.get` waits for the next task while it holds the readers' lock, so the
kill of an idle worker leaves that lock taken for ever and no worker of the cluster gets a task again.
"""

import time
from multiprocessing.connection import wait
from queue import Empty
from typing import Any

from django_q.queues import Queue

PAUSE_SECONDS = 0.001
original_get = Queue.get


def get(self: Any, block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002 - the signature is given
    if not block or timeout is not None:
        return original_get(self, block, timeout)
    while True:
        wait([self._reader])
        try:
            return original_get(self, block=False)
        except Empty:
            # Another worker was faster.
            time.sleep(PAUSE_SECONDS)


def install() -> None:
    Queue.get = get
