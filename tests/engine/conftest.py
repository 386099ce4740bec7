"""A target that does what the test says, and remembers what was done to the outside world."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from accounts.models import Team, User
from deployments import services
from deployments.engine.runner import Outcome, tick
from deployments.models import Deployment, Target
from deployments.targets.base import InvalidContent, Manifest, StepResult, Succeeded, Work
from releases.models import Application
from tests import factories
from tests.engine.racing import Racers
from tests.engine.site import sandbox, site

__all__ = ["sandbox", "site"]


@dataclass
class ScriptedTarget:
    """`answers` maps a step to what it says, one after another (the last one for ever). `world` is the outside.

    Applying is idempotent, as server-side apply is: `changes` counts how often the world really changed.
    """

    answers: dict[str, list[StepResult | Exception]] = field(default_factory=dict)
    world: str = ""
    changes: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    refusal: InvalidContent | None = None

    def render(self, work: Work) -> tuple[Manifest, ...]:
        if self.refusal:
            raise self.refusal
        return tuple({**item, "sequence": work.sequence} for item in work.manifests)

    def stamp(self, work: Work) -> tuple[Manifest, ...]:
        if self.refusal:
            raise self.refusal
        return tuple({**item, "sequence": work.sequence} for item in work.objects)

    def evidence(self, work: Work) -> Mapping[str, Any]:
        return {"workload": {"kind": "Deployment", "name": "web"}}

    def preflight(self, work: Work) -> StepResult:
        return self._answer("preflight")

    def apply(self, work: Work) -> StepResult:
        if self.world != work.deployment_id:
            self.world = work.deployment_id
            self.changes.append(work.version)
        return self._answer("apply")

    def observe(self, work: Work, *, checkpoint: Mapping[str, Any], now: datetime) -> StepResult:
        return self._answer("rollout")

    def _answer(self, step: str) -> StepResult:
        self.calls.append(step)
        script = self.answers.get(step) or [Succeeded(f"{step} done")]
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedTarget]:
    scripted = ScriptedTarget()
    monkeypatch.setattr("deployments.services.planning.get_target", lambda kind: scripted)
    return scripted


@pytest.fixture
def place(team: Team) -> Target:
    """The application `checkout` in staging."""
    return factories.target(factories.application(team), factories.environment(), factories.cluster())


class Crew:
    """The people and the worker of an engine test."""

    def __init__(self, deployer: User, approver: User, place: Target) -> None:
        self.deployer, self.approver, self.place = deployer, approver, place

    @property
    def application(self) -> Application:
        return self.place.application

    def deploy(self, version: str) -> Deployment:
        release = factories.approved(self.deployer, self.approver, self.application, version)
        return services.start_deployment(
            actor=factories.actor(self.deployer), release=release, environment=self.place.environment
        )

    def run(self, deployment: Deployment, passes: int = 40, *, at: datetime | None = None) -> Deployment:
        """Tick until nothing is left to do at once; timers run out immediately when `at` is given."""
        for _ in range(passes):
            outcome = tick(deployment.pk, clock=lambda: at) if at else tick(deployment.pk)
            if outcome is not Outcome.AGAIN:
                break
        deployment.refresh_from_db()
        return deployment

    def wait(self, deployment: Deployment) -> None:
        """Let the deployment's timer and lease run out."""
        Deployment.objects.filter(pk=deployment.pk).update(
            wake_at=Now() - timedelta(seconds=1), claimed_until=Now() - timedelta(seconds=1)
        )

    def run_all(self, rounds: int = 10) -> None:
        """Everything open, until nothing moves, as a pool of workers would."""
        for _ in range(rounds):
            open_ones: Sequence[Deployment] = list(Deployment.objects.open().order_by("created_at"))
            if not open_ones:
                return
            for deployment in open_ones:
                self.wait(deployment)
                self.run(deployment)


@pytest.fixture
def crew(deployer: User, approver: User, place: Target) -> Crew:
    return Crew(deployer, approver, place)


@pytest.fixture
def racers(transactional_db: None) -> Iterator[Racers]:
    made = Racers()
    yield made
    made.end()
