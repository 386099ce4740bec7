"""Whether the approvals given satisfy the rules. Pure: plain rows in, sentences out."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Reviewer:
    """A person who approved, as the rules see them."""

    user_id: UUID
    role: str
    team_ids: frozenset[UUID]
    approved_at: datetime


@dataclass(frozen=True, slots=True)
class Requirement:
    """`count` people of `team_id` or `role` (or anybody who may approve); older approvals than `valid_for` lapse."""

    label: str
    count: int
    team_id: UUID | None = None
    role: str = ""
    valid_for: timedelta | None = None

    def counts(self, reviewer: Reviewer, now: datetime) -> bool:
        if self.valid_for is not None and now - reviewer.approved_at > self.valid_for:
            return False
        if self.team_id is not None and self.team_id not in reviewer.team_ids:
            return False
        return not self.role or reviewer.role == self.role


@dataclass(frozen=True, slots=True)
class Progress:
    requirement: Requirement
    given: int

    @property
    def met(self) -> bool:
        return self.given >= self.requirement.count

    @property
    def sentence(self) -> str:
        return f"{self.given} of {self.requirement.count} approvals by {self.requirement.label}"


ANYONE = Requirement(label="anyone who may approve", count=1)


def weigh(requirements: Sequence[Requirement], reviewers: Collection[Reviewer], now: datetime) -> list[Progress]:
    """How far each requirement is met. Each stands on its own: a weaker one never satisfies a stronger one."""
    return [
        Progress(requirement, sum(requirement.counts(reviewer, now) for reviewer in reviewers))
        for requirement in requirements
    ]
