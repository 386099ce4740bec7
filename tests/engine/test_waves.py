"""Several targets in one environment: wave by wave, each once, and back again when one fails."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from audit.models import Event
from deployments import selectors, services
from deployments.engine.runner import tick
from deployments.models import Deployment, Environment, Target
from deployments.services.waves import make_parts
from deployments.targets.base import Failed, Manifest, Running, StepResult, Succeeded, Work
from releasemgr.core.errors import WrongState
from tests import factories
from tests.engine.conftest import Crew
from tests.engine.racing import Racers
from tests.engine.test_crash_points import Killed, assert_told_once, killed_before


@dataclass
class Regions:
    """A world for each namespace: the version that runs there. `scripts` says what a rollout there answers."""

    runs: dict[str, str] = field(default_factory=dict)
    scripts: dict[str, list[StepResult]] = field(default_factory=dict)
    applied: list[tuple[str, str]] = field(default_factory=list)

    def render(self, work: Work) -> tuple[Manifest, ...]:
        return tuple(dict(item) for item in work.manifests)

    def stamp(self, work: Work) -> tuple[Manifest, ...]:
        return tuple(dict(item) for item in work.objects)

    def evidence(self, work: Work) -> dict[str, Any]:
        return {}

    def preflight(self, work: Work) -> StepResult:
        return self._say(f"{work.namespace} preflight")

    def apply(self, work: Work) -> StepResult:
        if self.runs.get(work.namespace) != work.version:
            self.runs[work.namespace] = work.version
            self.applied.append((work.namespace, work.version))
        return Succeeded("applied")

    def observe(self, work: Work, **_: Any) -> StepResult:
        return self._say(f"{work.namespace} {work.version}")

    def _say(self, key: str) -> StepResult:
        script = self.scripts.get(key) or [Succeeded("done")]
        return script.pop(0) if len(script) > 1 else script[0]


@pytest.fixture
def regions(monkeypatch: pytest.MonkeyPatch) -> Iterator[Regions]:
    world = Regions()
    monkeypatch.setattr("deployments.services.planning.get_target", lambda kind: world)
    return world


@pytest.fixture
def place(place: Target) -> Target:
    """`default` leads; `eu-2` and `eu-3` follow together, `us-1` comes last."""
    for namespace, wave in (("eu-2", 2), ("eu-3", 2), ("us-1", 3)):
        factories.target(place.application, place.environment, place.cluster, namespace=namespace, wave=wave)
    return place


def parts(lead: Deployment) -> dict[str, str]:
    rows = lead.parts.order_by("target__wave", "target__namespace")
    return dict(rows.values_list("target__namespace", "status"))


def set_rule(place: Target, **fields: Any) -> None:
    Environment.objects.filter(pk=place.environment_id).update(**fields)


def test_the_first_target_leads_and_the_others_follow_in_waves(crew: Crew, regions: Regions) -> None:
    regions.scripts["eu-2 1.0.0"] = [Running("1 of 2"), Succeeded("2 of 2")]
    lead = crew.run(crew.deploy("1.0.0"))

    assert lead.status == "in_progress"
    assert parts(lead) == {"eu-2": "pending", "eu-3": "pending"}, "the last wave waits for both"
    crew.run_all()
    lead.refresh_from_db()

    assert lead.status == "succeeded"
    assert [namespace for namespace, _ in regions.applied] == ["default", "eu-2", "eu-3", "us-1"]
    assert parts(lead) == {"eu-2": "succeeded", "eu-3": "succeeded", "us-1": "succeeded"}
    assert lead.steps.get(name="waves").message == ("1.0.0 runs in default, eu-2, eu-3 and us-1.")


def test_a_part_has_the_overrides_of_its_target_and_asks_for_its_turn_only(crew: Crew, regions: Regions) -> None:
    Target.objects.filter(namespace="eu-2").update(overrides={"replicas": 7})
    lead = crew.run(crew.deploy("1.0.0"))
    part = lead.parts.get(target__namespace="eu-2")

    assert part.overrides == {"replicas": 7}
    assert (part.release_digest, part.deployed_by) == (lead.release_digest, crew.deployer)
    assert part.manifests
    assert not part.steps.filter(name="waves").exists()


def test_a_pause_lies_between_two_waves(crew: Crew, regions: Regions) -> None:
    set_rule(crew.place, wave_pause_seconds=600)
    started = timezone.now()
    lead = crew.run(crew.deploy("1.0.0"), at=started)
    assert parts(lead) == {}
    assert "Pauses for 600 s" in lead.steps.get(name="waves").message

    for minutes in (11, 12, 13):
        for each in Deployment.objects.open():
            crew.wait(each)
            crew.run(each, at=started + timedelta(minutes=minutes))
    assert parts(lead) == {"eu-2": "succeeded", "eu-3": "succeeded"}

    for minutes in (30, 31, 32):
        for each in Deployment.objects.open():
            crew.wait(each)
            crew.run(each, at=started + timedelta(minutes=minutes))
    lead.refresh_from_db()
    assert lead.status == "succeeded"


def test_a_failing_target_stops_the_rest_and_takes_back_those_that_were_done(crew: Crew, regions: Regions) -> None:
    first = crew.deploy("1.0.0")
    crew.run_all()
    regions.scripts["eu-3 2.0.0"] = [Failed("CrashLoopBackOff")]
    lead = crew.deploy("2.0.0")
    crew.run_all(20)
    lead.refresh_from_db()

    assert lead.status == "rolled_back"
    assert lead.error_message == ("eu-3 failed: CrashLoopBackOff. default and eu-2: brought back. Not reached: us-1.")
    assert parts(lead) == {"eu-2": "rolled_back", "eu-3": "rolled_back"}
    rollback = lead.rollbacks.get()
    assert (rollback.automatic, rollback.release_id) == (True, first.release_id)
    assert parts(rollback) == {"eu-2": "succeeded", "eu-3": "succeeded"}
    assert set(regions.runs.values()) == {"1.0.0"}
    assert regions.applied.count(("eu-3", "1.0.0")) == 2


def test_each_target_goes_back_to_its_own_last_good_release(crew: Crew, regions: Regions) -> None:
    set_rule(crew.place, bring_back_waves=False, auto_rollback=False)
    crew.deploy("1.0.0")
    crew.run_all()
    regions.scripts["eu-2 1.1.0"] = [Failed("CrashLoopBackOff")]
    crew.deploy("1.1.0")
    crew.run_all()
    set_rule(crew.place, bring_back_waves=True, auto_rollback=True)
    regions.scripts["us-1 2.0.0"] = [Failed("CrashLoopBackOff")]
    crew.deploy("2.0.0")
    crew.run_all(20)

    assert regions.runs == {"default": "1.1.0", "eu-2": "1.0.0", "eu-3": "1.1.0", "us-1": "1.0.0"}


def test_where_waves_stay_only_the_failing_target_goes_back(crew: Crew, regions: Regions) -> None:
    set_rule(crew.place, bring_back_waves=False)
    crew.deploy("1.0.0")
    crew.run_all()
    regions.scripts["eu-3 2.0.0"] = [Failed("CrashLoopBackOff")]
    lead = crew.deploy("2.0.0")
    crew.run_all(20)
    lead.refresh_from_db()

    assert lead.status == "failed"
    assert "default and eu-2: left on 2.0.0." in lead.error_message
    assert regions.runs == {"default": "2.0.0", "eu-2": "2.0.0", "eu-3": "1.0.0", "us-1": "1.0.0"}
    assert parts(lead) == {"eu-2": "succeeded", "eu-3": "rolled_back"}
    assert not lead.rollbacks.exists()
    running = selectors.running_now(Target.objects.all())
    told = {row.target.namespace: row.release.version for row in running.values()}
    assert told == regions.runs, "what is told is what runs"


def test_without_a_release_to_go_back_to_the_others_still_go_back(crew: Crew, regions: Regions) -> None:
    """The first target is new: nothing leads the way back, but those behind it had something before."""
    set_rule(crew.place, bring_back_waves=False, auto_rollback=False)
    Target.objects.filter(pk=crew.place.pk).update(wave=9)
    regions.scripts["default preflight"] = [Failed("The namespace is missing"), Succeeded("It is there")]
    crew.deploy("1.0.0")
    crew.run_all(20)
    assert regions.runs == {"eu-2": "1.0.0", "eu-3": "1.0.0", "us-1": "1.0.0"}

    set_rule(crew.place, bring_back_waves=True, auto_rollback=True)
    Target.objects.filter(pk=crew.place.pk).update(wave=1)
    regions.scripts["eu-2 2.0.0"] = [Failed("CrashLoopBackOff")]
    lead = crew.deploy("2.0.0")
    crew.run_all(20)
    lead.refresh_from_db()

    assert regions.runs == {"default": "2.0.0", "eu-2": "1.0.0", "eu-3": "1.0.0", "us-1": "1.0.0"}
    assert lead.status == "failed"
    assert parts(lead) == {"eu-2": "rolled_back", "eu-3": "rolled_back"}


def test_one_click_takes_all_targets_back(crew: Crew, regions: Regions) -> None:
    crew.deploy("1.0.0")
    crew.run_all()
    lead = crew.deploy("2.0.0")
    crew.run_all()
    rollback = services.rollback_deployment(actor=factories.actor(crew.deployer), deployment=lead, reason="Carts")
    assert set(parts(rollback)) == {"eu-2", "eu-3", "us-1"}, "at once, without waiting for the first target"
    crew.run_all(20)
    lead.refresh_from_db()

    assert lead.status == "rolled_back"
    assert set(parts(lead).values()) == {"rolled_back"}
    assert set(regions.runs.values()) == {"1.0.0"}


def test_a_cancelled_lead_stops_its_parts_and_takes_back_what_was_touched(crew: Crew, regions: Regions) -> None:
    crew.deploy("1.0.0")
    crew.run_all()
    regions.scripts["eu-2 2.0.0"] = [Running("1 of 2")]
    lead = crew.run(crew.deploy("2.0.0"))
    crew.run(lead.parts.get(target__namespace="eu-2"))
    services.cancel_deployment(actor=factories.actor(crew.deployer), deployment=lead)
    crew.run_all(20)
    lead.refresh_from_db()

    assert lead.status == "cancelled"
    assert parts(lead) == {"eu-2": "cancelled", "eu-3": "cancelled"}
    assert set(regions.runs.values()) == {"1.0.0"}
    assert ("eu-3", "2.0.0") not in regions.applied


def test_what_has_not_started_never_does_once_another_failed(crew: Crew, regions: Regions) -> None:
    regions.scripts["eu-2 preflight"] = [Failed("Quota exceeded")]
    lead = crew.run(crew.deploy("1.0.0"))
    crew.run(lead.parts.get(target__namespace="eu-2"))
    crew.wait(lead)
    crew.run(lead)
    crew.run_all(20)
    lead.refresh_from_db()

    assert lead.status == "failed"
    assert lead.error_message.startswith("eu-2 failed: Quota exceeded. default: left on 1.0.0.")
    other = lead.parts.get(target__namespace="eu-3")
    assert (other.status, other.error_message) == ("cancelled", "Not started: eu-2 failed.")


@pytest.mark.parametrize("move", ["cancel", "rollback", "retry", "approve", "reject"])
def test_a_part_leads_to_its_lead(crew: Crew, regions: Regions, move: str) -> None:
    lead = crew.run(crew.deploy("1.0.0"))
    part = lead.parts.first()
    assert part is not None
    person = crew.approver if move in ("approve", "reject") else crew.deployer
    fields = {"rollback": {"reason": "Carts"}, "reject": {"comment": "No"}}.get(move, {})

    with pytest.raises(WrongState) as refused:
        getattr(services, f"{move}_deployment")(actor=factories.actor(person), deployment=part, **fields)
    assert refused.value.details["part_of"] == str(lead.pk)


def test_a_part_that_succeeded_is_no_proof_for_the_next_environment(crew: Crew, regions: Regions) -> None:
    set_rule(crew.place, bring_back_waves=False)
    production = factories.environment("production", requires=crew.place.environment)
    factories.target(crew.application, production, crew.place.cluster, namespace="production")
    regions.scripts["us-1 1.0.0"] = [Failed("CrashLoopBackOff")]
    lead = crew.deploy("1.0.0")
    crew.run_all(20)
    further = services.start_deployment(
        actor=factories.actor(crew.deployer), release=lead.release, environment=production
    )

    assert crew.run(further).status == "pending"
    assert "must first succeed in staging" in further.gates[0]["sentence"]


def test_two_that_lead_from_different_targets_do_not_wait_for_each_other(crew: Crew, regions: Regions) -> None:
    """The order was changed while the first was on its way: each would wait for a part in the other's target."""
    regions.scripts["default 1.0.0"] = [Running("1 of 2"), Succeeded("2 of 2")]
    first = crew.run(crew.deploy("1.0.0"))
    Target.objects.filter(namespace="eu-2").update(wave=1, created_at=crew.place.created_at - timedelta(days=1))
    second = crew.run(crew.deploy("2.0.0"))
    assert (second.target.namespace, second.status) == ("eu-2", "pending")

    crew.run_all(20)

    assert [Deployment.objects.get(pk=each.pk).status for each in (first, second)] == ["succeeded"] * 2
    assert set(regions.runs.values()) == {"2.0.0"}


def test_nothing_is_begun_for_a_lead_that_has_ended(crew: Crew, regions: Regions) -> None:
    """A worker that slept through the end wakes up in the middle of making parts."""
    lead = crew.run(crew.deploy("1.0.0"))
    services.cancel_deployment(actor=factories.actor(crew.deployer), deployment=lead)
    before = lead.parts.count()

    assert not make_parts(lead, list(Target.objects.filter(namespace="us-1")))
    assert lead.parts.count() == before


# Each part meets other writes, so that test workers share them; a run has some hundred, and some of each kind are met.
PARTS, EVERY = 2, 23


@pytest.mark.parametrize("part", range(PARTS))
def test_a_kill_at_any_write_ends_in_all_targets_once(crew: Crew, regions: Regions, part: int) -> None:
    for write in range(part * EVERY + 1, 400, PARTS * EVERY):
        version = f"1.0.{write}"
        lead, killed = run_with_one_kill(crew, version, write)

        assert lead.status == "succeeded", write
        assert set(regions.runs.values()) == {version}
        assert regions.applied[-4:] == [(name, version) for name in ("default", "eu-2", "eu-3", "us-1")]
        for each in [lead, *lead.parts.all()]:
            assert_told_once(each)
        if not killed:
            break
    assert write > 90


@pytest.mark.parametrize("part", range(PARTS))
def test_a_kill_at_any_write_of_a_failure_takes_each_target_back_once(crew: Crew, regions: Regions, part: int) -> None:
    crew.deploy("1.0.0")
    crew.run_all()
    for write in range(part * EVERY + 5, 500, PARTS * EVERY):
        version = f"2.0.{write}"
        regions.scripts[f"us-1 {version}"] = [Failed("CrashLoopBackOff")]
        lead, killed = run_with_one_kill(crew, version, write)

        assert lead.status == "rolled_back", write
        assert set(regions.runs.values()) == {"1.0.0"}
        assert lead.rollbacks.count() == 1
        assert all(each.rollbacks.count() == 1 for each in lead.parts.all())
        for each in [lead, *lead.parts.all(), lead.rollbacks.get(), *lead.rollbacks.get().parts.all()]:
            assert_told_once(each)
        if not killed:
            break
    assert write > 150


def run_with_one_kill(crew: Crew, version: str, write: int) -> tuple[Deployment, bool]:
    lead, killed = crew.deploy(version), False
    try:
        with killed_before(write):
            crew.run_all(20)
    except Killed:
        killed = True
    crew.run_all(30)
    lead.refresh_from_db()
    return lead, killed


@pytest.mark.django_db(transaction=True)
def test_two_workers_make_each_part_once_and_its_end_wakes_the_lead(
    crew: Crew, regions: Regions, racers: Racers
) -> None:
    for number in range(5):
        lead = crew.run(crew.deploy(f"1.0.{number}"))
        targets = list(Target.objects.filter(namespace="us-1"))
        racers.race([partial(make_parts, lead, targets)] * racers.size)
        assert lead.parts.count() == 3
        assert Event.objects.filter(action="deployment.requested", data__part_of=str(lead.pk)).count() == 3
        # No timer runs out here: each is ticked only because it was woken.
        for _ in range(10):
            for pk in Deployment.objects.due().values_list("pk", flat=True):
                racers.race([partial(tick, pk)] * 4)
        lead.refresh_from_db()
        assert lead.status == "succeeded"
    assert not Deployment.objects.open().exists()
