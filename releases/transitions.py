"""The only code that writes a release's status: the guarded UPDATE, its audit event, and the live pages' hint."""

from typing import Any

from audit.services import record
from releasemgr.core import live
from releasemgr.core.actors import Actor
from releasemgr.core.statuses import compare_and_set
from releases.models import Release
from releases.statuses import RELEASE_MOVES, ReleaseStatus

EVENTS = {
    ReleaseStatus.IN_REVIEW: "release.submitted",
    ReleaseStatus.DRAFT: "release.returned",
    ReleaseStatus.APPROVED: "release.approved",
    ReleaseStatus.RELEASED: "release.released",
    ReleaseStatus.CANCELLED: "release.cancelled",
}


def move_release(
    release: Release, *, to: ReleaseStatus, actor: Actor, reason: str = "", event: str = "", **fields: Any
) -> None:
    """Call inside a transaction. `fields` are written in the same statement. Raises WrongState if somebody else won.

    The content that was judged is part of the guard: an edit in between loses the move.
    """
    old = compare_and_set(release, table=RELEASE_MOVES, to=to, guard={"digest": release.digest}, **fields)
    record(
        event or EVENTS[to],
        actor=actor,
        subject=release,
        changes={"status": (old, to.value)},
        data={"digest": release.digest, **({"reason": reason} if reason else {})},
    )
    live.changed(f"release.{release.pk}")
