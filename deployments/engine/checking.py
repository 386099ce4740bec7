"""One round of questions: the checks that are due are asked, and what all of them add up to is said.

Nothing is written here. The caller keeps `Round.as_rows()` in its checkpoint and hands `Round.measured` on, so that
both are written in one fenced transaction: a kill before it means that the same questions are asked again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from deployments.engine.judging import (
    HOLD,
    Rules,
    Standing,
    Tally,
    begun,
    counted,
    held_until,
    is_due,
    is_within,
    look_again_in,
    standing,
    verdict_of,
)
from deployments.health.base import Answer, Reading
from deployments.health.expectations import JOB_SECONDS
from deployments.models import Check
from deployments.services.asking import ask_all, reach, subject_of
from deployments.statuses import CheckKind, NoData
from deployments.targets.base import Measured, Work

Rows = Mapping[str, Any]


@dataclass(frozen=True)
class Asked:
    """One check, and what is remembered of its answers. `standing` is by the time of the round."""

    check: Check
    rules: Rules
    tally: Tally
    standing: Standing

    @property
    def sentence(self) -> str:
        """What was wrong, or what was heard last."""
        if self.standing is Standing.FAILED and self.tally.bad:
            return self.tally.bad
        return self.tally.sentence or "No answer yet."

    def as_evidence(self) -> dict[str, Any]:
        tally = self.tally
        return {
            "name": self.check.name,
            "kind": self.check.kind,
            "verdict": self.standing.value,
            "sentence": self.sentence,
            "failures": len(tally.failed_at),
            "failure_limit": self.rules.failure_limit,
            "log": list(tally.log),
        }


@dataclass(frozen=True)
class Round:
    asked: tuple[Asked, ...]
    measured: tuple[Measured, ...]
    now: datetime

    def of(self, *standings: Standing) -> list[Asked]:
        return [each for each in self.asked if each.standing in standings]

    @property
    def is_over(self) -> bool:
        """Every check has come to its end, one way or the other."""
        return not self.of(Standing.ASKING, Standing.HELD)

    def as_rows(self) -> dict[str, Any]:
        """For the checkpoint: check id → tally."""
        return {str(each.check.pk): each.tally.as_row() for each in self.asked}

    def look_again_in(self) -> float | None:
        """Seconds until the next answer is due; None when nobody is asked any more."""
        waits = [look_again_in(e.rules, e.tally, self.now) for e in self.of(Standing.ASKING, Standing.HELD)]
        return min(waits).total_seconds() if waits else None

    def evidence(self) -> list[dict[str, Any]]:
        return [each.as_evidence() for each in self.asked]


def ask_round(
    checks: Sequence[Check], rows: Rows, work: Work, *, phase: str, now: datetime, endless: bool = False
) -> Round:
    """Ask those that are due, unless their window is over (`endless`: it never is). `rows` is the last round's."""
    remembered = [_remembered(check, rows, now) for check in checks]
    due = [each for each in remembered if is_due(each.tally, now) and (endless or _is_open(each))]
    subject, within = subject_of(work, phase=phase), reach(work.guardrails)
    answers = ask_all([(each.check, each.tally.run) for each in due], subject, within)
    heard = {each.check.pk: answer for each, answer in zip(due, answers, strict=True)}
    return Round(
        asked=tuple(_with(each, heard.get(each.check.pk), now) for each in remembered),
        measured=tuple(
            _measured(each, answer, phase)
            for each, answer in zip(due, answers, strict=True)
            if isinstance(answer, Reading)
        ),
        now=now,
    )


def rules_of(check: Check) -> Rules:
    seconds = check.expect.get("max_seconds", JOB_SECONDS) + 60 if check.kind == CheckKind.JOB else 0
    return Rules(
        name=check.name,
        interval=timedelta(seconds=check.interval_seconds),
        window=timedelta(seconds=check.window_seconds),
        failure_limit=check.failure_limit,
        on_no_data=NoData(check.on_no_data),
        hold=max(HOLD, timedelta(seconds=seconds)),
    )


def longest(checks: Iterable[Check]) -> float:
    """Seconds after which the slowest of the checks has come to an end."""
    return max((held_until(rules_of(check)).total_seconds() for check in checks), default=0.0)


def told(asked: Sequence[Asked]) -> str:
    """`check “errors”: 0.2 is not below 0.05.` for each, as many as people read."""
    return " ".join(f"Check “{each.check.name}”: {each.sentence}" for each in asked[:3])


def _remembered(check: Check, rows: Rows, now: datetime) -> Asked:
    rules, tally = rules_of(check), begun(Tally.of_row(rows.get(str(check.pk))), now)
    return Asked(check, rules, tally, standing(rules, tally, now))


def _is_open(each: Asked) -> bool:
    return is_within(each.rules, each.tally) or each.standing in (Standing.ASKING, Standing.HELD)


def _with(each: Asked, answer: Answer | None, now: datetime) -> Asked:
    if answer is None:
        return each
    tally = counted(each.rules, each.tally, answer, now)
    return Asked(each.check, each.rules, tally, standing(each.rules, tally, now))


def _measured(each: Asked, answer: Reading, phase: str) -> Measured:
    return Measured(
        check_id=str(each.check.pk),
        name=each.check.name,
        phase=phase,
        verdict=verdict_of(each.rules, answer).value,
        value=answer.value,
        sentence=answer.sentence,
    )
