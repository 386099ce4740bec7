"""django-q2 entry points: load by id, one call. At least once: a second run finds nothing to do."""

import time
from uuid import UUID

from deployments.engine import bake
from deployments.engine.passes import Outcome
from deployments.engine.runner import tick
from deployments.services.bakes import wake_due_bakes
from deployments.services.waking import wake, wake_due

# Well below Q_CLUSTER["timeout"]: a long deployment gives the worker back and is woken again.
BUDGET_SECONDS = 40.0


def tick_deployment(deployment_id: str) -> None:
    started = time.monotonic()
    while tick(UUID(deployment_id)) is Outcome.AGAIN:
        if time.monotonic() - started > BUDGET_SECONDS:
            wake(UUID(deployment_id))
            return


def tick_bake(bake_id: str) -> None:
    while bake.tick(UUID(bake_id)) is Outcome.AGAIN:
        pass


def sweep_due_deployments() -> None:
    """Every minute: the safety net when no observer runs."""
    wake_due()
    wake_due_bakes()
