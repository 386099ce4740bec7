from datetime import UTC, datetime, timedelta

from deployments.targets.kubernetes.judging import causes, grace
from deployments.targets.kubernetes.judging.causes import Cause
from deployments.targets.kubernetes.judging.grace import Patience

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
PULL = Cause(causes.IMAGE, "ErrImagePull: x", certain=True)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_a_cause_becomes_a_verdict_when_its_grace_is_over() -> None:
    first = Patience.recall({}, START)
    assert first.remaining_seconds("Deployment web", PULL) == 4.0
    later = Patience.recall(first.checkpoint({"Deployment web": [PULL]}), after(4))
    assert later.remaining_seconds("Deployment web", PULL) == 0.0


def test_the_wording_may_change_while_the_grace_runs_on() -> None:
    checkpoint = Patience.recall({}, START).checkpoint({"Deployment web": [PULL]})
    back_off = Cause(causes.IMAGE, "ImagePullBackOff: x", certain=True)
    assert Patience.recall(checkpoint, after(3)).remaining_seconds("Deployment web", back_off) == 1.0


def test_a_cause_that_went_away_begins_anew() -> None:
    seen = Patience.recall({}, START).checkpoint({"Deployment web": [PULL]})
    gone = Patience.recall(seen, after(2)).checkpoint({"Deployment web": []})
    assert Patience.recall(gone, after(9)).remaining_seconds("Deployment web", PULL) == 4.0


def test_an_uncertain_cause_starts_the_clock_but_is_never_a_verdict() -> None:
    uncertain = Cause(causes.IMAGE, "x", certain=False)
    checkpoint = Patience.recall({}, START).checkpoint({"Deployment web": [uncertain]})
    later = Patience.recall(checkpoint, after(60))
    assert later.remaining_seconds("Deployment web", uncertain) is None
    assert later.remaining_seconds("Deployment web", PULL) == -56.0


def test_workloads_have_their_own_clocks() -> None:
    checkpoint = Patience.recall({}, START).checkpoint({"Deployment web": [PULL]})
    later = Patience.recall(checkpoint, after(3))
    assert later.remaining_seconds("Deployment api", PULL) == 4.0
    assert later.waited_seconds() == 3.0


def test_a_target_says_how_long_trouble_may_last_for_all_kinds_or_for_one() -> None:
    usual = {"image": 4.0, "crash": 4.0}
    assert grace.grace_of({}, usual) == usual
    assert grace.grace_of({"grace_seconds": 30}, usual) == {"image": 30.0, "crash": 30.0}
    assert grace.grace_of({"grace_seconds": {"crash": 0}}, usual) == {"image": 4.0, "crash": 0}
    for wrong in (True, -1, float("nan"), {"moon": 1}, {"crash": "1"}, 1e9, "soon"):
        assert grace.problems(wrong)
        assert grace.grace_of({"grace_seconds": wrong}, usual) == usual
