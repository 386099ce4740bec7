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
    PREFLIGHT = "preflight", "Preflight"
    APPLY = "apply", "Apply"
    ROLLOUT = "rollout", "Rollout"
    VERIFY = "verify", "Verify"


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
