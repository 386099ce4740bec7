"""What the engine asks of a target: frozen dataclasses in, results out.

Nothing below this package knows Django or our models. Secrets arrive resolved in `Connection` and never leave it:
no adapter may put a kubeconfig, a token or a Secret's data into a message, a log line, a checkpoint or evidence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from deployments.targets.comparison import Comparison, DriftReport

Manifest = Mapping[str, Any]
# How often a step is asked again that has no other time in mind.
POLL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach one cluster. `key` changes whenever the credentials do, so clients may be cached by it."""

    key: str
    kubeconfig: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Work:
    """One deployment as an adapter sees it.

    `manifests` are the release's parsed objects, `images` maps container name to image reference, `chart` and `values`
    are what a Helm release holds, `objects` are the rendered objects once `render` has run (stored with the
    deployment). `sequence` grows with each deployment of the target `target_id` and fences writes: a cluster object of
    that target that carries a higher one belongs to a newer deployment. `overrides`, `strategy` and `guardrails` are
    the target's; `take_over` names the field managers whose fields a person allowed us to take, `prune` the objects
    that they saw and want removed ({apiVersion, kind, name}).
    """

    deployment_id: str
    sequence: int
    application: str
    version: str
    environment: str
    namespace: str
    connection: Connection
    manifests: Sequence[Manifest] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    objects: Sequence[Manifest] = ()
    target_id: str = ""
    chart: Mapping[str, Any] | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    strategy: Mapping[str, Any] = field(default_factory=dict)
    guardrails: Mapping[str, Any] = field(default_factory=dict)
    take_over: Sequence[str] = ()
    prune: Sequence[Mapping[str, Any]] = ()
    is_rollback: bool = False
    # What `apply` left behind, by the object's title: {"uid", "generation"}. Nothing older may be believed.
    written: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """One answer to a health check, on its way into the database. `verdict` is one of `statuses.Verdict`.

    The engine adds these to a step's result and writes them with its checkpoint, so that none is counted twice. An
    adapter never does.
    """

    check_id: str
    name: str
    phase: str
    verdict: str
    value: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Succeeded:
    """`objects` replaces the deployment's rendered objects, for what only the cluster or the chart could tell."""

    message: str
    checkpoint: Mapping[str, Any] = field(default_factory=dict)
    log: tuple[str, ...] = ()
    measured: tuple[Measured, ...] = ()
    objects: tuple[Manifest, ...] | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """Not done yet. Woken earlier by a cluster event; otherwise asked again after `retry_after_seconds`.

    With `has_deadline` false the step may wait for ever (for a person, or for other deployments): no time-out ends it.
    """

    message: str
    retry_after_seconds: float = POLL_SECONDS
    checkpoint: Mapping[str, Any] = field(default_factory=dict)
    log: tuple[str, ...] = ()
    has_deadline: bool = True
    measured: tuple[Measured, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """A verdict: the release does not work here. Never retried. `message` is the cause that a person needs.

    `in_doubt`: nobody could tell. It does not count as a success, and nothing is rolled back by itself either.
    """

    message: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    log: tuple[str, ...] = ()
    measured: tuple[Measured, ...] = ()
    in_doubt: bool = False


@dataclass(frozen=True, slots=True)
class Errored:
    """A breakage outside the release (cluster away, 429, 5xx). The engine retries it with back-off.

    `waits_for` names what is away, such as `the cluster`; empty when it is not known.
    """

    message: str
    retry_after_seconds: float | None = None
    log: tuple[str, ...] = ()
    waits_for: str = ""


StepResult = Succeeded | Running | Failed | Errored


class InvalidContent(ValueError):
    """The release's content can't go to this target. Each problem is a sentence for people."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class Target(Protocol):
    """One kind of target. Every method may be called again after a crash: observe first, then act."""

    def render(self, work: Work) -> tuple[Manifest, ...]:
        """The objects that the release means here, as far as they are known without the cluster or the chart.

        Pure: no network. Raises InvalidContent.
        """
        ...

    def stamp(self, work: Work) -> tuple[Manifest, ...]:
        """`work.objects` marked as this deployment's, exactly as they will be applied. Pure. Raises InvalidContent.

        Called once, when the deployment starts and has its sequence. A rollback's objects are those of the deployment
        that it brings back: nothing but the marks changes.
        """
        ...

    def preflight(self, work: Work) -> StepResult:
        """Cluster reachable, every right granted, every object accepted by a dry run. Changes nothing."""
        ...

    def apply(self, work: Work) -> StepResult:
        """Make the cluster hold `work.objects`. Idempotent, fenced by `work.sequence`."""
        ...

    def observe(self, work: Work, *, checkpoint: Mapping[str, Any], now: datetime) -> StepResult:
        """Succeeded when every workload runs the wanted revision and nothing else; Failed when it never will.

        `checkpoint` is what the last `Running` of this step carried (empty at first): an adapter keeps there when it
        first saw a bad state, so that a verdict can wait out a short grace. `now` is aware. It may free what holds up
        our own rollout (a broken pod of a revision that is being replaced) and says so in the log; nothing else.
        """
        ...

    def evidence(self, work: Work) -> Mapping[str, Any]:
        """What a person wants to see of workloads that are not ready, for a step that ran out of time.

        Raises nothing of its own: what could not be read is left out.
        """
        ...


@runtime_checkable
class Comparing(Protocol):
    """A target that can tell what a deployment would change, and what others have changed since. Changes nothing."""

    def compare(self, work: Work) -> Comparison:
        """`work.objects` against the cluster; `work.prune` are candidates for removal, told if they are still there.

        Raises nothing of its own: a cluster that is away is a problem in words.
        """
        ...

    def find_drift(self, work: Work) -> DriftReport:
        """What differs from `work.objects`, which the deployment `work.deployment_id` applied. Raises nothing."""
        ...


@runtime_checkable
class Pruning(Protocol):
    """A target that can remove what a release no longer contains."""

    def prune(self, work: Work) -> StepResult:
        """Delete those of `work.prune` that still carry our mark of this target; the others stay, with a log line."""
        ...


@runtime_checkable
class Progressive(Protocol):
    """A target that can bring a release out beside the one that runs (see `targets.strategies`)."""

    def shift(self, work: Work, percent: int, *, checkpoint: Mapping[str, Any], now: datetime) -> StepResult:
        """Give the candidate `percent` of the traffic. Running until its pods are ready, Failed when they never are.

        0 takes the traffic away and removes it. Succeeded with `nothing_runs` in its checkpoint where no earlier
        release runs that it could be compared with.
        """
        ...

    def switch(self, work: Work) -> StepResult:
        """Send all traffic to this deployment's workloads (blue/green)."""
        ...

    def tidy(self, work: Work) -> StepResult:
        """Remove the workloads and routes that a strategy made and that are not in `work.objects`. Idempotent."""
        ...
