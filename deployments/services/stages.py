"""How far a progressive deployment has come: what its step remembers, and what people read of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from deployments.models import Deployment, Step
from deployments.statuses import STEPS_OPEN, DeploymentStatus, StepName, StepStatus, StrategyType
from deployments.targets.strategies import canary_steps, in_words, type_of, waits_for_promotion


class CanaryPhase(StrEnum):
    """`withdrawn`: after a cancellation, the traffic is back and the canary's pods are gone."""

    SHIFTING = "shifting"
    WATCHING = "watching"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class CanaryMemory:
    """What the canary step remembers from one pass to the next. Times are by the step's own clock.

    `since` is when the phase began, `promotions` how many there were then; `held_at` when it was found paused. `shift`
    is the adapter's memory and `checks` that of the checks. With `failure` the verdict has fallen and the canary goes.
    """

    since: datetime
    promotions: int
    index: int = 0
    phase: CanaryPhase = CanaryPhase.SHIFTING
    held_at: datetime | None = None
    shift: Mapping[str, Any] = field(default_factory=dict)
    checks: Mapping[str, Any] = field(default_factory=dict)
    failure: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def recall(cls, checkpoint: Mapping[str, Any], *, now: datetime, promotions: int) -> "CanaryMemory":
        known = dict(checkpoint)
        if not known:
            return cls(since=now, promotions=promotions)
        known["since"] = datetime.fromisoformat(known["since"])
        known["held_at"] = datetime.fromisoformat(known["held_at"]) if known.get("held_at") else None
        return cls(**known | {"phase": CanaryPhase(known["phase"])})

    def as_checkpoint(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "index": self.index,
            "phase": self.phase.value,
            "since": self.since.isoformat(),
            "promotions": self.promotions,
            "held_at": self.held_at.isoformat() if self.held_at else None,
            "shift": dict(self.shift),
            "checks": dict(self.checks),
            "failure": self.failure,
            "evidence": dict(self.evidence),
        }

    def held(self, now: datetime) -> "CanaryMemory":
        return self if self.held_at else replace(self, held_at=now)

    def let_go(self, now: datetime) -> "CanaryMemory":
        """Resumed: the time of the pause does not count."""
        return replace(self, held_at=None, since=self.since + (now - self.held_at)) if self.held_at else self


@dataclass(frozen=True, slots=True)
class Stage:
    """One mark of the stepper. `state` is done, current, next or stopped."""

    label: str
    state: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """For people: the strategy in words, its stages, and the sentence that says what is being waited for."""

    words: str
    stages: tuple[Stage, ...]
    sentence: str
    is_paused: bool


def strategy_in_words(strategy: Mapping[str, Any]) -> str:
    return in_words(strategy)


def pacing_step(deployment: Deployment) -> Step | None:
    """The step that people can pause and promote, while it is still to end; None for all other deployments."""
    names = {StrategyType.CANARY: StepName.CANARY, StrategyType.BLUE_GREEN: StepName.SWITCH}
    name = names.get(StrategyType(type_of(deployment.strategy)))
    if name is None or deployment.is_rollback or deployment.status != DeploymentStatus.IN_PROGRESS:
        return None
    return next((step for step in deployment.steps.all() if step.name == name and step.status in STEPS_OPEN), None)


def awaits_promotion(deployment: Deployment, step: Step) -> bool:
    """Whether a promotion would end what the step waits for now."""
    if step.status != StepStatus.RUNNING or step.checkpoint.get("promotions") != deployment.promotions:
        return False
    if step.name == StepName.SWITCH:
        return waits_for_promotion(deployment.strategy)
    return step.checkpoint.get("phase") == CanaryPhase.WATCHING and not step.checkpoint.get("failure")


def progress_of(deployment: Deployment) -> Progress | None:
    """None for deployments that go pod by pod, and for rollbacks: they take the short way."""
    kind = type_of(deployment.strategy)
    names = {StrategyType.CANARY: StepName.CANARY, StrategyType.BLUE_GREEN: StepName.SWITCH}
    if kind not in names or deployment.is_rollback:
        return None
    step = next((each for each in deployment.steps.all() if each.name == names[StrategyType(kind)]), None)
    if step is None:
        return None
    stages = _canary_stages(deployment, step) if kind == StrategyType.CANARY else _switch_stages(deployment, step)
    sentence = step.message if step.status == StepStatus.RUNNING else ""
    return Progress(in_words(deployment.strategy), stages, sentence, deployment.paused_at is not None)


def _canary_stages(deployment: Deployment, step: Step) -> tuple[Stage, ...]:
    steps = canary_steps(deployment.strategy)
    index = int(step.checkpoint.get("index", 0)) if step.status != StepStatus.SUCCEEDED else len(steps)
    notes = ["until promoted" if each.pause_seconds is None else _pause_note(each.pause_seconds) for each in steps]
    stages = [
        Stage(f"{each.weight} %", _state(step, number, index), note)
        for number, (each, note) in enumerate(zip(steps, notes, strict=True))
    ]
    return (*stages, Stage("100 %", _last_state(deployment, step), "the rest"))


def _switch_stages(deployment: Deployment, step: Step) -> tuple[Stage, ...]:
    started = deployment.started_at is not None
    beside = "done" if step.status != StepStatus.PENDING else ("current" if deployment.is_open and started else "next")
    if not deployment.is_open and step.status == StepStatus.SKIPPED:
        beside = "stopped"
    states = {StepStatus.RUNNING: "current", StepStatus.SUCCEEDED: "done", StepStatus.PENDING: "next"}
    note = "when promoted" if waits_for_promotion(deployment.strategy) else "by itself"
    return (
        Stage("Beside", beside, "a second workload"),
        Stage("Switch", states.get(StepStatus(step.status), "stopped"), note),
        Stage("Done", "done" if deployment.status == DeploymentStatus.SUCCEEDED else "next", "the old one goes"),
    )


def _state(step: Step, number: int, index: int) -> str:
    if number < index:
        return "done"
    if number > index or step.status == StepStatus.PENDING:
        return "next"
    return "current" if step.status == StepStatus.RUNNING else "stopped"


def _last_state(deployment: Deployment, step: Step) -> str:
    if deployment.status == DeploymentStatus.SUCCEEDED:
        return "done"
    if step.status != StepStatus.SUCCEEDED:
        return "next"
    return "current" if deployment.is_open else "stopped"


def _pause_note(seconds: int) -> str:
    if not seconds:
        return "no pause"
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
