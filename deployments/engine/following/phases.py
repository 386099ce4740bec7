"""Which phase a followed workload is in, and whether that is worth waking its deployment. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from msgspec import Struct

from deployments.statuses import WorkloadPhase
from deployments.targets.kubernetes.following.sightings import PodSight, WorkloadSight

# What the engine has to look at. Progress alone is for people, and is read from the row.
TELLING = frozenset({WorkloadPhase.SETTLED, WorkloadPhase.TROUBLED, WorkloadPhase.GONE})
Key = tuple[str, str, str]


@dataclass(slots=True)
class Followed:
    """A workload's row as it was written last. `known`: the troubles that its deployment was woken for."""

    row: int
    deployment: UUID
    key: Key
    phase: WorkloadPhase
    wanted: int = 0
    updated: int = 0
    ready: int = 0
    known: set[str] = field(default_factory=set)


class Finding(Struct, frozen=True, gc=False):
    """What is to be written into a row. `wakes`: the engine should look; `troubles` are then no longer news."""

    phase: WorkloadPhase
    wanted: int
    updated: int
    ready: int
    troubles: frozenset[str]
    wakes: bool


def find(
    followed: Followed, sight: WorkloadSight | None, pods: Iterable[PodSight], *, is_there: bool, is_news: bool
) -> Finding | None:
    """None when the row says it all. `is_news`: the object itself changed, which counts when it can't be read."""
    if sight is None:
        phase, troubles = _unseen(followed, is_there=is_there), frozenset[str]()
        numbers = (followed.wanted, followed.updated, followed.ready)
    else:
        phase, troubles = _judge(followed, sight, list(pods))
        numbers = (sight.wanted, sight.updated, sight.ready)
    wakes = _wakes(followed, phase, troubles) or (sight is None and is_there and is_news)
    if not wakes and phase == followed.phase and numbers == (followed.wanted, followed.updated, followed.ready):
        return None
    return Finding(phase, *numbers, troubles, wakes)


def _unseen(followed: Followed, *, is_there: bool) -> WorkloadPhase:
    if is_there:
        return WorkloadPhase.MOVING
    # A row that nothing was seen of yet waits for its object: it has only just been applied.
    return WorkloadPhase.WAITING if followed.phase == WorkloadPhase.WAITING else WorkloadPhase.GONE


def _judge(followed: Followed, sight: WorkloadSight, pods: list[PodSight]) -> tuple[WorkloadPhase, frozenset[str]]:
    is_ours = not sight.deployment or sight.deployment == str(followed.deployment)
    if not is_ours or not sight.is_observed:
        return WorkloadPhase.WAITING, frozenset()
    if sight.is_complete:
        # Complete by its own numbers, but pods of the former revision may still be ending.
        is_moving = any(pod.is_leaving for pod in pods)
        return (WorkloadPhase.MOVING if is_moving else WorkloadPhase.SETTLED), frozenset()
    troubles = frozenset(sight.troubles).union(*(pod.troubles for pod in pods))
    return (WorkloadPhase.TROUBLED if troubles else WorkloadPhase.MOVING), troubles


def _wakes(followed: Followed, phase: WorkloadPhase, troubles: frozenset[str]) -> bool:
    if phase != followed.phase:
        # What has settled must be looked at when it moves again: somebody may be watching that it stays healthy.
        return phase in TELLING or followed.phase == WorkloadPhase.SETTLED
    return phase == WorkloadPhase.TROUBLED and not troubles <= followed.known
