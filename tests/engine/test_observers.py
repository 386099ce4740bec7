"""The process that wakes deployments: who follows a cluster, and what happens when it dies."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import yaml
from django.db import connection
from django.db.models.functions import Now

from accounts.models import Team, User
from deployments import services
from deployments.engine import observer as observing
from deployments.engine.following import follower as following
from deployments.engine.observer import Observer
from deployments.engine.runner import Outcome, tick
from deployments.models import Cluster, Deployment
from deployments.sandbox.server import SandboxServer
from deployments.targets.kubernetes.following.watch import Stop
from tests import factories
from tests.engine.test_database_faults import cut_all_other_connections
from tests.sandbox.fixtures import sandbox_cluster

__all__ = ["sandbox_cluster"]
pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 30.0


@pytest.fixture(autouse=True)
def _observers_are_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "SWEEP_SECONDS", 0.05)
    monkeypatch.setattr(observing, "ROSTER_SECONDS", 0.2)


@pytest.fixture
def cluster(admin: User, sandbox_cluster: SandboxServer) -> Cluster:
    kubeconfig = yaml.safe_dump(sandbox_cluster.kubeconfig)
    return services.register_cluster(actor=factories.actor(admin), name="main", kubeconfig=kubeconfig)


class Running:
    """An observer in a thread; `end` frees its locks as the death of its process does."""

    def __init__(self) -> None:
        self.observer = Observer(threading.Event())
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.observer.run()
        finally:
            connection.close()

    def follows(self, cluster: Cluster) -> bool:
        return cluster.pk in self.observer.followers

    def end(self) -> None:
        self.observer.stop.set()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


@contextmanager
def observers(count: int) -> Iterator[list[Running]]:
    running = [Running() for _ in range(count)]
    try:
        yield running
    finally:
        for each in running:
            each.end()


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def test_of_two_observers_one_follows_a_cluster_and_the_other_takes_over(cluster: Cluster) -> None:
    with observers(2) as both:
        until(lambda: any(each.follows(cluster) for each in both), "nobody follows the cluster")
        time.sleep(0.5)
        first = next(each for each in both if each.follows(cluster))
        second = next(each for each in both if each is not first)
        assert not second.follows(cluster)

        first.end()
        until(lambda: second.follows(cluster), "the second did not take over")


def test_an_observer_whose_connection_was_cut_gives_way_to_whoever_holds_the_lock(cluster: Cluster) -> None:
    with observers(2) as both:
        for _ in range(3):
            until(lambda: sum(each.follows(cluster) for each in both) == 1, "not exactly one follows")
            cut_all_other_connections()
            time.sleep(0.3)
        until(lambda: sum(each.follows(cluster) for each in both) == 1, "not exactly one follows at the end")


def test_one_unusable_cluster_keeps_nobody_from_following_the_others(cluster: Cluster) -> None:
    Cluster.objects.create(name="broken", kubeconfig="no: [kubeconfig", server="https://127.0.0.1:1")
    Cluster.objects.create(name="an-empty-one", kubeconfig="{}", server="https://127.0.0.1:1")
    with observers(1) as (only,):
        until(lambda: only.follows(cluster), "the good cluster is not followed")
        time.sleep(0.5)
        assert only.thread.is_alive()
    problem = Cluster.objects.get(name="broken").problem
    assert "kubeconfig" in problem


def test_a_change_in_the_cluster_wakes_the_deployment(
    cluster: Cluster, team: Team, deployer: User, approver: User
) -> None:
    """Its own timer is an hour away, so nothing but the watch can have woken it."""
    target = factories.target(factories.application(team), factories.environment(), cluster)
    release = factories.approved(deployer, approver, target.application)
    deployment = services.start_deployment(
        actor=factories.actor(deployer), release=release, environment=target.environment
    )
    with observers(1) as (only,):
        until(lambda: only.follows(cluster), "nobody follows the cluster")

        def is_over() -> bool:
            if tick(deployment.pk) is Outcome.ASLEEP:
                asleep = Deployment.objects.filter(pk=deployment.pk, wake_at__gt=Now())
                asleep.update(wake_at=Now() + timedelta(hours=1))
            deployment.refresh_from_db()
            return not deployment.is_open

        until(is_over, "nothing woke it")
    assert deployment.status == "succeeded"


def test_a_follower_whose_watch_broke_is_replaced(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, follow = [], following.follow

    def breaks_once(*args: Any, stop: Stop, **kwargs: Any) -> Any:
        if not broken:
            broken.append(stop)
            raise RuntimeError("a bug in one watch")
        return follow(*args, stop=stop, **kwargs)

    def is_replaced() -> bool:
        now = only.observer.followers.get(cluster.pk)
        return bool(broken) and now is not None and now.stop is not broken[0]

    monkeypatch.setattr(following, "follow", breaks_once)
    with observers(1) as (only,):
        until(is_replaced, "the follower was not replaced")


def test_a_cluster_whose_credentials_cannot_be_decrypted_keeps_nobody_from_following_the_others(
    cluster: Cluster,
) -> None:
    other = Cluster.objects.create(name="other", kubeconfig="{}", server="https://127.0.0.1:1")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE deployments_cluster SET kubeconfig = 'of another key' WHERE id = %s", [other.pk])
    with observers(1) as (only,):
        until(lambda: only.follows(cluster), "the good cluster is not followed")
        until(lambda: "ENCRYPTION_KEYS" in _problem(other), "nobody is told")
        assert only.thread.is_alive()


def _problem(cluster: Cluster) -> str:
    return str(Cluster.objects.values_list("problem", flat=True).get(pk=cluster.pk))


def test_a_watch_that_opens_while_its_observer_stops_is_ended_too() -> None:
    """Nobody would end it later, and the observer would wait for its silence."""

    class Opening:
        ended = False

        def shutdown(self) -> None:
            self.ended = True

        def close(self) -> None:
            """Let go of by the follower."""

    stop, response = Stop(), Opening()
    stop.set()
    with stop.reading(response):  # type: ignore[arg-type]
        assert response.ended
