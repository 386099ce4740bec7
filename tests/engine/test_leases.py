"""Who may work on a deployment, when workers freeze, die and wake up again."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from audit.models import Event
from deployments.engine import claims
from deployments.engine.runner import Outcome, tick
from deployments.models import Deployment
from deployments.services.waking import wake
from deployments.targets.base import Running, StepResult, Succeeded
from tests.engine.conftest import Crew, ScriptedTarget
from tests.engine.racing import SECONDS, Racers

pytestmark = pytest.mark.django_db(transaction=True)
LEASE = 0.4


@pytest.fixture(autouse=True)
def _leases_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "LEASE", timedelta(seconds=LEASE))


@pytest.fixture
def frozen_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process (a long pause, a suspended machine) renews nothing."""
    monkeypatch.setattr(claims, "_renew", lambda claim, done: None)


class Pause:
    """The world's apply waits in here the first time it is called."""

    def __init__(self, world: ScriptedTarget, step: str) -> None:
        self.entered, self.go_on = threading.Event(), threading.Event()
        self._answer, self._step = world._answer, step
        world._answer = self  # type: ignore[method-assign,assignment]

    def __call__(self, step: str) -> StepResult:
        answer = self._answer(step)
        if step == self._step and not self.entered.is_set():
            self.entered.set()
            assert self.go_on.wait(SECONDS)
        return answer


@contextmanager
def held_by_another_worker(racers: Racers, deployment: Deployment, pause: Pause) -> Iterator["Future[Any]"]:
    """Inside, another worker is in the middle of the step; afterwards it goes on, and has ended."""

    def work() -> Outcome:
        outcome = Outcome.AGAIN
        while outcome is Outcome.AGAIN and not pause.go_on.is_set():
            outcome = tick(deployment.pk)
        return outcome

    running = racers.start(work)
    assert pause.entered.wait(SECONDS)
    try:
        yield running
    finally:
        pause.go_on.set()
        running.result(SECONDS)


def rows_of(deployment: Deployment) -> list[Any]:
    return [
        Deployment.objects.filter(pk=deployment.pk).values(),
        deployment.steps.order_by("position").values(),
        deployment.log.order_by("id").values(),
        Event.objects.filter(resource_id=str(deployment.pk)).order_by("sequence").values(),
    ]


def until_the_lease_is_over() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [LEASE + 0.1])


@pytest.mark.parametrize("step", ["preflight", "apply", "rollout"])
def test_a_worker_that_wakes_up_after_its_lease_writes_nothing(
    crew: Crew, world: ScriptedTarget, racers: Racers, frozen_workers: None, step: str
) -> None:
    deployment, pause = crew.deploy("1.0.0"), Pause(world, step)
    with held_by_another_worker(racers, deployment, pause) as zombie:
        until_the_lease_is_over()
        assert crew.run(deployment).status == "succeeded"
        before = [list(rows) for rows in rows_of(deployment)]

    assert zombie.result() is Outcome.LEFT
    assert [list(rows) for rows in rows_of(deployment)] == before
    assert world.changes == ["1.0.0"]


def test_a_zombies_verdict_does_not_fail_what_another_worker_finished(
    crew: Crew, world: ScriptedTarget, racers: Racers, frozen_workers: None
) -> None:
    crew.run(crew.deploy("1.0.0"))
    world.answers["rollout"] = [Running("what the zombie saw"), Succeeded("2 of 2")]
    deployment, pause = crew.deploy("2.0.0"), Pause(world, "rollout")
    with held_by_another_worker(racers, deployment, pause):
        until_the_lease_is_over()
        crew.run(deployment)

    deployment.refresh_from_db()
    assert deployment.status == "succeeded"
    assert deployment.rollbacks.count() == 0
    assert "zombie" not in deployment.steps.get(name="rollout").message


def test_a_long_step_keeps_its_lease(crew: Crew, world: ScriptedTarget, racers: Racers) -> None:
    deployment, pause = crew.deploy("1.0.0"), Pause(world, "apply")
    with held_by_another_worker(racers, deployment, pause):
        for _ in range(3):
            until_the_lease_is_over()
            assert tick(deployment.pk) is Outcome.LEFT
            assert wake_is_left_to_the_holder(deployment)

    assert crew.run(deployment).status == "succeeded"
    assert world.calls.count("apply") == 1


def wake_is_left_to_the_holder(deployment: Deployment) -> bool:
    deployment.refresh_from_db(fields=["claimed_until", "claim_token"])
    return deployment.claim_token is not None and deployment.claimed_until is not None


def test_a_wake_up_during_a_tick_is_not_lost(crew: Crew, world: ScriptedTarget, racers: Racers) -> None:
    world.answers["rollout"] = [Running("1 of 2", retry_after_seconds=3600), Succeeded("2 of 2")]
    deployment, pause = crew.deploy("1.0.0"), Pause(world, "rollout")
    with held_by_another_worker(racers, deployment, pause) as holder:
        wake(deployment.pk)

    assert holder.result() is Outcome.AGAIN, "it looks again at once instead of sleeping for an hour"
    assert crew.run(deployment).status == "succeeded"


def test_without_a_wake_up_the_timer_stands(crew: Crew, world: ScriptedTarget, racers: Racers) -> None:
    world.answers["rollout"] = [Running("1 of 2", retry_after_seconds=3600)]
    deployment, pause = crew.deploy("1.0.0"), Pause(world, "rollout")
    with held_by_another_worker(racers, deployment, pause) as holder:
        pass

    assert holder.result() is Outcome.ASLEEP
    assert tick(deployment.pk) is Outcome.LEFT
