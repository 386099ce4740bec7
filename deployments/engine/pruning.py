"""Removes what a release no longer contains, once it has proved itself."""

from datetime import datetime

from deployments.models import Deployment, Step
from deployments.services.planning import adapter_of
from deployments.targets.base import Pruning, StepResult, Succeeded, Work


def prune(deployment: Deployment, step: Step, work: Work, now: datetime) -> StepResult:
    """Called again after a crash it finds gone what it has removed already."""
    adapter = adapter_of(deployment)
    if not isinstance(adapter, Pruning):
        return Succeeded("Targets of this kind remove by themselves what a release no longer contains.")
    return adapter.prune(work)
