"""How long a bad state may last before it is a verdict. Pure; the memory is the step's checkpoint.

Checkpoint: `{"first": <when the rollout was first observed>, "since": {"Deployment web:image": <when first seen>}}`,
times as ISO 8601.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deployments.targets.kubernetes.judging import causes
from deployments.targets.kubernetes.judging.causes import Cause

# A registry that hiccups answers the next pull; a node may still be on its way up.
GRACE_SECONDS: Mapping[str, float] = {
    causes.IMAGE: 4.0,
    causes.CRASH: 4.0,
    causes.CONFIG: 4.0,
    causes.CREATION: 4.0,
    causes.UNSCHEDULABLE: 15.0,
}
MOST_SECONDS = 3600.0


def problems(grace: Any) -> list[str]:
    """Why this can't be a target's override `grace_seconds`: a number for every kind of trouble, or {kind: number}."""
    given = grace if isinstance(grace, Mapping) else {"": grace}
    unknown = [str(name)[:60] for name in given if name and name not in GRACE_SECONDS]
    found = [f"The override grace_seconds does not know “{n}”. Known: {', '.join(GRACE_SECONDS)}." for n in unknown]
    if not all(
        isinstance(n, int | float) and not isinstance(n, bool) and 0 <= n <= MOST_SECONDS for n in given.values()
    ):
        found.append(f"The override grace_seconds must hold seconds from 0 to {MOST_SECONDS:.0f}.")
    return found


def grace_of(overrides: Mapping[str, Any], usual: Mapping[str, float]) -> Mapping[str, float]:
    """How long each kind of trouble may last, where a target says otherwise than usual."""
    wanted = overrides.get("grace_seconds")
    if wanted is None or problems(wanted):
        return usual
    return {**usual, **(wanted if isinstance(wanted, Mapping) else dict.fromkeys(usual, float(wanted)))}


@dataclass(frozen=True, slots=True)
class Patience:
    """What is remembered from observation to observation of one rollout step, and how long trouble may last in it."""

    now: datetime
    first: datetime
    since: Mapping[str, datetime] = field(default_factory=dict)
    grace: Mapping[str, float] = field(default_factory=lambda: GRACE_SECONDS)

    @classmethod
    def recall(cls, checkpoint: Mapping[str, Any], now: datetime) -> "Patience":
        since = {key: datetime.fromisoformat(at) for key, at in (checkpoint.get("since") or {}).items()}
        first = checkpoint.get("first")
        return cls(now=now, first=datetime.fromisoformat(first) if first else now, since=since)

    def checkpoint(self, seen: Mapping[str, Iterable[Cause]]) -> dict[str, Any]:
        """What to remember; a cause that is no longer seen is forgotten, so that its grace begins anew."""
        kept = {_key(title, cause): self._since(title, cause) for title, found in seen.items() for cause in found}
        return {"first": self.first.isoformat(), "since": {key: at.isoformat() for key, at in sorted(kept.items())}}

    def remaining_seconds(self, title: str, cause: Cause) -> float | None:
        """Until this cause becomes a verdict: 0 or less when it is one, None when it never does by itself."""
        if not cause.certain or cause.code not in self.grace:
            return None
        return self.grace[cause.code] - (self.now - self._since(title, cause)).total_seconds()

    def waited_seconds(self) -> float:
        return (self.now - self.first).total_seconds()

    def seen_seconds(self, title: str, causes: Iterable[Cause]) -> float:
        """For how long all of these have been seen; 0 without any."""
        return min(((self.now - self._since(title, cause)).total_seconds() for cause in causes), default=0.0)

    def _since(self, title: str, cause: Cause) -> datetime:
        return self.since.get(_key(title, cause), self.now)


def _key(title: str, cause: Cause) -> str:
    return f"{title}:{cause.code}"
