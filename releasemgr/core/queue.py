"""Hands work to the task cluster; with `broker`, the only importer of django_q."""

from collections.abc import Iterable
from functools import partial
from uuid import UUID

from django.db import transaction
from django_q.brokers import get_broker
from django_q.conf import Conf
from django_q.tasks import async_task

from releasemgr.core.broker import PostgresBroker

Id = str | int | UUID


def enqueue(task: str, *ids: Id) -> None:
    """Run the function at dotted path `task` with `ids` in a worker once the open transaction commits.

    At least once (Redis: at most once); nothing is left after a rollback. A task that fails is not run again: the row
    it works on decides about retries. UUIDs arrive as text.
    """
    submit = partial(async_task, task, *plain(ids), ack_failure=True)
    if Conf.ORM:
        submit()
    else:
        # robust: the change is committed; a queue out of reach must not make it look failed.
        transaction.on_commit(submit, robust=True)


class Tray:
    """In a broker's place while tasks are made."""

    list_key = "tray"

    def __init__(self) -> None:
        self.tasks: list[str] = []

    def enqueue(self, task: str) -> int:
        self.tasks.append(task)
        return len(self.tasks)


def enqueue_all(task: str, ids: Iterable[Id]) -> None:
    """As `enqueue` for each id, in one round trip where PostgreSQL holds the queue."""
    broker = get_broker()
    if not isinstance(broker, PostgresBroker):
        for each in ids:
            enqueue(task, each)
        return
    tray = Tray()
    for each in plain(tuple(ids)):
        async_task(task, each, ack_failure=True, broker=tray)
    if tray.tasks:
        broker.enqueue_all(tray.tasks)


def waiting_tasks() -> int:
    """How many tasks are due and not yet fetched. Raises what the queue's client raises when it is out of reach."""
    return int(get_broker().queue_size())


def plain(ids: tuple[Id, ...]) -> list[str | int]:
    return [str(value) if isinstance(value, UUID) else value for value in ids]
