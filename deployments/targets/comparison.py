"""What a comparison with the cluster tells. Texts are clean, bounded and free of what Secrets hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

# `REFUSED`: the cluster would not take the object; `UNKNOWN`: it did not say; `GONE`: no longer among the objects.
CREATED, CHANGED, UNCHANGED, REFUSED, UNKNOWN, GONE = (
    "created", "changed", "unchanged", "refused", "unknown", "gone",
)  # fmt: skip
RESULTS = (CREATED, CHANGED, UNCHANGED, REFUSED, UNKNOWN, GONE)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """`path` in people's words, such as `image of container app`; None is a field that is not there."""

    path: str
    before: str | None
    after: str | None

    @property
    def short(self) -> tuple[str | None, str | None]:
        """Before and after; of two images of the same repository only what differs."""
        if not self.path.startswith("image of ") or not self.before or not self.after:
            return self.before, self.after
        (repository, before), (other, after) = _split_image(self.before), _split_image(self.after)
        return (before, after) if repository == other and before and after else (self.before, self.after)

    @property
    def is_long(self) -> bool:
        """Whether it needs lines of its own."""
        return any("\n" in text for text in (self.before, self.after) if text)


def _split_image(reference: str) -> tuple[str, str]:
    name, at, digest = reference.partition("@")
    folder, slash, last = name.rpartition("/")
    base, _, tag = last.partition(":")
    return folder + slash + base, tag + at + digest


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another field manager holds these fields, and the release wants other values."""

    manager: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ComparedObject:
    """`is_ours` is false for an object that exists and that no deployment of this target has written."""

    kind: str
    name: str
    result: str
    changes: tuple[FieldChange, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    is_ours: bool = True


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left_behind` are those of `work.prune` that still exist and are ours; `problems` are sentences for people."""

    objects: tuple[ComparedObject, ...] = ()
    left_behind: tuple[dict[str, str], ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Drift:
    """A field that is no longer as we applied it. An empty `path`: the whole object is gone.

    `manager` owns the field now, since `at`; both are unknown for a field that somebody removed.
    """

    kind: str
    name: str
    path: str
    applied: str | None
    live: str | None
    manager: str = ""
    at: datetime | None = None

    @property
    def short(self) -> tuple[str | None, str | None]:
        """Applied and live, as in `FieldChange.short`."""
        return FieldChange(self.path, self.applied, self.live).short


@dataclass(frozen=True, slots=True)
class DriftReport:
    found: tuple[Drift, ...] = ()
    problems: Sequence[str] = ()
