"""What a step says while something that it needs is away, and when that is over.

The step shows what is waited for, since when, and when it is tried again; the log tells each cause once.
"""

from datetime import datetime, timedelta
from math import ceil

from deployments.models import Step
from deployments.statuses import StepName
from deployments.targets.base import Errored

WAITING = "Waiting for "


def waiting(result: Errored, *, since: datetime, now: datetime, pause: timedelta) -> str:
    """`Waiting for the cluster: Could not … Tries again in 8 s (since 12:03 UTC).`"""
    return f"{cause(result)} Tries again in {ceil(pause.total_seconds())} s ({_since(since, now)})."


def cause(result: Errored) -> str:
    return f"{WAITING}{result.waits_for}: {result.message}" if result.waits_for else result.message


def is_told(step: Step, result: Errored) -> bool:
    """Whether the log knows this cause since the outage began; a flapping cluster must not flood it."""
    told = cause(result)
    if step.away_since is None or step.message.startswith(told):
        return step.away_since is not None
    return step.deployment.log.filter(step=step.name, message=told, created_at__gte=step.away_since).exists()


def over(step: Step, now: datetime) -> str:
    """What ends an outage, once; empty when there was none."""
    if step.away_since is None:
        return ""
    lasted = spelled(now - step.away_since)
    thing, found, _ = step.message.removeprefix(WAITING).partition(": ")
    if step.message.startswith(WAITING) and found:
        return f"{thing[:1].upper()}{thing[1:]} answers again after {lasted}."
    return f"Goes on after {lasted} of waiting."


def given_up(step: Step, result: Errored, now: datetime) -> str:
    """The end of patience. It says what is known and what is not."""
    since = step.away_since or now
    known = (
        f"Nothing was changed: it was tried for {spelled(now - since)}."
        if step.name == StepName.PREFLIGHT
        else f"It could not be observed {_since(since, now)}; what runs there is unknown."
    )
    return f"{result.message} {known}"


def spelled(time: timedelta) -> str:
    seconds = max(time.total_seconds(), 1)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _since(since: datetime, now: datetime) -> str:
    shape = "%H:%M" if since.date() == now.date() else "%Y-%m-%d %H:%M"
    return f"since {since.strftime(shape)} UTC"
