import threading
from collections.abc import Iterator
from uuid import UUID

import pytest
from django.db import connection, transaction
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signals import post_execute_in_worker, pre_execute
from django_q.signing import SignedPackage

from releasemgr.core import queue
from releasemgr.core.broker import PostgresBroker
from releasemgr.core.queue import enqueue

pytestmark = pytest.mark.usefixtures("committing")

FOREVER = 60.0
MARK = "tests.core.cluster.mark"


@pytest.fixture
def brokers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[PostgresBroker]]:
    monkeypatch.setattr(Conf, "POLL", 0.01)
    brokers = [PostgresBroker(), PostgresBroker()]
    yield brokers
    for broker in brokers:
        if broker._listener:
            broker._listener.close()


@pytest.fixture
def broker(brokers: list[PostgresBroker]) -> PostgresBroker:
    return brokers[0]


def words(fetched: list) -> list[str]:
    return [SignedPackage.loads(payload)["args"][1] for _, payload in fetched]


def run(fetched: tuple) -> None:
    """What django-q2's worker and monitor do with a fetched task."""
    lease, payload = fetched
    task = SignedPackage.loads(payload) | {"ack_id": lease}
    pre_execute.send(sender="django_q", func=task["func"], task=task)
    task["func"](*task["args"], **task["kwargs"])
    post_execute_in_worker.send(sender="django_q", func=task["func"], task=task)
    if task["ack_id"]:
        PostgresBroker().acknowledge(task["ack_id"])


def let_leases_run_out() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_q_ormq SET lock = now() - interval '1 second'")


def cut_connections(purpose: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = %s",
            [f"releasemgr {purpose}"],
        )


def test_tasks_come_out_in_the_order_they_went_in(broker: PostgresBroker) -> None:
    for word in "abc":
        enqueue(MARK, "-", word)

    assert [word for _ in range(3) for word in words(broker.dequeue())] == ["a", "b", "c"]


def test_a_fetched_task_is_hidden_until_its_lease_runs_out(brokers: list[PostgresBroker]) -> None:
    enqueue(MARK, "-", "once")
    assert words(brokers[0].dequeue()) == ["once"]
    assert brokers[1].dequeue() == []

    let_leases_run_out()

    assert words(brokers[1].dequeue()) == ["once"]


def test_brokers_that_fetch_at_the_same_time_share_the_tasks_out(brokers: list[PostgresBroker]) -> None:
    for number in range(100):
        enqueue(MARK, "-", str(number))
    fetched: list[str] = []

    def fetch(broker: PostgresBroker) -> None:
        while tasks := broker.dequeue():
            fetched.extend(words(tasks))

    threads = [threading.Thread(target=fetch, args=[broker]) for broker in brokers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=FOREVER)

    assert sorted(fetched, key=int) == [str(number) for number in range(100)]


def test_nothing_is_left_of_a_task_after_a_rollback(broker: PostgresBroker) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        enqueue(MARK, "-", "never")
        raise ZeroDivisionError

    assert broker.dequeue() == []
    assert not OrmQ.objects.exists()


def test_a_waiting_broker_wakes_at_the_commit(broker: PostgresBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    broker.dequeue()
    monkeypatch.setattr(Conf, "POLL", FOREVER)
    waiting = threading.Thread(target=broker.dequeue, daemon=True)
    waiting.start()

    with transaction.atomic():
        enqueue(MARK, "-", "now")
        waiting.join(timeout=0.1)
        assert waiting.is_alive(), "woken before the commit"

    waiting.join(timeout=FOREVER / 3)
    assert not waiting.is_alive()
    assert words(broker.dequeue()) == ["now"]


def test_a_waiting_broker_wakes_when_a_lease_runs_out(
    brokers: list[PostgresBroker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Conf, "POLL", FOREVER)
    monkeypatch.setattr(Conf, "RETRY", 0.2)
    enqueue(MARK, "-", "again")
    assert words(brokers[0].dequeue()) == ["again"]
    # Nobody notifies of the end of a lease, and this broker listens only from now on.
    assert brokers[1].dequeue() == []

    assert words(brokers[1].dequeue()) == ["again"]


def test_a_broker_that_loses_its_connection_goes_on(broker: PostgresBroker) -> None:
    broker.dequeue()
    cut_connections("tasks")
    enqueue(MARK, "-", "after")

    assert broker.dequeue() == []
    assert words(broker.dequeue()) == ["after"]


def test_an_older_copy_of_a_task_is_dropped(brokers: list[PostgresBroker], tmp_path) -> None:
    marks = tmp_path / "marks"
    enqueue(MARK, str(marks), "once")
    (old,) = brokers[0].dequeue()
    let_leases_run_out()
    (new,) = brokers[1].dequeue()

    run(old)
    assert not marks.exists()
    assert OrmQ.objects.exists(), "the copy that did not run took the task away"
    run(new)
    assert len(marks.read_text().splitlines()) == 1
    assert not OrmQ.objects.exists()


def test_a_task_whose_lease_ran_out_unseen_still_runs(broker: PostgresBroker, tmp_path) -> None:
    enqueue(MARK, str(tmp_path / "marks"), "late")
    (task,) = broker.dequeue()
    lease, payload = task
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_q_ormq SET lock = now() - interval '1 second' RETURNING id, lock")
        lease = cursor.fetchone()

    run((lease, payload))

    assert (tmp_path / "marks").exists()


def test_a_task_runs_although_its_lease_cannot_be_taken(broker: PostgresBroker, tmp_path) -> None:
    enqueue(MARK, str(tmp_path / "marks"), "anyway")
    (task,) = broker.dequeue()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (own,) = cursor.fetchone()
    assert broker._listener is not None
    broker._listener.execute("SELECT pg_terminate_backend(%s, 5000)", [own])

    run(task)

    assert (tmp_path / "marks").exists()


def test_an_acknowledged_task_is_gone(broker: PostgresBroker) -> None:
    enqueue(MARK, "-", "done")
    ((lease, _),) = broker.dequeue()

    broker.acknowledge(lease)

    assert not OrmQ.objects.exists()


def test_a_queued_task_shows_its_function_and_plain_ids() -> None:
    enqueue("deployments.tasks.tick", UUID(int=7), 3)

    row = OrmQ.objects.get()
    assert row.func() == "deployments.tasks.tick"
    assert row.args() == ("00000000-0000-0000-0000-000000000007", 3)
    assert row.task["ack_failure"] is True


def test_with_another_broker_a_task_is_handed_over_after_the_commit_only(monkeypatch: pytest.MonkeyPatch) -> None:
    handed_over: list[str] = []
    monkeypatch.setattr(Conf, "ORM", None)
    monkeypatch.setattr(queue, "async_task", lambda task, *ids, **options: handed_over.append(ids[0]))

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        enqueue(MARK, "rolled back")
        raise ZeroDivisionError
    with transaction.atomic():
        enqueue(MARK, "committed")
        assert handed_over == []

    assert handed_over == ["committed"]
