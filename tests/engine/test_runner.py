"""One deployment through the engine, with a target that answers by script."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Team
from audit.models import Event
from deployments import services
from deployments.models import Deployment, Environment
from deployments.targets.base import Errored, Failed, InvalidContent, Running, Succeeded
from releasemgr.core.errors import WrongState
from releases.models import ApprovalRule
from tests import factories
from tests.engine.conftest import Crew, ScriptedTarget
from tests.factories import actor


def test_a_deployment_goes_through_its_plan_and_succeeds(crew: Crew, world: ScriptedTarget) -> None:
    deployment = crew.run(crew.deploy("1.0.0"))

    assert deployment.status == "succeeded"
    assert [step.status for step in deployment.steps.all()] == ["succeeded"] * 4
    assert world.calls == ["preflight", "apply", "rollout"]
    assert deployment.release.status == "released"
    assert Event.objects.filter(action="deployment.succeeded", resource_id=str(deployment.pk)).count() == 1


def test_a_running_step_sleeps_until_it_is_woken(crew: Crew, world: ScriptedTarget) -> None:
    world.answers["rollout"] = [Running("1 of 2 pods ready"), Succeeded("2 of 2 pods ready")]
    deployment = crew.run(crew.deploy("1.0.0"))
    assert deployment.status == "in_progress"
    assert deployment.steps.get(name="rollout").message == "1 of 2 pods ready"

    crew.run(deployment)
    assert world.calls.count("rollout") == 1, "its timer has not run out, so a second tick does nothing"

    crew.wait(deployment)
    assert crew.run(deployment).status == "succeeded"


def test_a_failure_brings_back_the_last_good_release(crew: Crew, world: ScriptedTarget) -> None:
    good = crew.run(crew.deploy("1.0.0"))
    world.answers["rollout"] = [Failed("ImagePullBackOff: registry.example/web:2.0.0"), Succeeded("back")]
    bad = crew.deploy("2.0.0")
    crew.run_all()

    bad.refresh_from_db()
    rollback = bad.rollbacks.get()
    assert bad.status == "rolled_back"
    assert bad.error_message == "ImagePullBackOff: registry.example/web:2.0.0"
    assert (rollback.kind, rollback.automatic, rollback.status) == ("rollback", True, "succeeded")
    assert rollback.release == good.release
    assert world.changes == ["1.0.0", "2.0.0", "1.0.0"]


def test_a_failed_rollback_is_never_rolled_back(crew: Crew, world: ScriptedTarget) -> None:
    crew.run(crew.deploy("1.0.0"))
    world.answers["rollout"] = [Failed("it is broken")]
    bad = crew.deploy("2.0.0")
    crew.run_all()

    assert Deployment.objects.count() == 3
    assert bad.rollbacks.get().status == "failed"
    bad.refresh_from_db()
    assert bad.status == "failed"


def test_a_failure_before_anything_was_touched_needs_no_rollback(crew: Crew, world: ScriptedTarget) -> None:
    crew.run(crew.deploy("1.0.0"))
    world.answers["preflight"] = [Failed("You may not patch deployments")]
    bad = crew.run(crew.deploy("2.0.0"))

    assert (bad.status, bad.rollbacks.count()) == ("failed", 0)
    assert bad.error_message == "You may not patch deployments"


def test_without_an_earlier_release_a_failure_stays_a_failure(crew: Crew, world: ScriptedTarget) -> None:
    world.answers["rollout"] = [Failed("it is broken")]
    bad = crew.run(crew.deploy("1.0.0"))

    assert (bad.status, bad.rollbacks.count()) == ("failed", 0)
    assert Event.objects.filter(action="deployment.rollback_not_possible").count() == 1


def test_a_breakage_is_tried_again_with_a_pause(crew: Crew, world: ScriptedTarget) -> None:
    world.answers["apply"] = [Errored("The cluster answers 503."), Succeeded("applied")]
    deployment = crew.run(crew.deploy("1.0.0"))
    step = deployment.steps.get(name="apply")
    assert (step.status, step.attempts) == ("running", 1)
    assert "Tries again in 1 s" in step.message

    crew.wait(deployment)
    assert crew.run(deployment).status == "succeeded"


def test_an_exception_in_a_step_is_a_breakage_and_shows_no_internals(crew: Crew, world: ScriptedTarget) -> None:
    world.answers["apply"] = [RuntimeError("token=secret"), Succeeded("applied")]
    deployment = crew.run(crew.deploy("1.0.0"))

    assert deployment.status == "in_progress"
    assert "secret" not in deployment.steps.get(name="apply").message


def test_a_rollout_that_never_ends_fails_with_what_was_seen_last(crew: Crew, world: ScriptedTarget) -> None:
    world.answers["rollout"] = [Running("Not ready: pod web-1")]
    deployment = crew.run(crew.deploy("1.0.0"))
    began = timezone.now()
    for seconds in range(0, 661, 60):
        crew.wait(deployment)
        crew.run(deployment, at=began + timedelta(seconds=seconds))

    assert deployment.status == "failed"
    assert deployment.error_message.startswith("Not ready: pod web-1 (gave up after 600 s")


def test_the_verify_step_watches_for_the_whole_window(crew: Crew, world: ScriptedTarget) -> None:
    crew.place.environment.verify_seconds = 10
    crew.place.environment.save()
    began = timezone.now()
    deployment = crew.run(crew.deploy("1.0.0"), at=began)
    assert deployment.steps.get(name="verify").message == "Healthy; watched for another 10 s."

    crew.wait(deployment)
    assert crew.run(deployment, at=began + timedelta(seconds=5)).status == "in_progress"
    crew.wait(deployment)
    assert crew.run(deployment, at=began + timedelta(seconds=10)).status == "succeeded"


def test_a_relapse_while_verifying_starts_the_window_anew(crew: Crew, world: ScriptedTarget) -> None:
    crew.place.environment.verify_seconds = 10
    crew.place.environment.save()
    healthy, relapse = Succeeded("ok"), Running("1 of 2 ready")
    world.answers["rollout"] = [healthy, healthy, relapse, healthy]
    began = timezone.now()
    deployment = crew.deploy("1.0.0")
    for seconds in (0, 5, 11):
        crew.run(deployment, at=began + timedelta(seconds=seconds))
        crew.wait(deployment)
    deployment.refresh_from_db()
    assert deployment.status == "in_progress"

    assert crew.run(deployment, at=began + timedelta(seconds=21)).status == "succeeded"


def test_a_second_deployment_waits_for_its_turn(crew: Crew, world: ScriptedTarget) -> None:
    world.answers["rollout"] = [Running("1 of 2"), Succeeded("2 of 2")]
    first = crew.run(crew.deploy("1.0.0"))
    second = crew.run(crew.deploy("2.0.0"))

    assert second.status == "pending"
    assert second.gates[-1]["sentence"] == "Waits for its turn: checkout 1.0.0 goes first."

    crew.wait(first)
    crew.run(first)
    assert crew.run(second).status == "succeeded", "the first one's end woke it"


def test_a_pending_deployment_is_cancelled_before_it_starts(crew: Crew, world: ScriptedTarget) -> None:
    deployment = crew.deploy("1.0.0")
    services.cancel_deployment(actor=actor(crew.deployer), deployment=deployment)
    deployment = crew.run(deployment)

    assert deployment.status == "cancelled"
    assert world.calls == []


def test_cancelling_half_way_brings_the_last_good_release_back(crew: Crew, world: ScriptedTarget) -> None:
    crew.run(crew.deploy("1.0.0"))
    world.answers["rollout"] = [Running("1 of 2"), Succeeded("2 of 2")]
    deployment = crew.run(crew.deploy("2.0.0"))
    services.cancel_deployment(actor=actor(crew.deployer), deployment=deployment)
    crew.run_all()

    deployment.refresh_from_db()
    assert deployment.status == "cancelled"
    assert deployment.rollbacks.get().status == "succeeded"
    assert world.changes == ["1.0.0", "2.0.0", "1.0.0"]


def test_a_person_rolls_back_with_a_reason(crew: Crew, world: ScriptedTarget) -> None:
    good = crew.run(crew.deploy("1.0.0"))
    bad = crew.run(crew.deploy("2.0.0"))
    rollback = services.rollback_deployment(actor=actor(crew.deployer), deployment=bad, reason="Carts are empty")
    crew.run_all()

    rollback.refresh_from_db()
    bad.refresh_from_db()
    assert (rollback.status, rollback.release, rollback.reason) == ("succeeded", good.release, "Carts are empty")
    assert bad.status == "rolled_back"


def test_rolling_back_a_running_deployment_cancels_it_first(crew: Crew, world: ScriptedTarget) -> None:
    crew.run(crew.deploy("1.0.0"))
    world.answers["rollout"] = [Running("1 of 2"), Succeeded("2 of 2")]
    bad = crew.run(crew.deploy("2.0.0"))
    services.rollback_deployment(actor=actor(crew.deployer), deployment=bad, reason="Carts are empty")
    crew.run_all()

    bad.refresh_from_db()
    assert bad.status == "cancelled"
    assert [each.status for each in bad.rollbacks.all()] == ["succeeded"]


def test_there_is_nothing_to_roll_back_to_after_the_first_deployment(crew: Crew, world: ScriptedTarget) -> None:
    only = crew.run(crew.deploy("1.0.0"))

    with pytest.raises(WrongState, match="no earlier release"):
        services.rollback_deployment(actor=actor(crew.deployer), deployment=only, reason="Carts are empty")


def test_whoever_asked_first_looks_first_when_both_were_woken(crew: Crew, world: ScriptedTarget, team: Team) -> None:
    """The earlier one was blocked when it looked last; what has changed since, it must see before it is overtaken."""
    development = factories.environment("development")
    first_stop = factories.target(crew.application, development, crew.place.cluster)
    Environment.objects.filter(pk=crew.place.environment_id).update(requires=development)
    crew.place.environment.refresh_from_db()
    old = [crew.deploy("1.0.0"), crew.deploy("2.0.0")]
    for deployment in old:
        crew.run(deployment)
    for deployment in old:
        crew.run(
            services.start_deployment(
                actor=actor(crew.deployer), release=deployment.release, environment=first_stop.environment
            )
        )

    crew.run(old[1])
    assert old[1].status == "pending", "the first one has not looked again yet"
    crew.run(old[0])
    crew.run(old[1])
    assert old[0].status == old[1].status == "succeeded"
    assert old[0].started_at < old[1].started_at


def test_a_blocked_deployment_lets_the_next_one_pass(crew: Crew, world: ScriptedTarget) -> None:
    rule = ApprovalRule.objects.create(environment=crew.place.environment)
    blocked = crew.run(crew.deploy("1.0.0"))
    assert blocked.gates[-1]["kind"] == "approval"

    passing = crew.deploy("2.0.0")
    services.approve_deployment(actor=actor(crew.approver), deployment=passing)
    assert crew.run(passing).status == "succeeded"
    assert rule.count == 1


def test_a_target_that_was_changed_meanwhile_refuses_with_a_sentence(crew: Crew, world: ScriptedTarget) -> None:
    deployment = crew.deploy("1.0.0")
    world.refusal = InvalidContent(["Deployment web names the namespace old, but the target's is new."])
    deployment = crew.run(deployment)

    assert deployment.status == "failed"
    assert "the target's is new" in deployment.error_message
    assert world.calls == []


def test_a_deployment_that_was_replaced_cannot_be_rolled_back(crew: Crew, world: ScriptedTarget) -> None:
    crew.run(crew.deploy("1.0.0"))
    replaced = crew.run(crew.deploy("2.0.0"))
    current = crew.run(crew.deploy("3.0.0"))

    with pytest.raises(WrongState, match=r"checkout 3.0.0 has replaced it") as caught:
        services.rollback_deployment(actor=actor(crew.deployer), deployment=replaced, reason="Carts are empty")
    assert caught.value.details["current"] == str(current.pk)
