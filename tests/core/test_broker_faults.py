"""Two clusters of two workers each, and what happens to them."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import transaction
from django_q.models import Failure, OrmQ

from releasemgr.core.queue import enqueue
from tests.core.cluster import Cluster, is_alive, parent_of, processes_of, wait_for

pytestmark = [pytest.mark.usefixtures("committing"), pytest.mark.slow]

RETRY_SECONDS = 2


@pytest.fixture(scope="module")
def clusters(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Cluster]]:
    logs = tmp_path_factory.mktemp("clusters")
    options = {"workers": 2, "retry": RETRY_SECONDS, "timeout": -1, "guard_cycle": 0.2, "poll": 0.2}
    with Cluster(logs / "one.log", **options) as one, Cluster(logs / "two.log", **options) as two:
        yield [one, two]


@pytest.fixture
def marks(clusters: list[Cluster], tmp_path: Path) -> Path:
    path = tmp_path / "marks"
    path.touch()
    return path


def seen(marks: Path) -> list[str]:
    return [line.split()[0] for line in marks.read_text().splitlines()]


def queue_is_empty() -> bool:
    return not OrmQ.objects.exists()


def test_two_clusters_never_run_a_task_twice(marks: Path) -> None:
    with transaction.atomic():
        for number in range(120):
            enqueue("tests.core.cluster.mark", str(marks), str(number))

    wait_for(queue_is_empty)
    assert Counter(seen(marks)) == Counter(str(number) for number in range(120))


def test_a_task_enqueued_in_a_rolled_back_transaction_never_runs(marks: Path) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        enqueue("tests.core.cluster.mark", str(marks), "never")
        raise ZeroDivisionError
    enqueue("tests.core.cluster.mark", str(marks), "afterwards")

    wait_for(queue_is_empty)
    assert seen(marks) == ["afterwards"]


def test_a_failing_task_is_not_run_again(marks: Path) -> None:
    enqueue("tests.core.cluster.fail", str(marks), "fails")

    wait_for(queue_is_empty)
    assert seen(marks) == ["fails"]
    assert "as told" in Failure.objects.get().result


def test_long_tasks_run_once_and_a_killed_one_once_more(marks: Path) -> None:
    """More long tasks than workers: some wait inside a cluster until their lease runs out."""
    for number in range(6):
        enqueue("tests.core.cluster.work", str(marks), f"long{number}", RETRY_SECONDS + 0.5)
    first = wait_for(lambda: marks.read_text().splitlines())[0]
    word, pid = first.split()

    os.kill(int(pid), signal.SIGKILL)

    wait_for(queue_is_empty)
    starts = Counter(word for word in seen(marks) if not word.endswith("-end"))
    ends = Counter(word for word in seen(marks) if word.endswith("-end"))
    assert starts == Counter({f"long{number}": 1 for number in range(6)}) + Counter([word])
    assert ends == Counter(f"long{number}-end" for number in range(6))


def test_nothing_is_left_of_a_cluster_whose_watcher_was_killed(tmp_path: Path) -> None:
    options = {"workers": 2, "timeout": -1, "guard_cycle": 0.2, "poll": 0.2}
    with Cluster(tmp_path / "watched.log", **options) as cluster:
        workers = cluster.workers()
        watcher = parent_of(workers[0])
        pusher_and_all = [pid for pid in processes_of(cluster.process.pid) if pid != watcher]
        os.kill(watcher, signal.SIGKILL)
        wait_for(lambda: not any(map(is_alive, [*workers, *pusher_and_all])), seconds=15)


def test_a_cluster_goes_on_after_its_idle_workers_were_killed(clusters: list[Cluster], marks: Path) -> None:
    for cluster in clusters:
        for pid in cluster.workers():
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: len(cluster.workers()) == 2, seconds=10)  # noqa: B023 - called at once
    enqueue("tests.core.cluster.mark", str(marks), "still")

    wait_for(queue_is_empty)
    assert seen(marks) == ["still"]
