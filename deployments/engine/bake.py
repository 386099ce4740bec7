"""The watch after a success: asks the checks until its time is up. A row with a timer and a lease, as a deployment is.

What ends it well or badly is decided while the target's row is held, as the start of a deployment does, so that of a
failing check and a newer deployment one is first and the other sees it.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from deployments.engine import claims
from deployments.engine.checking import Asked, Round, ask_round, told
from deployments.engine.claims import Claim, LostClaim, fenced
from deployments.engine.judging import has_failed
from deployments.engine.passes import Outcome, run_pass
from deployments.models import Bake, Deployment
from deployments.selectors.bakes import successor_of
from deployments.selectors.checks import firing_alerts
from deployments.services.asking import checks_of
from deployments.services.bakes import end_bake, fail_bake, hold_target
from deployments.services.clusters import connection_to
from deployments.services.measurements import write_measurements
from deployments.services.planning import progressive, strategy_of, work_of
from deployments.statuses import BakeStatus, DeploymentStatus, StrategyType, Verdict
from deployments.targets.base import Errored, Failed
from deployments.transitions import announce, move_bake, write_log

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
BAKE = "bake"
# Somebody may end it at any time: it looks at least this often.
LONGEST_SLEEP = timedelta(seconds=60)
# What a strategy kept for the bake is cleared away when it ends; for how long that is tried.
TIDY_PATIENCE = timedelta(minutes=10)
TIDY_PAUSE = timedelta(seconds=10)


def tick(bake_id: UUID, *, clock: Clock | None = None) -> Outcome:
    """One pass over a bake, as `engine.runner.tick` is over a deployment."""
    return run_pass(claims.take(bake_id, Bake), lambda claim: _go_on(claim, clock or claim.now))


def _go_on(claim: Claim, clock: Clock) -> timedelta | None:
    """How long to sleep, None when it is over."""
    bake = _load(claim)
    deployment = bake.deployment
    work = work_of(deployment, connection_to(deployment.target.cluster))
    rows = bake.checkpoint.get("checks", {})
    round_ = ask_round(checks_of(deployment), rows, work, phase=BAKE, now=clock(), endless=True)
    is_over = clock() >= bake.until
    if is_over and not (_bad(round_) or firing_alerts(deployment)):
        untidy = on_bake_end(bake)
        if untidy and clock() < bake.until + TIDY_PATIENCE:
            _note(claim, bake, untidy)
            return TIDY_PAUSE
    with transaction.atomic():
        hold_target(deployment)
        with fenced(claim, bake):
            return _save(bake, round_, clock())


def _load(claim: Claim) -> Bake:
    bake: Bake | None = (
        claim.rows.select_related("deployment__target__cluster", "deployment__environment", "deployment__application")
        .select_related("deployment__release")
        .defer("deployment__target__database_url")
        .first()
    )
    if bake is None:
        raise LostClaim(claim.pk)
    deployment = bake.deployment
    deployment.target.application = deployment.release.application = deployment.application
    deployment.target.environment = deployment.environment
    return bake


def _save(bake: Bake, round_: Round, now: datetime) -> timedelta | None:
    """In the fenced transaction that holds the target: nobody starts or ends anything there meanwhile."""
    if bake.status != BakeStatus.WATCHING:
        return None
    deployment = bake.deployment
    write_measurements(deployment, round_.measured)
    newer, bad, alerts = successor_of(deployment), _bad(round_), firing_alerts(deployment)
    if newer is not None:
        end_bake(bake, by=newer, now=now)
    elif bad or alerts:
        why = told(bad) if bad else f"An alert is firing: {alerts[0]['sentence']}"
        fail_bake(bake, why, evidence={"checks": round_.evidence(), "alerts": alerts}, now=now)
    elif now >= bake.until:
        move_bake(bake, to=BakeStatus.PASSED, message=_passed_words(round_), completed_at=now, wake_at=None)
        write_log(deployment, _passed_words(round_))
    else:
        return _watch_on(bake, round_, now)
    return None


def _watch_on(bake: Bake, round_: Round, now: datetime) -> timedelta:
    message = told(_unheard(round_))
    Bake.objects.filter(pk=bake.pk).update(checkpoint={"checks": round_.as_rows()}, message=message)
    if message != bake.message:
        announce(bake.deployment)
    waits = [datetime.fromisoformat(each.tally.next_at) - now for each in round_.asked if each.tally.next_at]
    return max(min([*waits, bake.until - now, LONGEST_SLEEP]), timedelta(milliseconds=200))


def _bad(round_: Round) -> list[Asked]:
    return [each for each in round_.asked if has_failed(each.rules, each.tally, round_.now)]


def _unheard(round_: Round) -> list[Asked]:
    """Nobody can tell just now: said on the page, and no reason to roll back."""
    return [each for each in round_.asked if each.tally.last == Verdict.INCONCLUSIVE]


def _passed_words(round_: Round) -> str:
    unheard = _unheard(round_)
    return (
        f"Baked. At the end nobody could tell about some: {told(unheard)}" if unheard else "Baked: nothing was wrong."
    )


def _note(claim: Claim, bake: Bake, message: str) -> None:
    with fenced(claim, bake):
        if message != bake.message:
            Bake.objects.filter(pk=bake.pk).update(message=message)
            write_log(bake.deployment, message, level="warning")
            announce(bake.deployment)


def on_bake_end(bake: Bake) -> str:
    """Clear away what a strategy kept until here, outside of any transaction. What could not be done, or nothing.

    Before the bake is marked as passed, so that a kill in between means that it is done again. A bake that is ended by
    a newer deployment clears nothing: that one's own steps know what to keep.
    """
    parts = bake.deployment.parts.filter(status=DeploymentStatus.SUCCEEDED)
    rows = parts.select_related("target__cluster", "target__application", "target__environment", "release")
    problems = (_tidy(each) for each in (bake.deployment, *rows.order_by("created_at")))
    return next((problem for problem in problems if problem), "")


def _tidy(deployment: Deployment) -> str:
    if strategy_of(deployment) != StrategyType.BLUE_GREEN or successor_of(deployment) is not None:
        return ""
    try:
        result = progressive(deployment).tidy(work_of(deployment, connection_to(deployment.target.cluster)))
    except Exception as error:
        logger.exception("What a strategy kept could not be cleared away", extra={"deployment": str(deployment.pk)})
        return f"Could not clear away the old workloads ({type(error).__name__})."
    return result.message if isinstance(result, Failed | Errored) else ""
