"""django-q2's task queue on PostgreSQL: a task starts milliseconds after the commit that enqueued it.

Delivery is at least once. The `lock` column is a lease: the cluster that fetches a row takes it for `retry` seconds,
the worker that starts the task takes it over and renews it while the task runs, and the row is deleted when the result
is in. A killed worker's lease runs out and the task runs again, so `retry` may be short however long a task takes.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from django.db import DatabaseError, connections
from django.dispatch import receiver
from django.utils.module_loading import import_string
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signals import post_execute_in_worker, pre_enqueue, pre_execute

from releasemgr.core import listen
from releasemgr.core.task_pipe import leave_if_orphaned

logger = logging.getLogger(__name__)

CHANNEL = "tasks"
TABLE = OrmQ._meta.db_table
# The database's clock throughout: those of the machines differ.
ENQUEUE = f"""
    WITH task AS (
        INSERT INTO {TABLE} (key, payload, lock) VALUES (%s, %s, now()) RETURNING id
    ) SELECT id, pg_notify(%s, '') FROM task"""  # noqa: S608
ENQUEUE_ALL = f"""
    WITH tasks AS (
        INSERT INTO {TABLE} (key, payload, lock) SELECT %s, unnest(%s::text[]), now() RETURNING id
    ), counted AS (SELECT count(*) FROM tasks) SELECT pg_notify(%s, '') FROM counted"""  # noqa: S608
FETCH = f"""
    UPDATE {TABLE} SET lock = clock_timestamp() + %s * interval '1 second' WHERE id IN (
        SELECT id FROM {TABLE} WHERE key = %s AND lock <= clock_timestamp() ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
    ) RETURNING id, lock, payload"""  # noqa: S608
NEXT_DUE = f"SELECT extract(epoch FROM min(lock) - clock_timestamp())::float FROM {TABLE} WHERE key = %s"  # noqa: S608
RENEW = f"""
    UPDATE {TABLE} SET lock = clock_timestamp() + %s * interval '1 second' WHERE id = %s AND lock = %s
    RETURNING lock"""  # noqa: S608

# Row and end of the lease: both together name one fetch, so that an older copy of the task is recognised.
Lease = tuple[int, datetime]


class PostgresBroker(ORM):  # type: ignore[misc]  # django-q2 has no types
    """Uses of `Q_CLUSTER`: `orm`, `retry`, `bulk`, and `poll`, the most seconds between two looks at the table."""

    _listener: psycopg.Connection | None = None
    _pause = listen.FIRST_PAUSE

    def enqueue(self, task: str) -> int:
        self.get_connection()
        with connections[Conf.ORM].cursor() as cursor:
            cursor.execute(ENQUEUE, [self.list_key or Conf.CLUSTER_NAME, task, CHANNEL])
            pk: int = cursor.fetchone()[0]
        return pk

    def enqueue_all(self, tasks: list[str]) -> None:
        """As `enqueue` for each, in one round trip."""
        self.get_connection()
        with connections[Conf.ORM].cursor() as cursor:
            cursor.execute(ENQUEUE_ALL, [self.list_key or Conf.CLUSTER_NAME, tasks, CHANNEL])

    def dequeue(self) -> list[tuple[Lease, str]]:
        """Due tasks; waits a while when there are none. Never raises: django-q2's pusher would stop for ten seconds."""
        leave_if_orphaned()
        try:
            if self._listener is None:
                self._listener = listen.connect(CHANNEL, Conf.ORM)
                self._pause = listen.FIRST_PAUSE
            tasks = self._fetch(self._listener)
            if not tasks:
                self._wait(self._listener)
        except psycopg.Error as error:
            self._reconnect_later(error)
            return []
        return tasks

    def acknowledge(self, task_id: Lease) -> None:
        self.delete(task_id[0])

    def fail(self, task_id: Lease) -> None:
        self.delete(task_id[0])

    def _fetch(self, listener: psycopg.Connection) -> list[tuple[Lease, str]]:
        rows = listener.execute(FETCH, [Conf.RETRY, self.list_key, Conf.BULK]).fetchall()
        return [((pk, lock), payload) for pk, lock, payload in sorted(rows)]

    def _wait(self, listener: psycopg.Connection) -> None:
        row = listener.execute(NEXT_DUE, [self.list_key]).fetchone()
        due = row[0] if row and row[0] is not None else Conf.POLL
        # Not at once for a due row: another cluster is fetching it this moment.
        for _ in listener.notifies(timeout=min(max(due, 0.01), Conf.POLL), stop_after=1):
            pass

    def _reconnect_later(self, error: psycopg.Error) -> None:
        logger.warning("Cannot fetch tasks from the database: %s; next attempt in %.1f s", error, self._pause)
        if self._listener:
            self._listener.close()
        self._listener = None
        time.sleep(self._pause)
        self._pause = min(self._pause * 2, listen.LONGEST_PAUSE)


class LeasedTask:
    """A task's function as it travels through the queue (pickled: moving this class strands the waiting tasks).

    A fetched task may wait inside a cluster until its lease runs out and another one has fetched it too. So a copy
    starts only if its own fetch is still the latest.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.lease: Lease | None = None
        self.is_stale = False

    def __str__(self) -> str:
        return self.path

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        function = import_string(self.path)
        if self.lease is None:
            return function(*args, **kwargs)
        with held(self.lease) as is_ours:
            self.is_stale = not is_ours
            return function(*args, **kwargs) if is_ours else None


@receiver(pre_enqueue)
def wrap(task: dict[str, Any], **kwargs: Any) -> None:
    if isinstance(task["func"], str):
        task["func"] = LeasedTask(task["func"])


@receiver(pre_execute)
def hand_over(func: Any, task: dict[str, Any], **kwargs: Any) -> None:
    if isinstance(func, LeasedTask):
        func.lease = task.get("ack_id")


@receiver(post_execute_in_worker)
def leave_to_the_later_fetch(func: Any, task: dict[str, Any], **kwargs: Any) -> None:
    """A copy that was dropped must not acknowledge: the row belongs to one that may not have run yet."""
    if isinstance(func, LeasedTask) and func.is_stale:
        task["ack_id"] = None


@contextmanager
def held(lease: Lease) -> Iterator[bool]:
    """Take the lease over and renew it every third of `retry`; False if a later fetch has it. Never raises."""
    try:
        with connections[Conf.ORM].cursor() as cursor:
            cursor.execute(RENEW, [Conf.RETRY, *lease])
            row = cursor.fetchone()
    except DatabaseError:
        # At least once: the function finds out for itself whether the database is there.
        logger.warning("Cannot take the lease of task %s; it may run twice", lease[0], exc_info=True)
        yield True
        return
    if row is None:
        logger.info("Task %s was fetched again meanwhile; this copy is dropped", lease[0])
        yield False
        return
    done = threading.Event()
    threading.Thread(target=renew_until, args=(done, (lease[0], row[0])), daemon=True).start()
    try:
        yield True
    finally:
        done.set()


def renew_until(done: threading.Event, lease: Lease) -> None:
    pause = Conf.RETRY / 3
    while not done.wait(pause):
        try:
            with psycopg.connect(**listen.parameters("lease", Conf.ORM)) as connection:
                row = connection.execute(RENEW, [Conf.RETRY, *lease]).fetchone()
        except psycopg.Error as error:
            logger.warning("Cannot renew the lease of task %s: %s", lease[0], error)
            pause = min(1.0, Conf.RETRY / 3)
            continue
        if row is None:
            return
        lease, pause = (lease[0], row[0]), Conf.RETRY / 3
