"""Checks that answer what the test says."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import transaction

from deployments.health.base import Answer, Problems, Question, Reach, Reading, Subject, no_data, unclear
from deployments.models import Check, Target
from tests.engine.test_crash_points import Killed, killed_before

GOOD = Reading("pass", "1", "1 is below 5.")
BAD = Reading("fail", "9", "9 is not below 5.", log=("a line",))
AWAY = unclear("Prometheus can't be reached.")
NOTHING = no_data("The query answers with no series: nothing was measured.")


@dataclass
class ScriptedChecks:
    """`answers` by name of the check, one after another (the last one for ever); `asked` is who was asked, in order."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[tuple[str, Subject]] = field(default_factory=list)

    def problems(self, question: Question, reach: Reach) -> Problems:
        return {}

    def ask(self, question: Question, subject: Subject, reach: Reach) -> Answer:
        self.asked.append((question.name, subject))
        script = self.answers.get(question.name) or [GOOD]
        return script.pop(0) if len(script) > 1 else script[0]


def check(place: Target, name: str = "errors", **fields: Any) -> Check:
    usual = {"kind": "prometheus", "query": "up", "interval_seconds": 10, "window_seconds": 30, "expect": {"below": 5}}
    return Check.objects.create(
        application=place.application, environment=place.environment, name=name, **usual | fields
    )


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> ScriptedChecks:
    scripted = ScriptedChecks()
    monkeypatch.setattr("deployments.services.asking.get_health_check", lambda kind: scripted)
    return scripted


@contextmanager
def undone() -> Iterator[None]:
    """Nothing of what is done inside stays: the next round begins where this one began."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def killed_at(write: int, work: Callable[[], object]) -> bool:
    """Do the work up to its `write`-th write; False when it was done before."""
    try:
        with killed_before(write):
            work()
    except Killed:
        return True
    return False
