from datetime import UTC, datetime, timedelta

from deployments.targets.kubernetes import causes
from deployments.targets.kubernetes.causes import Cause
from deployments.targets.kubernetes.grace import Patience

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
GRACE = {causes.IMAGE: 4.0}
PULL = Cause(causes.IMAGE, "ErrImagePull: x", certain=True)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_a_cause_becomes_a_verdict_when_its_grace_is_over() -> None:
    first = Patience.recall({}, START)
    assert first.remaining_seconds("Deployment web", PULL, GRACE) == 4.0
    later = Patience.recall(first.checkpoint({"Deployment web": [PULL]}), after(4))
    assert later.remaining_seconds("Deployment web", PULL, GRACE) == 0.0


def test_the_wording_may_change_while_the_grace_runs_on() -> None:
    checkpoint = Patience.recall({}, START).checkpoint({"Deployment web": [PULL]})
    back_off = Cause(causes.IMAGE, "ImagePullBackOff: x", certain=True)
    assert Patience.recall(checkpoint, after(3)).remaining_seconds("Deployment web", back_off, GRACE) == 1.0


def test_a_cause_that_went_away_begins_anew() -> None:
    seen = Patience.recall({}, START).checkpoint({"Deployment web": [PULL]})
    gone = Patience.recall(seen, after(2)).checkpoint({"Deployment web": []})
    assert Patience.recall(gone, after(9)).remaining_seconds("Deployment web", PULL, GRACE) == 4.0


def test_an_uncertain_cause_starts_the_clock_but_is_never_a_verdict() -> None:
    uncertain = Cause(causes.IMAGE, "x", certain=False)
    checkpoint = Patience.recall({}, START).checkpoint({"Deployment web": [uncertain]})
    later = Patience.recall(checkpoint, after(60))
    assert later.remaining_seconds("Deployment web", uncertain, GRACE) is None
    assert later.remaining_seconds("Deployment web", PULL, GRACE) == -56.0


def test_workloads_have_their_own_clocks() -> None:
    checkpoint = Patience.recall({}, START).checkpoint({"Deployment web": [PULL]})
    later = Patience.recall(checkpoint, after(3))
    assert later.remaining_seconds("Deployment api", PULL, GRACE) == 4.0
    assert later.waited_seconds() == 3.0
