"""Keeps a task cluster alive when one of its idle workers is killed, and ends what is left when its watcher is.

Workers share one pipe. multiprocessing's `Queue.get` waits for the next task while it holds the readers' lock, so the
kill of an idle worker leaves that lock taken for ever and no worker of the cluster gets a task again. And the processes
of a cluster whose watcher was killed would go on without one, with the code of yesterday beside that of today.
"""

import multiprocessing
import os
import time
from multiprocessing.connection import wait
from queue import Empty
from typing import Any

from django_q.queues import Queue

PAUSE_SECONDS = 0.001
ORPHAN_SECONDS = 2.0
original_get = Queue.get


def get(self: Any, block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002 - the signature is given
    if not block or timeout is not None:
        return original_get(self, block, timeout)
    while True:
        while not wait([self._reader], timeout=ORPHAN_SECONDS):
            leave_if_orphaned()
        try:
            return original_get(self, block=False)
        except Empty:
            # Another worker was faster.
            time.sleep(PAUSE_SECONDS)


def leave_if_orphaned() -> None:
    """Ends this process when the one that started it is gone. What it was doing is done by then, or done again."""
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:
        raise SystemExit("The process that watches this one is gone.")


def install() -> None:
    Queue.get = get
