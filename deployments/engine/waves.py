"""The step that leads a release on: to the further targets wave by wave, or back from them all at once.

It remembers nothing of its own: what is done and what comes next is read from the parts each time, so that a kill at
any line and a second worker find the same.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from deployments.engine.recovery import brings_back_waves
from deployments.models import Deployment, Step, Target
from deployments.selectors import last_good
from deployments.selectors.waves import further_targets, listed, names_of, parts_of, waves_of
from deployments.services.control import stop_waiting_parts
from deployments.services.rollbacks import bring_back_parts
from deployments.services.waves import make_parts
from deployments.statuses import DeploymentStatus
from deployments.targets.base import Failed, Running, StepResult, Succeeded, Work
from releasemgr.core.errors import Invalid

# The end of a part wakes its lead; this is for the news that got lost.
POLL_SECONDS = 5.0


def lead_on(deployment: Deployment, step: Step, work: Work, now: datetime) -> StepResult:
    """Succeeded when every part has; Failed when one has not and the others have come to rest."""
    if deployment.is_rollback:
        return _lead_back(deployment)
    targets, parts = further_targets(deployment), list(parts_of(deployment))
    if deployment.cancel_requested_at is not None or any(map(_went_wrong, parts)):
        return _stop(deployment, targets, parts)
    try:
        return _go_on(deployment, targets, parts, since=step.started_at or now, now=now)
    except Invalid as error:
        return Failed(f"{error.message} {_where_it_runs(deployment, targets, parts)}")


def _go_on(
    lead: Deployment, targets: Sequence[Target], parts: Iterable[Deployment], *, since: datetime, now: datetime
) -> StepResult:
    """`since` is when the target before was done."""
    names, made = names_of([lead.target, *targets]), {part.target_id: part for part in parts}
    pause = timedelta(seconds=lead.environment.wave_pause_seconds)
    for wave in waves_of(targets):
        here = listed(names[target.pk] for target in wave)
        missing = [target for target in wave if target.pk not in made]
        if missing and now < since + pause:
            message = f"Pauses for {pause.total_seconds():.0f} s before it goes on in {here}."
            return _waiting(message, (since + pause - now).total_seconds())
        if missing:
            make_parts(lead, missing)
        if missing or any(made[target.pk].is_open for target in wave):
            return _waiting(f"Goes on in {here}.")
        since = max(made[target.pk].completed_at or since for target in wave)
    return Succeeded(f"{lead.release.version} runs in {listed(names.values())}.")


def _stop(lead: Deployment, targets: Sequence[Target], parts: Sequence[Deployment]) -> StepResult:
    """Nothing new is begun; what is under way comes to rest first."""
    names = names_of([lead.target, *targets])
    bad = [part for part in parts if _went_wrong(part)]
    why = f"{listed(names[part.target_id] for part in bad)} failed." if bad else "It is being cancelled."
    stop_waiting_parts(lead, why=f"Not started: {why}")
    if moving := [names[part.target_id] for part in parts if part.is_open]:
        return _waiting(f"{why} Waits until {listed(moving)} has come to rest.")
    if not bad:
        return _waiting(why)
    causes = "; ".join(f"{names[part.target_id]} failed: {part.error_message}" for part in _first_causes(bad))
    return Failed(f"{causes.rstrip('.')}. {_where_it_runs(lead, targets, parts)}")


def _first_causes(bad: Sequence[Deployment]) -> Sequence[Deployment]:
    """Those that failed themselves, rather than being stopped because another had."""
    return [part for part in bad if part.status != DeploymentStatus.CANCELLED] or bad


def _where_it_runs(lead: Deployment, targets: Sequence[Target], parts: Iterable[Deployment]) -> str:
    """What becomes of those that were done, and which were never reached."""
    names = names_of([lead.target, *targets])
    reached = {part.target_id: part for part in parts}
    done = [lead.target_id, *(pk for pk, part in reached.items() if part.status == DeploymentStatus.SUCCEEDED)]
    is_taken_back = brings_back_waves(lead) and last_good(lead.target, before=lead) is not None
    fate = "brought back" if is_taken_back else f"left on {lead.release.version}"
    sentence = f"{listed(names[pk] for pk in done)}: {fate}."
    if missed := [names[target.pk] for target in targets if target.pk not in reached]:
        sentence += f" Not reached: {listed(missed)}."
    return sentence


def _lead_back(rollback: Deployment) -> StepResult:
    """Every target goes back by itself; one that cannot does not hold up the others."""
    bring_back_parts(rollback)
    undone = rollback.rolls_back
    stopping = list(parts_of(undone)) if undone else []
    parts = list(parts_of(rollback))
    names = names_of([rollback.target, *(part.target for part in [*stopping, *parts])])
    if moving := [names[part.target_id] for part in [*stopping, *parts] if part.is_open]:
        return _waiting(f"Waits for {listed(dict.fromkeys(moving))}.")
    bad = [part for part in parts if _went_wrong(part)]
    if bad:
        causes = "; ".join(f"{names[part.target_id]} failed: {part.error_message}" for part in bad)
        well = [names[pk] for pk in (rollback.target_id, *(part.target_id for part in parts if part not in bad))]
        return Failed(f"{causes.rstrip('.')}. Brought back: {listed(well)}.")
    back = {part.target_id: part.release.version for part in [rollback, *parts]}
    return Succeeded(f"{listed(f'{names[pk]} runs {version}' for pk, version in back.items())}.")


def _went_wrong(part: Deployment) -> bool:
    return not part.is_open and part.status != DeploymentStatus.SUCCEEDED


def _waiting(message: str, seconds: float = POLL_SECONDS) -> Running:
    return Running(message, retry_after_seconds=seconds, has_deadline=False)
