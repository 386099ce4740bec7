"""One bounded pass over a row under its lease: what goes wrong is told, and the timer is set, whatever happens."""

import logging
from collections.abc import Callable
from datetime import timedelta
from enum import Enum

from deployments.engine import claims
from deployments.engine.claims import Claim, LostClaim

logger = logging.getLogger(__name__)

AFTER_A_BREAKAGE = timedelta(seconds=5)


class Outcome(Enum):
    """What the caller does next."""

    AGAIN = "there is more to do now"
    ASLEEP = "a timer or a cluster event will wake it"
    LEFT = "ended, not due, or another worker's"


def run_pass(claim: Claim | None, go_on: Callable[[Claim], timedelta | None]) -> Outcome:
    """`go_on` says how long to sleep, None when the work has ended. Without a claim there is nothing to do."""
    if claim is None:
        return Outcome.LEFT
    try:
        with claims.kept_alive(claim):
            sleep = go_on(claim)
    except LostClaim:
        logger.warning("Another worker took over", extra={"row": str(claim.pk)})
        return Outcome.LEFT
    except Exception:
        logger.exception("A tick broke; it is tried again", extra={"row": str(claim.pk)})
        sleep = AFTER_A_BREAKAGE
    woken = claims.release(claim, sleep=sleep)
    return Outcome.AGAIN if woken else (Outcome.LEFT if sleep is None else Outcome.ASLEEP)
