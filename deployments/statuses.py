"""The states of deployments and steps, and the legal moves between them."""

from django.db.models import TextChoices

from releasemgr.core.statuses import TransitionTable


class DeploymentKind(TextChoices):
    DEPLOY = "deploy", "Deployment"
    ROLLBACK = "rollback", "Rollback"


class DeploymentStatus(TextChoices):
    PENDING = "pending", "Pending"
    IN_PROGRESS = "in_progress", "In progress"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    ROLLED_BACK = "rolled_back", "Rolled back"
    CANCELLED = "cancelled", "Cancelled"


# A finished deployment may still become rolled back: when a later rollback has taken its release away again.
DEPLOYMENT_MOVES = TransitionTable(
    {
        DeploymentStatus.PENDING: frozenset(
            {DeploymentStatus.IN_PROGRESS, DeploymentStatus.CANCELLED, DeploymentStatus.FAILED}
        ),
        DeploymentStatus.IN_PROGRESS: frozenset(
            {DeploymentStatus.SUCCEEDED, DeploymentStatus.FAILED, DeploymentStatus.CANCELLED}
        ),
        DeploymentStatus.SUCCEEDED: frozenset({DeploymentStatus.ROLLED_BACK}),
        DeploymentStatus.FAILED: frozenset({DeploymentStatus.ROLLED_BACK}),
        DeploymentStatus.CANCELLED: frozenset(),
        DeploymentStatus.ROLLED_BACK: frozenset(),
    }
)
OPEN = frozenset({DeploymentStatus.PENDING, DeploymentStatus.IN_PROGRESS})
ENDED = frozenset(DeploymentStatus) - OPEN
# Not those that succeeded: there is nothing to try again.
RETRYABLE = ENDED - {DeploymentStatus.SUCCEEDED}


class StepName(TextChoices):
    """`switch` moves the traffic of a blue/green rollout, `tidy` removes what only the rollout needed."""

    PREFLIGHT = "preflight", "Preflight"
    CANARY = "canary", "Canary"
    APPLY = "apply", "Apply"
    ROLLOUT = "rollout", "Rollout"
    VERIFY = "verify", "Verify"
    SWITCH = "switch", "Switch traffic"
    TIDY = "tidy", "Tidy up"
    PRUNE = "prune", "Prune"
    WAVES = "waves", "Further targets"


class StepStatus(TextChoices):
    PENDING = "pending", "Pending"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    SKIPPED = "skipped", "Skipped"
    CANCELLED = "cancelled", "Cancelled"


STEP_MOVES = TransitionTable(
    {
        StepStatus.PENDING: frozenset({StepStatus.RUNNING, StepStatus.SKIPPED, StepStatus.CANCELLED}),
        StepStatus.RUNNING: frozenset({StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.CANCELLED}),
        StepStatus.SUCCEEDED: frozenset(),
        StepStatus.FAILED: frozenset(),
        StepStatus.SKIPPED: frozenset(),
        StepStatus.CANCELLED: frozenset(),
    }
)
STEPS_OPEN = frozenset({StepStatus.PENDING, StepStatus.RUNNING})


class StrategyType(TextChoices):
    ROLLING = "rolling", "Rolling update"
    RECREATE = "recreate", "Recreate"
    BLUE_GREEN = "blue_green", "Blue/green"
    CANARY = "canary", "Canary"


class CheckKind(TextChoices):
    HTTP = "http", "HTTP request"
    PROMETHEUS = "prometheus", "Prometheus query"
    JOB = "job", "Job in the cluster"


class Verdict(TextChoices):
    PASS = "pass", "Pass"
    FAIL = "fail", "Fail"
    INCONCLUSIVE = "inconclusive", "Inconclusive"


class NoData(TextChoices):
    """What it means when a check gets no answer that it can judge."""

    FAIL = "fail", "Fails"
    PASS = "pass", "Passes"
    INCONCLUSIVE = "inconclusive", "Is inconclusive"


class BakeStatus(TextChoices):
    """`ended`: replaced or taken back by somebody before its time was up."""

    WATCHING = "watching", "Watching"
    PASSED = "passed", "Passed"
    FAILED = "failed", "Failed"
    ENDED = "ended", "Ended early"


BAKE_MOVES = TransitionTable(
    {
        BakeStatus.WATCHING: frozenset({BakeStatus.PASSED, BakeStatus.FAILED, BakeStatus.ENDED}),
        BakeStatus.PASSED: frozenset(),
        BakeStatus.FAILED: frozenset(),
        BakeStatus.ENDED: frozenset(),
    }
)


class WorkloadPhase(TextChoices):
    """`settled`: its numbers say that the rollout is complete; the engine looks closely before it believes it."""

    WAITING = "waiting", "Waiting"
    MOVING = "moving", "Moving"
    SETTLED = "settled", "Settled"
    TROUBLED = "troubled", "Troubled"
    GONE = "gone", "Gone"
