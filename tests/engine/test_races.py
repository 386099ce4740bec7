"""Conflicting requests and workers in the same instant: one wins, the others are told, nothing is doubled."""

from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from accounts.models import Team, User
from audit.models import Event
from deployments import services
from deployments.engine.runner import Outcome, tick
from deployments.models import Deployment
from deployments.statuses import OPEN
from deployments.targets.base import Failed, Running, Succeeded
from releases import services as release_services
from releases.models import ApprovalRule, Release
from tests import factories
from tests.engine.conftest import Crew, ScriptedTarget
from tests.engine.racing import Racers, refusals, winners

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 10


def events_of(deployment: Deployment) -> "Counter[str]":
    return Counter(Event.objects.filter(resource_id=str(deployment.pk)).values_list("action", flat=True))


def assert_one_in_progress_at_most(crew: Crew) -> None:
    assert Deployment.objects.filter(target=crew.place, status="in_progress").count() <= 1


def test_of_eight_workers_one_ticks_a_deployment(crew: Crew, world: ScriptedTarget, racers: Racers) -> None:
    for round_number in range(ROUNDS):
        world.calls.clear()
        deployment = crew.deploy(f"1.0.{round_number}")
        while deployment.is_open:
            racers.race([partial(tick, deployment.pk)] * racers.size)
            deployment.refresh_from_db()

        assert world.calls == ["preflight", "apply", "rollout"]
        assert events_of(deployment)["deployment.succeeded"] == 1
    assert len(world.changes) == ROUNDS


def test_of_eight_queued_deployments_one_starts_at_a_time(crew: Crew, world: ScriptedTarget, racers: Racers) -> None:
    queued = [crew.deploy(f"1.0.{number}") for number in range(racers.size)]
    for _ in range(200):
        crew_is_done = not Deployment.objects.open().exists()
        if crew_is_done:
            break
        Deployment.objects.open().update(wake_at=queued[0].created_at)
        racers.race([partial(tick, deployment.pk) for deployment in queued])
        assert_one_in_progress_at_most(crew)

    finished = Deployment.objects.order_by("sequence")
    assert [each.release.version for each in finished] == [each.release.version for each in queued], "first come first"
    assert [each.status for each in finished] == ["succeeded"] * racers.size
    assert world.changes == [each.release.version for each in queued]


def test_deploying_in_the_same_instant_queues_and_never_runs_two(
    crew: Crew, world: ScriptedTarget, racers: Racers
) -> None:
    world.answers["rollout"] = [Running("1 of 2")]
    release = factories.approved(crew.deployer, crew.approver, crew.application, "1.0.0")

    def deploy_and_work() -> Deployment:
        person = factories.actor(crew.deployer)
        made = services.start_deployment(actor=person, release=release, environment=crew.place.environment)
        tick(made.pk)
        return made

    made = winners(racers.race([deploy_and_work] * racers.size))

    assert len({each.pk for each in made}) == racers.size
    assert Counter(Deployment.objects.values_list("status", flat=True)) == {"in_progress": 1, "pending": 7}


def test_of_eight_rollbacks_in_the_same_instant_one_is_made(crew: Crew, world: ScriptedTarget, racers: Racers) -> None:
    good = crew.run(crew.deploy("1.0.0"))
    for round_number in range(ROUNDS):
        bad = crew.run(crew.deploy(f"2.0.{round_number}"))

        def roll_back(bad: Deployment = bad) -> Deployment:
            person = factories.actor(crew.deployer)
            return services.rollback_deployment(
                actor=person, deployment=Deployment.objects.get(pk=bad.pk), reason="Carts are empty"
            )

        results = racers.race([roll_back] * racers.size)

        assert (len(winners(results)), refusals(results)) == (1, {"wrong_state": 7})
        rollback = crew.run(winners(results)[0])
        assert (rollback.status, rollback.release) == ("succeeded", good.release)
        assert bad.rollbacks.count() == 1


def test_eight_cancellations_are_one(crew: Crew, world: ScriptedTarget, racers: Racers) -> None:
    world.answers["rollout"] = [Running("1 of 2")]
    for round_number in range(ROUNDS):
        deployment = crew.run(crew.deploy(f"1.0.{round_number}"))

        def cancel(deployment: Deployment = deployment) -> Deployment:
            found = Deployment.objects.get(pk=deployment.pk)
            return services.cancel_deployment(actor=factories.actor(crew.deployer), deployment=found)

        results = racers.race([cancel] * (racers.size - 1) + [partial(tick, deployment.pk)])
        crew.run(deployment)

        assert set(refusals(results)) <= {"wrong_state"}, "those who came after its end"
        assert deployment.status == "cancelled"
        assert events_of(deployment)["deployment.cancel_requested"] == 1
        assert events_of(deployment)["deployment.cancelled"] == 1


def test_cancelling_rolling_back_and_working_at_once_ends_in_one_story(
    crew: Crew, world: ScriptedTarget, racers: Racers
) -> None:
    crew.run(crew.deploy("1.0.0"))
    for round_number in range(ROUNDS):
        world.answers["rollout"] = [Running("1 of 2"), Succeeded("2 of 2")]
        deployment = crew.run(crew.deploy(f"2.0.{round_number}"))
        crew.wait(deployment)

        def act(service: Callable[..., Deployment], deployment: Deployment = deployment, **fields: str) -> Deployment:
            found = Deployment.objects.get(pk=deployment.pk)
            return service(actor=factories.actor(crew.deployer), deployment=found, **fields)

        cancel = partial(act, services.cancel_deployment)
        roll_back = partial(act, services.rollback_deployment, reason="Carts are empty")
        racers.race([cancel, roll_back, partial(tick, deployment.pk)] * 2 + [cancel, roll_back])
        crew.run_all()

        deployment.refresh_from_db()
        assert deployment.status in ("cancelled", "rolled_back")
        assert [each.status for each in deployment.rollbacks.all()] == ["succeeded"]
        assert not Deployment.objects.open().exists()
        ends = events_of(deployment)
        assert ends["deployment.succeeded"] + ends["deployment.cancelled"] == 1


def test_the_last_missing_approval_moves_a_release_once(
    crew: Crew, world: ScriptedTarget, racers: Racers, team: Team
) -> None:
    """Four different people and each of them twice: two are asked for."""
    ApprovalRule.objects.create(application=crew.application, count=2)
    people = [factories.user(f"reviewer-{number}", teams=[team]) for number in range(4)]
    for round_number in range(ROUNDS):
        release = factories.in_review(crew.deployer, crew.application, f"1.0.{round_number}")

        def approve(person: User, release: Release = release) -> Release:
            found = Release.objects.select_related("application__team").get(pk=release.pk)
            return release_services.approve_release(actor=factories.actor(person), release=found)

        results = racers.race([partial(approve, person) for person in people * 2])

        release.refresh_from_db()
        assert release.status == "approved"
        assert (len(winners(results)), refusals(results)) == (2, {"wrong_state": 6})
        approvers = release.approvals.values_list("user", flat=True)
        assert len(approvers) == len(set(approvers)) == 2
        assert Event.objects.filter(action="release.approved", resource_id=str(release.pk)).count() == 1


def test_an_edit_and_an_approval_in_the_same_instant_never_approve_unread_content(
    crew: Crew, world: ScriptedTarget, racers: Racers
) -> None:
    for round_number in range(ROUNDS):
        release = factories.in_review(crew.deployer, crew.application, f"1.0.{round_number}")
        read = release.digest

        def approve(release: Release = release, read: str = read) -> Release:
            found = Release.objects.select_related("application__team").get(pk=release.pk)
            return release_services.approve_release(actor=factories.actor(crew.approver), release=found, digest=read)

        def edit(release: Release = release) -> Release:
            found = Release.objects.select_related("application__team").get(pk=release.pk)
            changes = {"artifacts": factories.artifacts("evil")}
            return release_services.edit_release(actor=factories.actor(crew.deployer), release=found, changes=changes)

        results = racers.race([approve, edit])

        release.refresh_from_db()
        assert release.digest != read
        assert release.status == "in_review", results
        assert not release.approvals.filter(voided_at__isnull=True).exists()


def test_deployment_approvals_count_people_not_requests(
    crew: Crew, world: ScriptedTarget, racers: Racers, team: Team
) -> None:
    ApprovalRule.objects.create(application=crew.application, environment=crew.place.environment, count=2)
    reviewers = [factories.user(f"reviewer-{number}", teams=[team]) for number in range(3)]
    for round_number in range(ROUNDS // 2):
        deployment = crew.run(crew.deploy(f"1.0.{round_number}"))
        assert deployment.status == "pending"

        def approve(person: User, deployment: Deployment = deployment) -> Deployment:
            found = Deployment.objects.get(pk=deployment.pk)
            return services.approve_deployment(actor=factories.actor(person), deployment=found)

        alone = racers.race([partial(approve, reviewers[0])] * 4 + [partial(approve, crew.deployer)] * 4)
        assert len(winners(alone)) == 1
        assert refusals(alone) == {"wrong_state": 3, "forbidden": 4}
        assert crew.run(deployment).status == "pending"

        racers.race([partial(approve, person) for person in reviewers[1:]] * 4)
        assert crew.run(deployment).status == "succeeded"


def test_deployments_that_wait_for_people_do_not_lock_each_other_out(
    crew: Crew, world: ScriptedTarget, racers: Racers
) -> None:
    """Each that steps out of the queue wakes the others while they do the same."""
    queued = [crew.deploy(f"1.0.{number}") for number in range(racers.size)]
    for count in (1, 2, 3):
        ApprovalRule.objects.create(application=crew.application, environment=crew.place.environment, count=count)
        for deployment in queued:
            crew.wait(deployment)
        outcomes = racers.race([partial(tick, deployment.pk) for deployment in queued])

        assert set(outcomes) <= {Outcome.ASLEEP, Outcome.AGAIN}
        sentences = [row.gates[0]["sentence"] for row in Deployment.objects.filter(status__in=OPEN)]
        assert len(sentences) == racers.size
        assert all(f"0 of {count}" in sentence for sentence in sentences), sentences


def test_trying_again_in_the_same_instant_makes_one_deployment(
    crew: Crew, world: ScriptedTarget, racers: Racers
) -> None:
    world.answers["preflight"] = [Failed("You may not patch deployments")]
    failed = crew.run(crew.deploy("1.0.0"))

    def try_again() -> Deployment:
        mine = Deployment.objects.get(pk=failed.pk)
        return services.retry_deployment(actor=factories.actor(crew.deployer), deployment=mine)

    results = racers.race([try_again] * racers.size)

    assert len(winners(results)) == 1
    assert refusals(results) == {"wrong_state": racers.size - 1}
    assert Deployment.objects.exclude(pk=failed.pk).count() == 1
