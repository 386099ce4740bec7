"""The verify step with checks: what they say decides, and every answer is written down once."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from deployments.models import Deployment, Measurement
from deployments.services.checks import delete_check
from deployments.targets.base import Failed, Running, Succeeded
from tests import factories
from tests.engine.conftest import Crew, ScriptedTarget
from tests.engine.scripted_checks import (
    AWAY,
    BAD,
    GOOD,
    NOTHING,
    ScriptedChecks,
    check,
    checks,
    killed_at,
    undone,
)

__all__ = ["checks"]
pytestmark = pytest.mark.django_db

Watch = Callable[..., Deployment]


@pytest.fixture
def watch(crew: Crew) -> Watch:
    """Deploy, and tick every ten seconds until it has ended."""

    def start(version: str = "2.0.0", *, most: int = 30) -> Deployment:
        deployment = crew.deploy(version)
        return follow(crew, deployment, timezone.now(), most)

    return start


def follow(crew: Crew, deployment: Deployment, since: datetime, most: int = 30) -> Deployment:
    for number in range(most):
        crew.wait(deployment)
        crew.run(deployment, at=since + timedelta(seconds=10 * number))
        if not deployment.is_open:
            break
    return deployment


def measured(deployment: Deployment) -> list[tuple[str, str]]:
    return list(Measurement.objects.filter(deployment=deployment).order_by("id").values_list("name", "verdict"))


def test_without_checks_nothing_is_asked_and_it_costs_one_query(
    crew: Crew, world: ScriptedTarget, checks: ScriptedChecks
) -> None:
    assert crew.run(crew.deploy("2.0.0")).status == "succeeded"
    assert (checks.asked, world.calls) == ([], ["preflight", "apply", "rollout"])


def test_every_check_is_asked_for_its_window_and_then_it_succeeds(
    crew: Crew, world: ScriptedTarget, checks: ScriptedChecks, watch: Watch
) -> None:
    check(crew.place, "errors")
    check(crew.place, "smoke", window_seconds=0)

    deployment = watch()

    assert deployment.status == "succeeded"
    assert deployment.steps.get(name="verify").message == "2 checks passed."
    assert measured(deployment) == [("errors", "pass"), ("smoke", "pass")] + [("errors", "pass")] * 3
    subjects = [subject for name, subject in checks.asked if name == "errors"]
    assert [subject.run for subject in subjects] == [0, 1, 2, 3]
    assert (subjects[0].version, subjects[0].phase, subjects[0].window_seconds) == ("2.0.0", "verify", 30)


def test_a_failing_check_fails_it_with_evidence_and_rolls_back_by_the_same_checks(
    crew: Crew, world: ScriptedTarget, checks: ScriptedChecks, watch: Watch
) -> None:
    crew.run(crew.deploy("1.0.0"))
    check(crew.place)
    checks.answers["errors"] = [GOOD, BAD, GOOD]

    bad = watch()

    assert (bad.status, bad.error_message) == ("failed", "Check “errors”: 9 is not below 5.")
    [told] = bad.evidence["checks"]
    assert (told["verdict"], told["failures"], told["log"]) == ("failed", 1, ["a line"])
    rollback = follow(crew, bad.rollbacks.get(), timezone.now())
    assert (rollback.status, rollback.release.version) == ("succeeded", "1.0.0")
    assert measured(rollback) == [("errors", "pass")] * 4


def test_a_provider_that_is_away_holds_it_and_then_leaves_it_in_doubt(
    crew: Crew, world: ScriptedTarget, checks: ScriptedChecks, watch: Watch
) -> None:
    crew.run(crew.deploy("1.0.0"))
    check(crew.place)
    checks.answers["errors"] = [AWAY]

    held = watch(most=6)
    assert held.status == "in_progress"
    assert held.steps.get(name="verify").message.startswith("Held open, because nobody can tell yet.")
    doubtful = follow(crew, held, timezone.now() + timedelta(minutes=2))

    assert doubtful.status == "failed"
    assert doubtful.error_message.startswith("Nobody could tell whether 2.0.0 is healthy.")
    assert not doubtful.rollbacks.exists(), "nothing is known to be bad"


@pytest.mark.parametrize(
    ("rule", "status"), [("pass", "succeeded"), ("fail", "rolled_back"), ("inconclusive", "failed")]
)
def test_missing_data_means_what_the_check_says(
    crew: Crew, world: ScriptedTarget, checks: ScriptedChecks, watch: Watch, rule: str, status: str
) -> None:
    crew.run(crew.deploy("1.0.0"))
    check(crew.place, window_seconds=0, on_no_data=rule)
    checks.answers["errors"] = [NOTHING]
    deployment = watch()
    checks.answers["errors"] = [GOOD]
    for rollback in deployment.rollbacks.all():
        follow(crew, rollback, timezone.now())
    deployment.refresh_from_db()
    assert deployment.status == status


def test_a_relapse_starts_the_window_anew(
    crew: Crew, world: ScriptedTarget, checks: ScriptedChecks, watch: Watch
) -> None:
    check(crew.place, window_seconds=20)
    world.answers["rollout"] = [Succeeded("2 of 2"), Succeeded("2 of 2"), Running("1 of 2"), Succeeded("2 of 2")]

    deployment = watch()

    assert deployment.status == "succeeded"
    assert measured(deployment) == [("errors", "pass")] * (1 + 3)


def test_workloads_that_fall_over_fail_it_before_any_check(
    crew: Crew, world: ScriptedTarget, checks: ScriptedChecks, watch: Watch
) -> None:
    check(crew.place)
    world.answers["rollout"] = [Succeeded("2 of 2"), Failed("CrashLoopBackOff")]
    assert watch().error_message == "CrashLoopBackOff"
    assert checks.asked == []


def test_a_kill_at_any_write_counts_no_answer_twice(crew: Crew, world: ScriptedTarget, checks: ScriptedChecks) -> None:
    check(crew.place, window_seconds=20)
    world.answers["rollout"] = [Running("1 of 2"), Succeeded("2 of 2")]
    rolling, since = crew.run(crew.deploy("2.0.0")), timezone.now()
    for write in range(1, 100):
        with undone():
            deployment = Deployment.objects.get(pk=rolling.pk)
            killed = killed_at(write, lambda: follow(crew, deployment, since, most=3))  # noqa: B023 - called at once
            follow(crew, deployment, since)

            assert deployment.status == "succeeded", write
            assert measured(deployment) == [("errors", "pass")] * 3, write
        if not killed:
            break
    assert write > 12


def test_a_check_that_is_deleted_meanwhile_leaves_its_name(
    crew: Crew, world: ScriptedTarget, checks: ScriptedChecks, watch: Watch
) -> None:
    asked = check(crew.place, window_seconds=0)
    deployment = watch()
    delete_check(actor=factories.actor(factories.user("boss", role="admin")), check=asked)
    [row] = Measurement.objects.filter(deployment=deployment)
    assert (row.name, row.check_asked_id) == ("errors", None)
