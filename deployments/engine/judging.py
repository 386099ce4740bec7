"""What the answers to a check add up to. Pure: the answers so far in, a verdict out.

- A check passes at the end of its window: its failures stayed within the limit, something passed, and its last answer
  said something.
- It fails as soon as more than `failure_limit` answers within one window are bad.
- It is *inconclusive* while nobody can tell: the provider is down, or there is no data and no rule for that. That is
  never counted as good or bad. The check is held open for another window (HOLD at least), and asked on. If still nobody
  can tell then, the check's own rule for missing data decides; without one the step ends in doubt: it does not succeed,
  and nothing is rolled back, because nothing is known to be bad.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from deployments.health.base import Reading, Waiting
from deployments.statuses import NoData, Verdict

HOLD = timedelta(seconds=30)
MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Rules:
    """A check's own: how often, for how long, how many failures are forgiven, and what missing data means.

    `hold` is how long it is kept open after its window while nobody can tell.
    """

    name: str
    interval: timedelta
    window: timedelta
    failure_limit: int
    on_no_data: NoData
    hold: timedelta = HOLD


class Standing(Enum):
    ASKING = "asking"
    HELD = "held"
    PASSED = "passed"
    FAILED = "failed"
    IN_DOUBT = "in doubt"


@dataclass(frozen=True, slots=True)
class Tally:
    """What is remembered of one check between two passes; plain JSON by `as_row`. Times are ISO texts.

    `failed_at` are the latest failures, `run` counts the answers, `last` is the last verdict and `sentence` its words.
    """

    since: str = ""
    next_at: str = ""
    run: int = 0
    passes: int = 0
    failed_at: tuple[str, ...] = ()
    last: str = ""
    sentence: str = ""
    bad: str = ""
    log: tuple[str, ...] = field(default=())

    @classmethod
    def of_row(cls, row: Mapping[str, Any] | None) -> "Tally":
        known = dict(row or {})
        return cls(**known | {name: tuple(known.get(name) or ()) for name in ("failed_at", "log")})

    def as_row(self) -> dict[str, Any]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def is_due(tally: Tally, now: datetime) -> bool:
    return not tally.next_at or datetime.fromisoformat(tally.next_at) <= now


def is_within(rules: Rules, tally: Tally) -> bool:
    """Whether its next answer belongs to the window. So it is asked at the end as well, not only at the beginning."""
    if not tally.next_at or not tally.since:
        return True
    return datetime.fromisoformat(tally.next_at) <= datetime.fromisoformat(tally.since) + rules.window


def begun(tally: Tally, now: datetime) -> Tally:
    """Its window opens when it is asked first."""
    return tally if tally.since else replace(tally, since=now.isoformat())


def restarted(tally: Tally) -> Tally:
    """The workloads fell ill and got well again: the window starts anew, failures so far stay counted."""
    return replace(tally, since="", next_at="")


def verdict_of(rules: Rules, reading: Reading) -> Verdict:
    """The check's rule decides what missing data means; a provider that is down stays inconclusive."""
    return Verdict(rules.on_no_data.value) if reading.no_data else Verdict(reading.verdict)


def counted(rules: Rules, tally: Tally, answer: Reading | Waiting, now: datetime) -> Tally:
    """The tally with one more answer. What is still being waited for counts as nothing."""
    if isinstance(answer, Waiting):
        return replace(tally, next_at=(now + timedelta(seconds=answer.retry_after_seconds)).isoformat())
    verdict = verdict_of(rules, answer)
    tally = replace(
        tally,
        next_at=(now + rules.interval).isoformat(),
        run=tally.run + 1,
        last=verdict.value,
        sentence=answer.sentence,
    )
    if verdict is Verdict.PASS:
        return replace(tally, passes=tally.passes + 1)
    if verdict is Verdict.FAIL:
        failed_at = (*tally.failed_at, now.isoformat())[-(rules.failure_limit + 1) :]
        return replace(tally, failed_at=failed_at, bad=answer.sentence, log=answer.log)
    return tally


def has_failed(rules: Rules, tally: Tally, now: datetime) -> bool:
    """More failures than are forgiven, all within one window (or as long as so many answers take, if that is more)."""
    window = max(rules.window, rules.interval * (rules.failure_limit + 1))
    recent = [at for at in tally.failed_at if datetime.fromisoformat(at) >= now - window]
    return len(recent) > rules.failure_limit


def standing(rules: Rules, tally: Tally, now: datetime) -> Standing:
    if has_failed(rules, tally, now):
        return Standing.FAILED
    lasted = now - datetime.fromisoformat(tally.since) if tally.since else timedelta(0)
    if not tally.since or lasted < rules.window:
        return Standing.ASKING
    if tally.passes and tally.last != Verdict.INCONCLUSIVE:
        return Standing.PASSED
    # No answer yet, or none that says something, or failures within the limit and nothing good: one more may tell.
    if lasted < held_until(rules):
        return Standing.HELD
    by_rule = {NoData.FAIL: Standing.FAILED, NoData.PASS: Standing.PASSED}
    return by_rule.get(rules.on_no_data, Standing.IN_DOUBT)


def held_until(rules: Rules) -> timedelta:
    """How long a check is asked at most, after which somebody's rule decides."""
    return rules.window + max(rules.window, rules.hold, rules.interval * 3)


def look_again_in(rules: Rules, tally: Tally, now: datetime) -> timedelta:
    """Until the next answer is due, or the window ends."""
    times = [datetime.fromisoformat(tally.next_at)] if tally.next_at else [now]
    if tally.since:
        ends = datetime.fromisoformat(tally.since) + rules.window
        times += [ends] if ends > now else []
    return max(min(times) - now, timedelta(milliseconds=100))
