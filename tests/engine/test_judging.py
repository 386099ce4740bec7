"""What answers add up to. Pure."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.engine.judging import (
    Rules,
    Standing,
    Tally,
    begun,
    counted,
    has_failed,
    held_until,
    look_again_in,
    standing,
)
from deployments.health.base import Reading, Waiting
from deployments.statuses import NoData
from tests.engine.scripted_checks import AWAY, BAD, GOOD, NOTHING

START = datetime(2026, 1, 1, tzinfo=UTC)


def rules(limit: int = 0, on_no_data: NoData = NoData.INCONCLUSIVE, window: int = 30) -> Rules:
    return Rules("errors", timedelta(seconds=10), timedelta(seconds=window), limit, on_no_data)


def asked(by: Rules, *answers: Reading | Waiting, every: int = 10) -> tuple[Tally, datetime]:
    """The tally after one answer each ten seconds, and the time of the last."""
    tally, now = begun(Tally(), START), START
    for number, answer in enumerate(answers):
        now = START + timedelta(seconds=every * number)
        tally = counted(by, tally, answer, now)
    return Tally.of_row(tally.as_row()), now


@pytest.mark.parametrize(
    ("by", "answers", "expected"),
    [
        (rules(), [GOOD], Standing.ASKING),
        (rules(), [GOOD, GOOD, GOOD, GOOD], Standing.PASSED),
        (rules(), [BAD], Standing.FAILED),
        (rules(window=0), [GOOD], Standing.PASSED),
        (rules(window=0), [BAD], Standing.FAILED),
        (rules(limit=1), [GOOD, BAD, GOOD, GOOD], Standing.PASSED),
        (rules(limit=1), [BAD, GOOD, BAD], Standing.FAILED),
        (rules(), [GOOD, GOOD, GOOD, AWAY], Standing.HELD),
        (rules(), [AWAY, AWAY, AWAY, AWAY, GOOD], Standing.PASSED),
        (rules(), [AWAY] * 7, Standing.IN_DOUBT),
        (rules(on_no_data=NoData.FAIL), [AWAY] * 6, Standing.HELD),
        (rules(on_no_data=NoData.FAIL), [AWAY] * 7, Standing.FAILED),
        (rules(on_no_data=NoData.PASS), [AWAY] * 7, Standing.PASSED),
        (rules(on_no_data=NoData.FAIL), [NOTHING], Standing.FAILED),
        (rules(on_no_data=NoData.PASS), [NOTHING] * 4, Standing.PASSED),
        (rules(), [NOTHING] * 4, Standing.HELD),
        (rules(limit=5), [BAD] * 4, Standing.HELD),
        (rules(window=0), [AWAY], Standing.HELD),
        (rules(), [Waiting("Job runs.")] * 4, Standing.HELD),
    ],
)
def test_the_standing(by: Rules, answers: list[Reading], expected: Standing) -> None:
    tally, now = asked(by, *answers)
    assert standing(by, tally, now) is expected


def test_failures_that_are_long_past_are_forgotten() -> None:
    by = rules(limit=1)
    tally, now = asked(by, BAD, GOOD, GOOD, GOOD, GOOD, GOOD, BAD)
    assert not has_failed(by, tally, now)
    assert len(tally.failed_at) == 2, "the newest are kept, no more than decide"


def test_what_is_waited_for_is_no_answer() -> None:
    tally, now = asked(rules(), Waiting("Job runs.", 2))
    assert (tally.run, tally.last) == (0, "")
    assert look_again_in(rules(), tally, now) == timedelta(seconds=2)


ANSWERS = st.lists(st.sampled_from([GOOD, BAD, AWAY, NOTHING, Waiting("…", 5)]), min_size=1, max_size=30)


@given(ANSWERS, st.integers(0, 4), st.sampled_from(list(NoData)), st.integers(0, 120))
def test_every_check_comes_to_an_end_and_none_passes_with_too_many_failures(
    answers: list[Reading | Waiting], limit: int, on_no_data: NoData, window: int
) -> None:
    by = rules(limit, on_no_data, window)
    tally, now = asked(by, *answers)
    found = standing(by, tally, now)

    assert has_failed(by, tally, now) == (found is Standing.FAILED) or on_no_data is NoData.FAIL
    if found is Standing.PASSED:
        assert tally.passes or on_no_data is NoData.PASS
    ends = standing(by, tally, START + max(held_until(by), now - START) + timedelta(seconds=1))
    assert ends not in (Standing.ASKING, Standing.HELD), "nothing is held for ever"
    assert look_again_in(by, tally, now) > timedelta(0)
