"""Progressive deployments: their clocks, and a kill before every write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from deployments import services
from deployments.engine.runner import Outcome, tick
from deployments.models import Deployment, Target
from deployments.targets.base import Failed, Running, StepResult, Succeeded, Work
from tests import factories
from tests.engine.conftest import Crew, ScriptedTarget
from tests.engine.test_crash_points import Killed, assert_told_once, killed_before

CANARY = {"type": "canary", "steps": [{"weight": 10}, {"weight": 50}]}
PARTS = 3
# The two longer ways are killed before every second write.
EVERY_SECOND = 2 * PARTS


@dataclass
class ProgressiveTarget(ScriptedTarget):
    """`moves` are the real changes: of the canary's weight, of who serves, of what is removed."""

    canary: tuple[str, int] | None = None
    serving: str = ""
    moves: list[str] = field(default_factory=list)
    worst: int = 100

    def shift(self, work: Work, percent: int, *, checkpoint: Mapping[str, Any], now: datetime) -> StepResult:
        if percent == 0:
            if self.canary:
                self.canary = None
                self.moves.append("withdrawn")
            return self._answer("withdraw")
        if self.canary != (work.deployment_id, percent):
            self.canary = (work.deployment_id, percent)
            self.moves.append(f"{percent} %")
        return (
            Failed("CrashLoopBackOff", evidence={"pods": ["web-canary"]})
            if percent >= self.worst
            else self._answer("shift")
        )

    def switch(self, work: Work) -> StepResult:
        if self.serving != work.deployment_id:
            self.serving = work.deployment_id
            self.moves.append("switched")
        return self._answer("switch")

    def tidy(self, work: Work) -> StepResult:
        if self.canary:
            self.canary = None
            self.moves.append("tidied")
        return self._answer("tidy")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> ProgressiveTarget:
    scripted = ProgressiveTarget()
    monkeypatch.setattr("deployments.services.planning.get_target", lambda kind: scripted)
    monkeypatch.setattr("deployments.engine.switching.DRAIN_SECONDS", 0.0)
    return scripted


@pytest.fixture
def place(place: Target) -> Target:
    place.strategy = CANARY
    place.save()
    return place


def change(place: Target, strategy: Mapping[str, Any], **environment: Any) -> None:
    Target.objects.filter(pk=place.pk).update(strategy=strategy)
    place.environment.__class__.objects.filter(pk=place.environment_id).update(**environment)
    place.refresh_from_db()


def finish(crew: Crew, deployment: Deployment) -> Deployment:
    crew.run_all(rounds=30)
    deployment.refresh_from_db()
    return deployment


@pytest.mark.parametrize("part", range(PARTS))
def test_a_kill_at_any_write_ends_in_one_canary_and_one_release(
    crew: Crew, world: ProgressiveTarget, part: int
) -> None:
    for write in range(part + 1, 300, PARTS):
        world.moves.clear()
        deployment = crew.deploy(f"1.0.{write}")
        killed = False
        try:
            with killed_before(write):
                crew.run_all(rounds=30)
        except Killed:
            killed = True
        finish(crew, deployment)

        assert deployment.status == "succeeded", write
        assert world.moves == ["10 %", "50 %", "tidied"], write
        assert_told_once(deployment)
        if not killed:
            break
    assert write > 40, "the kill must have met every write of the whole run"


@pytest.mark.parametrize("part", range(PARTS))
def test_a_kill_at_any_write_of_a_failing_canary_leaves_none(crew: Crew, world: ProgressiveTarget, part: int) -> None:
    finish(crew, crew.deploy("1.0.0"))
    world.worst = 50
    for write in range(part + 1, 300, EVERY_SECOND):
        world.moves.clear()
        world.changes.clear()
        deployment = crew.deploy(f"2.0.{write}")
        killed = False
        try:
            with killed_before(write):
                crew.run_all(rounds=30)
        except Killed:
            killed = True
        finish(crew, deployment)

        assert deployment.status == "rolled_back", write
        assert deployment.evidence == {"pods": ["web-canary"]}
        assert world.moves == ["10 %", "50 %", "withdrawn"], write
        # Only the rollback applied anything, and that was what ran already.
        assert world.changes == ["1.0.0"]
        assert_told_once(deployment)
        if not killed:
            break
    assert write > 40


@pytest.mark.parametrize("part", range(PARTS))
def test_a_kill_at_any_write_switches_once(crew: Crew, world: ProgressiveTarget, place: Target, part: int) -> None:
    change(place, {"type": "blue_green"})
    for write in range(part + 1, 300, EVERY_SECOND):
        world.moves.clear()
        deployment = crew.deploy(f"1.0.{write}")
        killed = False
        try:
            with killed_before(write):
                crew.run_all(rounds=30)
        except Killed:
            killed = True
        finish(crew, deployment)

        assert deployment.status == "succeeded", write
        assert world.moves == ["switched"], write
        if not killed:
            break
    assert write > 35


def test_the_traffic_goes_before_the_deployment_fails(crew: Crew, world: ProgressiveTarget, place: Target) -> None:
    change(place, CANARY, auto_rollback=False)
    finish(crew, crew.deploy("1.0.0"))
    world.worst, world.answers["withdraw"] = 10, [Running("The traffic goes", 0.0), Succeeded("gone")]
    bad = crew.deploy("2.0.0")
    for _ in range(2):
        crew.wait(bad)
        tick(bad.pk)
        bad.refresh_from_db()
        assert bad.status == "in_progress"
    assert finish(crew, bad).error_message == "CrashLoopBackOff"
    assert (bad.status, world.canary) == ("failed", None)


def test_a_cancelled_canary_goes_even_if_nothing_was_written_down_of_it(
    crew: Crew, world: ProgressiveTarget, place: Target
) -> None:
    change(place, CANARY, auto_rollback=False)
    finish(crew, crew.deploy("1.0.0"))
    world.answers["shift"] = [KeyError("killed right after it was brought")]
    deployment = crew.run(crew.deploy("2.0.0"))
    assert world.canary is not None
    services.cancel_deployment(actor=factories.actor(crew.deployer), deployment=deployment)
    assert finish(crew, deployment).status == "cancelled"
    assert world.canary is None


class Watch:
    """Ticks one deployment by a clock of its own."""

    def __init__(self, crew: Crew, deployment: Deployment) -> None:
        self.crew, self.deployment, self.now = crew, deployment, timezone.now()

    def seconds(self, count: int, *, stride: int = 1) -> Deployment:
        for _ in range(0, count, stride):
            self.now += timedelta(seconds=stride)
            self.crew.wait(self.deployment)
            while tick(self.deployment.pk, clock=lambda: self.now) is Outcome.AGAIN:
                pass
        self.deployment.refresh_from_db()
        return self.deployment

    @property
    def message(self) -> str:
        return self.deployment.steps.get(name="canary").message


def test_a_pause_lasts_its_time_and_a_break_does_not_count(crew: Crew, world: ProgressiveTarget, place: Target) -> None:
    change(place, {"type": "canary", "steps": [{"weight": 20, "pause_seconds": 30}]})
    watch = Watch(crew, crew.deploy("1.0.0"))
    watch.seconds(11)
    assert watch.message == "Canary at 20 % and well; watched for another 20 s."
    who = factories.actor(crew.deployer)
    services.pause_deployment(actor=who, deployment=watch.deployment)
    watch.seconds(1)
    watch.seconds(1000, stride=50)
    assert watch.message == "Paused at 20 %. It goes on when somebody resumes it."
    services.resume_deployment(actor=who, deployment=watch.deployment)
    watch.seconds(2)
    assert watch.message == "Canary at 20 % and well; watched for another 18 s."
    assert watch.seconds(20).status == "succeeded"


def test_a_canary_that_never_gets_ready_fails_at_the_targets_time_out(
    crew: Crew, world: ProgressiveTarget, place: Target
) -> None:
    Target.objects.filter(pk=place.pk).update(timeout_seconds=20)
    finish(crew, crew.deploy("1.0.0"))
    world.answers["shift"] = [Running("Deployment web-canary: 0 of 1 ready.")]
    watch = Watch(crew, crew.deploy("2.0.0"))
    assert watch.seconds(20).status == "in_progress"
    assert watch.message == "Canary at 10 %: Deployment web-canary: 0 of 1 ready."
    assert "gave up after 20 s" in watch.seconds(3).error_message
    assert world.canary is None


def test_people_may_take_a_day(crew: Crew, world: ProgressiveTarget, place: Target) -> None:
    change(place, {"type": "canary", "steps": [{"weight": 20, "pause": "manual"}]})
    watch = Watch(crew, crew.deploy("1.0.0"))
    watch.seconds(1000, stride=50)
    assert watch.message == "Canary at 20 %: well, and waits for somebody to promote it."
    # A promotion that was pressed meanwhile counts once.
    services.promote_deployment(actor=factories.actor(crew.deployer), deployment=watch.deployment)
    assert watch.seconds(2).status == "succeeded"


def test_a_relapse_begins_the_pause_anew(crew: Crew, world: ProgressiveTarget, place: Target) -> None:
    change(place, {"type": "canary", "steps": [{"weight": 20, "pause_seconds": 10}]})
    watch = Watch(crew, crew.deploy("1.0.0"))
    watch.seconds(8)
    world.answers["shift"] = [Running("0 of 1 ready."), Succeeded("well")]
    watch.seconds(4)
    assert watch.message == "Canary at 20 % and well; watched for another 8 s."
    assert watch.seconds(9).status == "succeeded"
