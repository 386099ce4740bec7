"""A rollout sleeps longer while an observer provably follows it, and polls in every other case."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from deployments.models import Cluster, Deployment, Workload
from deployments.statuses import WorkloadPhase
from deployments.targets.base import Running
from tests.engine.conftest import Crew, ScriptedTarget

Sleep = Callable[[], float]


@pytest.fixture
def followed(crew: Crew, world: ScriptedTarget) -> Deployment:
    world.answers["rollout"] = [Running("On its way.")]
    deployment = crew.run(crew.deploy("1.0.0"))
    Cluster.objects.update(followed_at=Now())
    Workload.objects.update(phase=WorkloadPhase.MOVING, seen_at=Now())
    return deployment


@pytest.fixture
def sleep(crew: Crew, followed: Deployment) -> Sleep:
    """Seconds until it wakes by itself after the next pass."""

    def seconds() -> float:
        crew.wait(followed)
        crew.run(followed)
        assert followed.wake_at is not None
        return (followed.wake_at - timezone.now()).total_seconds()

    return seconds


def test_it_sleeps_long_while_it_is_followed(sleep: Sleep) -> None:
    assert 20 < sleep() <= 30


def test_it_polls_without_a_fresh_heartbeat(sleep: Sleep) -> None:
    Cluster.objects.update(followed_at=Now() - timedelta(seconds=11))
    assert sleep() <= 5
    Cluster.objects.update(followed_at=None)
    assert sleep() <= 5


@pytest.mark.parametrize("phase", [WorkloadPhase.SETTLED, WorkloadPhase.TROUBLED, WorkloadPhase.GONE])
def test_it_polls_where_it_should_have_been_done_already(sleep: Sleep, phase: WorkloadPhase) -> None:
    Workload.objects.update(phase=phase)
    assert sleep() <= 5


def test_it_polls_while_one_of_its_workloads_was_not_seen(sleep: Sleep, followed: Deployment) -> None:
    Workload.objects.create(
        deployment=followed, cluster=followed.target.cluster, namespace="default", kind="Job", name="migrate"
    )
    assert sleep() <= 5


def test_it_asks_when_it_said_so_itself(sleep: Sleep, world: ScriptedTarget) -> None:
    world.answers["rollout"] = [Running("A pod crashed; how long?", retry_after_seconds=1.5)]
    assert sleep() <= 1.5


def test_it_wakes_before_its_own_time_is_up(sleep: Sleep, followed: Deployment) -> None:
    followed.target.timeout_seconds = 12
    followed.target.save()
    assert 5 <= sleep() <= 12
