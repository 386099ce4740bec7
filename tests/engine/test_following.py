"""Rows beside a cluster that never rests: through restarts, races, lost connections and lost rights."""

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from django.db import connection

from deployments.engine.following import recorder
from deployments.engine.following.rows import begin_to_follow
from deployments.models import Cluster, Deployment, Workload
from deployments.services.waking import wake_unheld
from deployments.statuses import DeploymentStatus, WorkloadPhase
from tests.bench import following
from tests.bench.generator import Server, World
from tests.bench.rollouts import STEPS, deployment_of
from tests.engine.test_database_faults import cut_all_other_connections
from tests.engine.test_observers import _observers_are_quick, observers, until

__all__ = ["_observers_are_quick"]
pytestmark = pytest.mark.django_db(transaction=True)
COUNT = 10


@pytest.fixture(autouse=True)
def _ended_rows_go_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "ENDED_SECONDS", 0.2)


@contextmanager
def serving(count: int) -> Iterator[Server]:
    server = Server(0, count)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def world() -> Iterator[World]:
    with serving(COUNT) as server:
        following.in_flight(f"http://127.0.0.1:{server.server_port}", COUNT)
        yield server.world


def move(world: World, events: int) -> None:
    for _ in range(events):
        for rollout in world.rollouts:
            world.move(rollout)


def rows_are_right(world: World) -> bool:
    return not following.stale_rows([rollout.row for rollout in world.rollouts])


def is_followed(since: float) -> bool:
    at = Cluster.objects.values_list("followed_at", flat=True).get()
    return at is not None and at.timestamp() > since


def test_rows_are_right_again_after_an_observer_died_in_the_middle(world: World) -> None:
    with observers(1):
        until(lambda: rows_are_right(world), "the rows do not say what the lists showed")
        move(world, 5)
        until(lambda: rows_are_right(world), "the rows do not follow")
    # Nobody looks: an event is in no watch.
    move(world, STEPS + 3)
    assert not rows_are_right(world)
    began = time.time()
    with observers(1):
        until(lambda: is_followed(began), "it is not followed again")
        assert rows_are_right(world)


def test_two_observers_and_ten_flapping_workloads(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[UUID] = []

    def counted(deployment_ids: Collection[UUID]) -> set[UUID]:
        woken.extend(deployment_ids)
        return wake_unheld(deployment_ids)

    monkeypatch.setattr(recorder, "wake_unheld", counted)
    with observers(2):
        until(lambda: rows_are_right(world), "the rows do not say what the lists showed")
        for _ in range(10):
            # Faster than anybody writes: some 25 events each, of which one settles and one begins anew.
            move(world, STEPS)
            time.sleep(0.03)
        until(lambda: rows_are_right(world), "the rows do not follow")
    # Of 2,500 events, at the most one wake-up for each workload and round of writing counts, not one for each event.
    assert 0 < len(woken) < 10 * STEPS * COUNT / 4


def test_lost_connections_to_the_database_lose_no_phase(world: World) -> None:
    with observers(1):
        until(lambda: rows_are_right(world), "the rows do not say what the lists showed")
        for _ in range(3):
            cut_all_other_connections()
            move(world, 7)
            time.sleep(0.1)
        until(lambda: rows_are_right(world), "the rows do not follow any more")
        # Also what is new afterwards is heard of: LISTEN was cut as well.
        cut_all_other_connections()
        Workload.objects.filter(deployment=deployment_of(3)).delete()
        begin_to_follow(
            Deployment.objects.select_related("target").get(pk=deployment_of(3)),
            [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web-3"}}],
        )
        until(lambda: rows_are_right(world), "the new row is not followed")


def test_new_rows_are_followed_at_once_and_ended_ones_no_longer(world: World) -> None:
    deployment = Deployment.objects.select_related("target").get(pk=deployment_of(4))
    Workload.objects.filter(deployment=deployment).delete()
    began = time.time()
    with observers(1):
        until(lambda: is_followed(began), "nobody follows")
        time.sleep(0.2)
        objects = [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web-4"}}]
        begin_to_follow(deployment, [*objects, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}])
        asked = time.monotonic()
        until(lambda: rows_are_right(world), "the new row is not followed")
        assert time.monotonic() - asked < recorder.IDLE_SECONDS
        Deployment.objects.filter(pk=deployment.pk).update(status=DeploymentStatus.CANCELLED)
        until(lambda: not Workload.objects.filter(deployment=deployment).exists(), "the ended row stays")


def test_a_held_deployment_keeps_no_other_from_its_phase_and_is_woken_when_it_is_free(world: World) -> None:
    Deployment.objects.update(wake_at=None)
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        from django.db import transaction

        with transaction.atomic():
            list(Deployment.objects.select_for_update().filter(pk=deployment_of(0)))
            held.set()
            free.wait(20)
        connection.close()

    with observers(1):
        until(lambda: rows_are_right(world), "the rows do not say what the lists showed")
        holder = threading.Thread(target=hold)
        holder.start()
        held.wait(5)
        while world.rollouts[0].row[0] != WorkloadPhase.SETTLED:
            move(world, 1)
        until(lambda: rows_are_right(world), "one held deployment stops them all")
        assert Deployment.objects.get(pk=deployment_of(0)).wake_at is None
        free.set()
        holder.join()
        until(lambda: Deployment.objects.get(pk=deployment_of(0)).wake_at is not None, "it was forgotten")


def test_a_cluster_that_is_not_followed_is_vouched_for_by_nobody(world: World) -> None:
    began = time.time()
    with observers(1):
        until(lambda: is_followed(began), "nobody follows")
    assert Cluster.objects.get().followed_at is None
