"""What the engine asks of a health check: frozen dataclasses in, an answer out.

Nothing in this package knows Django or our models. What answers is written by strangers: its text is cleaned and
bounded before it gets into a sentence.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from deployments.targets.base import Connection

Verdict = Literal["pass", "fail", "inconclusive"]
# Field of the check → sentences for the person who wrote it.
Problems = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Question:
    """One check. Which of `url`, `query` and `manifest` (a parsed object) counts, and what `expect` may hold, depends
    on `kind`."""

    check_id: str
    name: str
    kind: str
    url: str = ""
    query: str = ""
    manifest: Mapping[str, Any] = field(default_factory=dict)
    expect: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose health is asked about. `connection` is for what runs in the cluster.

    `phase` (such as `verify`) and `run`, which counts up with each answer, tell one asking from the next, so that what
    was begun before a crash is found again.
    """

    application: str
    version: str
    environment: str
    namespace: str
    deployment_id: str
    sequence: int
    target_id: str
    window_seconds: int
    connection: Connection | None = None
    phase: str = ""
    run: int = 0


@dataclass(frozen=True, slots=True)
class Reach:
    """How far checks may go: the host names and networks that an operator lists (see `addresses`), the operator's own
    Prometheus, and the guardrails of the target for what runs there."""

    allowed_hosts: tuple[str, ...] = ()
    prometheus_url: str = field(default="", repr=False)
    guardrails: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer. `no_data`: nothing that could be judged; what that means is the check's own rule.

    `log` is what a person wants to see of a failure, cleaned and bounded.
    """

    verdict: Verdict
    value: str
    sentence: str
    no_data: bool = False
    log: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """No answer yet: ask again after `retry_after_seconds`."""

    sentence: str
    retry_after_seconds: float = 2.0


Answer = Reading | Waiting


class HealthCheck(Protocol):
    """One kind of check."""

    def problems(self, question: Question, reach: Reach) -> Problems:
        """What is wrong with it, before anybody asks. Pure: no network."""
        ...

    def ask(self, question: Question, subject: Subject, reach: Reach) -> Answer:
        """Within a bounded time. Called again after a crash: observe first, then act. Raises nothing of its own."""
        ...


def passed(value: str, sentence: str) -> Reading:
    return Reading("pass", value, sentence)


def failed(value: str, sentence: str, *, log: tuple[str, ...] = ()) -> Reading:
    return Reading("fail", value, sentence, log=log)


def unclear(sentence: str, *, value: str = "") -> Reading:
    """It could not be asked, or the answer says nothing about the application."""
    return Reading("inconclusive", value, sentence)


def no_data(sentence: str) -> Reading:
    return Reading("inconclusive", "", sentence, no_data=True)
