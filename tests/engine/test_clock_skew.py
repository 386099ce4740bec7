"""Workers whose clocks are wrong by an hour: the database's clock decides, and nothing ends for it."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from deployments.engine import claims
from deployments.engine.recovery import LOOK_HOLDS, clock_of, pause_after
from deployments.models import Deployment
from deployments.targets.base import Errored, Running, Succeeded
from tests.engine.conftest import Crew, ScriptedTarget

WRONG = [timedelta(hours=1), timedelta(hours=-1), timedelta(days=400)]


def run_elsewhere(crew: Crew, deployment: Deployment, wrong: timedelta) -> None:
    """By a worker whose clock is wrong."""
    crew.wait(deployment)
    with time_machine.travel(timezone.now() + wrong):
        crew.run(deployment)


@pytest.mark.parametrize("wrong", WRONG)
def test_no_time_out_comes_from_a_wrong_clock(crew: Crew, world: ScriptedTarget, wrong: timedelta) -> None:
    world.answers["rollout"] = [Running("1 of 2"), Running("1 of 2"), Running("1 of 2"), Succeeded("2 of 2")]
    deployment = crew.run(crew.deploy("1.0.0"))
    run_elsewhere(crew, deployment, wrong)
    run_elsewhere(crew, deployment, -wrong)
    assert deployment.status == "in_progress"

    run_elsewhere(crew, deployment, wrong)
    assert deployment.status == "succeeded"
    step = deployment.steps.get(name="rollout")
    assert step.started_at <= step.completed_at < timezone.now() + timedelta(seconds=1)


@pytest.mark.parametrize("wrong", WRONG)
def test_no_outage_ends_for_a_wrong_clock(crew: Crew, world: ScriptedTarget, wrong: timedelta) -> None:
    world.answers["rollout"] = [Errored("gone"), Errored("gone"), Errored("gone"), Succeeded("2 of 2")]
    deployment = crew.run(crew.deploy("1.0.0"))
    run_elsewhere(crew, deployment, wrong)
    run_elsewhere(crew, deployment, -wrong)
    assert (deployment.status, deployment.steps.get(name="rollout").attempts) == ("in_progress", 3)

    run_elsewhere(crew, deployment, wrong)
    assert deployment.status == "succeeded"


@pytest.mark.parametrize("wrong", WRONG)
def test_a_lease_is_not_stolen_by_a_wrong_clock(crew: Crew, world: ScriptedTarget, wrong: timedelta) -> None:
    deployment = crew.deploy("1.0.0")
    mine = claims.take(deployment.pk)
    with time_machine.travel(timezone.now() + wrong):
        assert mine is not None
        assert claims.take(deployment.pk) is None


def test_hours_without_any_worker_are_no_hours_of_the_rollout(crew: Crew, world: ScriptedTarget) -> None:
    world.answers["rollout"] = [Running("1 of 2")]
    began = timezone.now()
    deployment = crew.run(crew.deploy("1.0.0"), at=began)
    crew.wait(deployment)
    later = began + timedelta(hours=5)
    crew.run(deployment, at=later)

    assert deployment.status == "in_progress"
    assert clock_of(deployment.steps.get(name="rollout"), later) <= began + LOOK_HOLDS


def test_pauses_grow_to_half_a_minute_differ_and_heed_what_is_asked() -> None:
    for attempts, most in ((1, 1), (3, 4), (5, 16), (9, 30), (10_000, 30)):
        pauses = {pause_after(attempts, None).total_seconds() for _ in range(50)}
        assert most / 2 <= min(pauses) <= max(pauses) <= most
        assert len(pauses) > 25, "all that wait for one cluster must not come back at once"
    assert 45 <= pause_after(1, 45).total_seconds() <= 54
    assert pause_after(1, 86_400).total_seconds() <= 144
