"""Proves for a while that what was rolled out stays healthy: its workloads, and what the checks say of it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from deployments.engine.checking import Round, ask_round, longest, told
from deployments.engine.judging import Standing, Tally, restarted
from deployments.engine.recovery import clock_of
from deployments.models import Check, Deployment, Step
from deployments.selectors.checks import firing_alerts
from deployments.services.asking import checks_of
from deployments.services.planning import adapter_of
from deployments.targets.base import Errored, Failed, Running, StepResult, Succeeded, Work

VERIFY = "verify"


def verify(deployment: Deployment, step: Step, work: Work, now: datetime) -> StepResult:
    """Succeeded once the workloads have been healthy for the whole window and every check has passed.

    A relapse of the workloads starts the windows anew. A rollback is verified by the same checks.
    """
    checks = checks_of(deployment)
    if not checks and not deployment.environment.verify_seconds:
        return Succeeded("The rollout is complete; this environment asks for no further watching.")
    if alerts := firing_alerts(deployment):
        return Failed(f"An alert is firing: {alerts[0]['sentence']}", evidence={"alerts": alerts})
    # Time in which nobody could look proves no health.
    return _watch(deployment, step.checkpoint, checks, work, clock_of(step, now))


def _watch(
    deployment: Deployment, memory: dict[str, Any], checks: Sequence[Check], work: Work, now: datetime
) -> StepResult:
    seen = adapter_of(deployment).observe(work, checkpoint=memory.get("rollout", {}), now=now)
    if isinstance(seen, Failed | Errored):
        return seen
    if isinstance(seen, Running):
        return _relapsed(seen, memory.get("checks", {}), checks)
    round_ = ask_round(checks, memory.get("checks", {}), work, phase=VERIFY, now=now)
    result = _judged(deployment, round_, memory, now)
    return replace(result, log=(*seen.log, *result.log), measured=round_.measured)


def _relapsed(seen: Running, rows: dict[str, Any], checks: Sequence[Check]) -> Running:
    kept = {check_id: restarted(Tally.of_row(row)).as_row() for check_id, row in rows.items()}
    return Running(
        f"No longer healthy: {seen.message}",
        retry_after_seconds=seen.retry_after_seconds,
        checkpoint={"rollout": dict(seen.checkpoint), "checks": kept, "watch_seconds": longest(checks)},
        log=seen.log,
    )


def _judged(
    deployment: Deployment, round_: Round, memory: dict[str, Any], now: datetime
) -> Succeeded | Running | Failed:
    if bad := round_.of(Standing.FAILED):
        return Failed(told(bad), evidence={"checks": round_.evidence()})
    since = datetime.fromisoformat(memory["healthy_since"]) if "healthy_since" in memory else now
    window = timedelta(seconds=deployment.environment.verify_seconds)
    left = (since + window - now).total_seconds()
    if left > 0 or not round_.is_over:
        return _watched_on(round_, memory, since, left)
    if unclear := round_.of(Standing.IN_DOUBT):
        words = f"Nobody could tell whether {deployment.release.version} is healthy. {told(unclear)}"
        advice = "It stays as it is: look at it, then roll it back or deploy it again."
        return Failed(f"{words} {advice}", evidence={"checks": round_.evidence()}, in_doubt=True)
    return _succeeded(round_, window)


def _watched_on(round_: Round, memory: dict[str, Any], since: datetime, left: float) -> Running:
    times = (left, round_.look_again_in())
    return Running(
        _waiting_words(round_, left),
        retry_after_seconds=min(each for each in times if each is not None and each > 0),
        checkpoint={
            "healthy_since": since.isoformat(),
            "rollout": dict(memory.get("rollout", {})),
            "checks": round_.as_rows(),
            "watch_seconds": longest([each.check for each in round_.asked]),
        },
    )


def _succeeded(round_: Round, window: timedelta) -> Succeeded:
    unheard = [each for each in round_.asked if not each.tally.passes]
    log = tuple(f"Check “{each.check.name}” counts as passed by its rule. {each.sentence}" for each in unheard)
    words = [f"Stayed healthy for {int(window.total_seconds())} s."] if window else []
    words += [f"{len(round_.asked)} {'check' if len(round_.asked) == 1 else 'checks'} passed."] if round_.asked else []
    return Succeeded(" ".join(words), log=log)


def _waiting_words(round_: Round, left: float) -> str:
    """Says nothing that counts down while checks are asked: each new message is a line of the log."""
    if held := round_.of(Standing.HELD):
        return f"Held open, because nobody can tell yet. {told(held)}"
    asking = round_.of(Standing.ASKING)
    if asking:
        names = ", ".join(each.check.name for each in asking[:5])
        return f"Healthy so far; being checked: {names}."
    return f"Healthy; watched for another {ceil(left)} s."
