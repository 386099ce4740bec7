"""The watch after a success: passes, fails once, ends early, and survives a kill at any line."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from audit.models import Event
from deployments import services
from deployments.engine import bake as engine
from deployments.models import Bake, Deployment, Measurement
from deployments.services.bakes import wake_due_bakes
from deployments.statuses import BakeStatus
from deployments.targets.base import Errored, StepResult, Succeeded, Work
from tests import factories
from tests.engine.conftest import Crew, ScriptedTarget
from tests.engine.racing import Racers
from tests.engine.scripted_checks import AWAY, BAD, GOOD, ScriptedChecks, check, checks, killed_at, undone

__all__ = ["checks"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def baking(crew: Crew, world: ScriptedTarget, checks: ScriptedChecks) -> Callable[[str], Bake]:
    """1.0.0 runs, and another version has just succeeded in an environment that bakes for a minute."""
    crew.run(crew.deploy("1.0.0"))
    environment = crew.place.environment
    environment.bake_seconds = 60
    environment.save()

    def start(version: str = "2.0.0") -> Bake:
        deployment = crew.run(crew.deploy(version))
        assert deployment.status == "succeeded", deployment.error_message
        check(crew.place, window_seconds=30) if not crew.place.application.checks.exists() else None
        return Bake.objects.get(deployment=deployment)

    return start


def watch(bake: Bake, *, since: datetime | None = None, most: int = 8) -> Bake:
    """Tick it every ten seconds."""
    since = since or bake.created_at
    for number in range(most):
        due(bake)
        engine.tick(bake.pk, clock=partial(later, since, number))
        bake.refresh_from_db()
        if bake.status != BakeStatus.WATCHING:
            break
    return bake


def later(since: datetime, number: int) -> datetime:
    return since + timedelta(seconds=10 * number)


def due(bake: Bake) -> None:
    past = Now() - timedelta(seconds=1)
    Bake.objects.filter(pk=bake.pk).update(wake_at=past, claimed_until=past)


def events(deployment: Deployment) -> list[str]:
    rows = Event.objects.filter(resource_id=str(deployment.pk), action__contains="bake").order_by("sequence")
    return list(rows.values_list("action", flat=True))


def test_it_passes_when_its_time_is_up(baking: Callable[[], Bake]) -> None:
    bake = watch(baking())

    assert (bake.status, bake.message) == ("passed", "Baked: nothing was wrong.")
    assert Measurement.objects.filter(deployment=bake.deployment, phase="bake", verdict="pass").count() == 7
    assert events(bake.deployment) == ["deployment.bake_started", "deployment.bake_passed"]


def test_a_failing_check_rolls_back_once_with_the_evidence(
    crew: Crew, baking: Callable[[], Bake], checks: ScriptedChecks
) -> None:
    bake = baking()
    checks.answers["errors"] = [GOOD, BAD]

    watch(bake)

    assert (bake.status, bake.message) == ("failed", "It failed while it baked. Check “errors”: 9 is not below 5.")
    assert bake.evidence["checks"][0]["log"] == ["a line"]
    rollback = bake.deployment.rollbacks.get()
    assert (rollback.automatic, rollback.release.version) == (True, "1.0.0")
    checks.answers["errors"] = [GOOD]
    crew.place.application.checks.update(window_seconds=0)
    crew.run_all()
    bake.deployment.refresh_from_db()
    assert bake.deployment.status == "rolled_back"
    assert not Bake.objects.filter(deployment=rollback).exists(), "a rollback does not bake"


def test_where_nothing_rolls_back_by_itself_it_only_says_so(
    crew: Crew, baking: Callable[[], Bake], checks: ScriptedChecks
) -> None:
    bake = baking()
    type(crew.place.environment).objects.update(auto_rollback=False)
    checks.answers["errors"] = [BAD]
    assert watch(bake).status == "failed"
    assert not bake.deployment.rollbacks.exists()


def test_a_provider_that_is_away_is_no_reason_to_roll_back(baking: Callable[[], Bake], checks: ScriptedChecks) -> None:
    bake = baking()
    checks.answers["errors"] = [AWAY]
    watch(bake, most=3)
    assert (bake.status, bake.message) == ("watching", "Check “errors”: Prometheus can't be reached.")
    watch(bake, since=bake.created_at + timedelta(seconds=30))
    assert bake.status == "passed"
    assert bake.message.startswith("Baked. At the end nobody could tell about some:")


def test_a_newer_deployment_ends_it_in_the_moment_it_starts(
    crew: Crew, baking: Callable[[], Bake], world: ScriptedTarget
) -> None:
    bake = baking()
    crew.place.application.checks.all().delete()
    newer = crew.run(crew.deploy("3.0.0"))
    bake.refresh_from_db()
    assert (bake.status, bake.message) == ("ended", "The deployment of 3.0.0 began before the time was up.")
    assert events(bake.deployment)[-1] == "deployment.bake_ended"
    assert Bake.objects.get(deployment=newer).status == "watching"


def test_a_person_who_rolls_back_is_not_followed_by_a_second_rollback(
    crew: Crew, baking: Callable[[], Bake], checks: ScriptedChecks
) -> None:
    bake = baking()
    services.rollback_deployment(
        actor=factories.actor(crew.deployer), deployment=bake.deployment, reason="Carts are empty"
    )
    checks.answers["errors"] = [BAD]
    watch(bake)
    assert bake.status == "failed"
    assert bake.deployment.rollbacks.count() == 1


def test_a_deployment_whose_gates_were_open_lets_the_rollback_go_first(
    crew: Crew, baking: Callable[[], Bake], checks: ScriptedChecks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bake fails between the gates' answer and the start: what was bad must not be brought back afterwards."""
    bake = baking()
    checks.answers["errors"] = [BAD]
    newer = crew.deploy("3.0.0")
    from deployments.engine import runner

    asked = runner.ask_gates

    def then_fails(deployment: Deployment, now: datetime) -> object:
        gates = asked(deployment, now)
        if deployment.pk == newer.pk and bake.status == BakeStatus.WATCHING:
            watch(bake)
        return gates

    monkeypatch.setattr(runner, "ask_gates", then_fails)
    crew.run(newer)

    assert (bake.status, newer.status) == ("failed", "pending")
    assert bake.deployment.rollbacks.get().status == "pending"


def test_what_a_strategy_kept_is_cleared_away_before_it_passes(
    baking: Callable[[], Bake], world: ScriptedTarget
) -> None:
    bake, cleared = baking(), []
    answers: list[StepResult] = [Errored("The cluster is away."), Succeeded("Gone.")]

    def tidy(work: Work) -> StepResult:
        cleared.append(work.deployment_id)
        return answers.pop(0)

    world.tidy = tidy  # type: ignore[attr-defined]
    Deployment.objects.filter(pk=bake.deployment_id).update(strategy={"type": "blue_green"})

    watch(bake, since=bake.until, most=1)
    assert (bake.status, bake.message) == ("watching", "The cluster is away.")
    watch(bake, since=bake.until + timedelta(seconds=10), most=1)

    assert bake.status == "passed"
    assert cleared == [str(bake.deployment_id)] * 2


def test_a_dead_worker_s_bake_is_found_when_its_lease_has_run_out(baking: Callable[[], Bake]) -> None:
    bake = baking()
    Bake.objects.update(wake_at=Now() - timedelta(seconds=1), claimed_until=Now() + timedelta(seconds=5))
    assert wake_due_bakes() == 0
    Bake.objects.update(claimed_until=Now() - timedelta(seconds=1))
    assert wake_due_bakes() == 1
    assert bake.status == "watching"


@pytest.mark.parametrize("verdict", ["passed", "failed"])
def test_a_kill_at_any_write_ends_in_one_verdict(
    baking: Callable[[], Bake], checks: ScriptedChecks, verdict: str
) -> None:
    begun = baking()
    checks.answers["errors"] = [GOOD if verdict == "passed" else BAD]
    for write in range(1, 100):
        with undone():
            bake = Bake.objects.select_related("deployment").get(pk=begun.pk)
            last = bake.until - timedelta(seconds=10)
            killed = killed_at(write, partial(watch, bake, since=last))
            watch(bake, since=last)

            assert bake.status == verdict, write
            assert len(events(bake.deployment)) == 2
            assert bake.deployment.rollbacks.count() == (verdict == "failed")
        if not killed:
            break
    assert write > 10


@pytest.mark.django_db(transaction=True)
def test_of_eight_workers_one_rolls_back(
    crew: Crew, baking: Callable[[], Bake], checks: ScriptedChecks, racers: Racers
) -> None:
    bake = baking()
    checks.answers["errors"] = [BAD]
    for _ in range(5):
        due(bake)
        racers.race([partial(engine.tick, bake.pk, clock=timezone.now)] * racers.size)
    bake.refresh_from_db()
    assert bake.status == "failed"
    assert bake.deployment.rollbacks.count() == 1
    assert len(checks.asked) == 1
