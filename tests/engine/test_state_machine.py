"""People and workers do anything in any order: what must always hold, holds after every step."""

import os
from collections import Counter
from contextlib import ExitStack
from typing import ClassVar

import pytest
from django.db import transaction
from django.db.models import F
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.models import User
from audit.models import Event
from deployments import services
from deployments.engine.runner import tick
from deployments.models import Deployment, DeploymentApproval
from deployments.statuses import DEPLOYMENT_MOVES, ENDED
from deployments.targets.base import Errored, Failed, Running, StepResult, Succeeded
from releasemgr.core.errors import DomainError
from releases import services as release_services
from releases.models import Approval, ApprovalRule, Release
from releases.statuses import RELEASE_MOVES
from tests import factories
from tests.engine.conftest import Crew, ScriptedTarget

ANSWERS: tuple[StepResult | Exception, ...] = (
    Succeeded("done"), Running("1 of 2"), Failed("broken"), Errored("503"), RuntimeError("bug"),
)  # fmt: skip
EXAMPLES = int(os.environ.get("STATE_MACHINE_EXAMPLES", "8"))
STEPS = ("preflight", "apply", "rollout")


PEOPLE = st.integers(0, 2)


class Actions(RuleBasedStateMachine):
    """Everything that people and workers do. The test binds who and where."""

    crew: ClassVar[Crew]
    world: ClassVar[ScriptedTarget]
    people: ClassVar[list[User]]

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.stack.enter_context(transaction.atomic())
        self.ended: dict[object, str] = {}
        self.versions = 0
        self.world.answers.clear()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.stack.close()

    @initialize(verify=st.booleans(), auto=st.booleans(), gated=st.booleans())
    def the_place(self, verify: bool, auto: bool, gated: bool) -> None:
        place = self.crew.place.environment
        place.verify_seconds, place.auto_rollback = 5 * verify, auto
        place.save()
        if gated:
            ApprovalRule.objects.create(application=self.crew.application, environment=place)
        for version in ("0.1.0", "0.2.0"):
            factories.approved(self.crew.deployer, self.crew.approver, self.crew.application, version)

    def attempt(self, service: object, who: int, **fields: object) -> None:
        try:
            service(actor=factories.actor(self.people[who]), **fields)  # type: ignore[operator]
        except DomainError:
            """Refused: the invariants see that nothing came of it."""

    def pick(self, data: st.DataObject, rows: "list[object]") -> object:
        return data.draw(st.sampled_from(rows), label="which")

    @rule(who=PEOPLE)
    def draft(self, who: int) -> None:
        self.versions += 1
        release = factories.draft(self.people[who], self.crew.application, f"1.0.{self.versions}")
        self.attempt(release_services.submit_release, who, release=release)

    @precondition(lambda self: Release.objects.exists())
    @rule(
        data=st.data(),
        who=PEOPLE,
        verb=st.sampled_from(["approve", "approve", "reject", "edit", "cancel"]),
    )
    def review(self, data: st.DataObject, who: int, verb: str) -> None:
        release = self.pick(data, list(Release.objects.select_related("application__team").order_by("version")))
        fields = {
            "reject": {"comment": "no"},
            "edit": {"changes": {"artifacts": factories.artifacts(f"t{self.versions}")}},
        }.get(verb, {})
        self.attempt(getattr(release_services, f"{verb}_release"), who, release=release, **fields)

    @precondition(lambda self: Release.objects.filter(status__in=["approved", "released"]).exists())
    @rule(data=st.data(), who=PEOPLE)
    def deploy(self, data: st.DataObject, who: int) -> None:
        ready = Release.objects.filter(status__in=["approved", "released"]).select_related("application__team")
        release = self.pick(data, list(ready.order_by("version")))
        self.attempt(services.start_deployment, who, release=release, environment=self.crew.place.environment)

    @precondition(lambda self: Deployment.objects.exists())
    @rule(
        data=st.data(), who=PEOPLE,
        verb=st.sampled_from(["cancel", "retry", "rollback", "rollback", "approve", "reject"]),
    )  # fmt: skip
    def control(self, data: st.DataObject, who: int, verb: str) -> None:
        deployment = self.pick(data, list(Deployment.objects.order_by("created_at")))
        fields = {"rollback": {"reason": "bad"}, "reject": {"comment": "no"}}.get(verb, {})
        self.attempt(getattr(services, f"{verb}_deployment"), who, deployment=deployment, **fields)

    @precondition(lambda self: Deployment.objects.open().exists())
    @rule(data=st.data(), answer=st.sampled_from(ANSWERS), step=st.sampled_from(STEPS), passes=st.integers(1, 8))
    def work(self, data: st.DataObject, answer: StepResult, step: str, passes: int) -> None:
        self.world.answers = {step: [answer, Succeeded("done")]}
        deployment = self.pick(data, list(Deployment.objects.open().order_by("created_at")))
        self.crew.wait(deployment)  # type: ignore[arg-type]
        for _ in range(passes):
            tick(deployment.pk)  # type: ignore[attr-defined]

    @invariant()
    def one_at_a_time(self) -> None:
        assert Deployment.objects.filter(status="in_progress").count() <= 1

    @invariant()
    def nobody_approves_their_own(self) -> None:
        valid = Approval.objects.filter(voided_at__isnull=True, decision="approved")
        assert not valid.filter(user=F("release__created_by")).exists()
        assert not valid.filter(user=F("release__edited_by")).exists()
        assert not valid.exclude(digest=F("release__digest")).exists()
        assert not DeploymentApproval.objects.filter(user=F("deployment__deployed_by")).exists()

    @invariant()
    def nothing_automatic_rolls_back_a_rollback(self) -> None:
        assert not Deployment.objects.filter(automatic=True, rolls_back__kind="rollback").exists()

    @invariant()
    def what_has_ended_stays_ended(self) -> None:
        now = dict(Deployment.objects.filter(status__in=ENDED).values_list("pk", "status"))
        for pk, before in self.ended.items():
            assert pk in now
            assert now[pk] in (before, "rolled_back"), (before, now[pk])  # type: ignore[index]
        self.ended = dict(now)

    @invariant()
    def every_status_has_its_event(self) -> None:
        assert_story_of(Deployment, "pending", DEPLOYMENT_MOVES)
        assert_story_of(Release, "draft", RELEASE_MOVES)


@pytest.mark.django_db
def test_no_order_of_actions_breaks_a_promise(crew: Crew, world: ScriptedTarget, admin: User) -> None:
    people = [crew.deployer, crew.approver, admin]
    bound = type("BoundActions", (Actions,), {"crew": crew, "world": world, "people": people})
    run_state_machine_as_test(
        bound,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=25, deadline=None, database=None, derandomize=False,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def assert_story_of(model: "type[Deployment] | type[Release]", first: str, table: object) -> None:
    """The events tell an unbroken story of legal moves that ends in the row's status."""
    told: dict[str, list[list[str]]] = {}
    rows = Event.objects.filter(resource_type=model._meta.model_name, changes__has_key="status").order_by("sequence")
    for resource_id, changes in rows.values_list("resource_id", "changes"):
        told.setdefault(resource_id, []).append(changes["status"])
    for pk, status in model.objects.values_list("pk", "status"):
        at = first
        for before, after in told.get(str(pk), []):
            assert before == at
            assert table.allows(before, after)  # type: ignore[attr-defined]
            at = after
        assert at == status
        moves = Counter(map(tuple, told.get(str(pk), [])))
        if model is Deployment:
            assert all(count == 1 for count in moves.values()), moves
