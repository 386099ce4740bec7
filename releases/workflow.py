"""Where a release stands and what the actor may do with it next: what the buttons of its page show."""

from dataclasses import dataclass
from datetime import datetime

from accounts.models import User
from releasemgr.core.actors import Actor
from releasemgr.core.choices import Choice
from releases import policies
from releases.models import Approval, Decision, Release
from releases.statuses import EDITABLE, RELEASE_MOVES, ReleaseStatus


def choices(actor: Actor, release: Release) -> dict[str, Choice]:
    """The buttons that fit the release's status, by name. Needs its approvals prefetched to cost no query."""
    found = {}
    develops = policies.can_develop(actor, release.application)
    if release.status == ReleaseStatus.DRAFT:
        found["submit"] = Choice("" if develops else f"Engineers of {release.application.team} submit it.")
    if release.status == ReleaseStatus.IN_REVIEW:
        found["approve"] = found["reject"] = Choice(why_not_review(actor, release))
    if develops:
        found |= _authors_choices(release)
    return found


def _authors_choices(release: Release) -> dict[str, Choice]:
    offered = {
        "edit": release.status in EDITABLE,
        "cancel": RELEASE_MOVES.allows(release.status, ReleaseStatus.CANCELLED),
        "delete": release.status == ReleaseStatus.DRAFT,
    }
    return {name: Choice() for name, fits in offered.items() if fits}


def why_not_review(actor: Actor, release: Release) -> str:
    """Why the actor cannot decide about the present content; empty when they can."""
    if not policies.can_judge(actor, release.application):
        return f"You may not decide about releases of {release.application}."
    if policies.is_author(actor, release):
        return "You wrote this content, so somebody else decides about it (four eyes)."
    if any(approval.valid and approval.user_id == actor.user_id for approval in release.approvals.all()):
        return "You have already decided about this content."
    return ""


@dataclass(frozen=True, slots=True)
class Stage:
    """`state` is done, current, cancelled or empty; `at` and `by` say when and who, where it is known."""

    name: str
    state: str = ""
    at: datetime | None = None
    by: User | None = None


PATH = (ReleaseStatus.DRAFT, ReleaseStatus.IN_REVIEW, ReleaseStatus.APPROVED, ReleaseStatus.RELEASED)


def stages(release: Release) -> list[Stage]:
    """The way of a release from left to right; a cancelled one ends where it was cancelled."""
    times = {
        ReleaseStatus.DRAFT: release.created_at,
        ReleaseStatus.IN_REVIEW: release.submitted_at,
        ReleaseStatus.APPROVED: release.approved_at,
        ReleaseStatus.RELEASED: release.released_at,
    }
    if release.status == ReleaseStatus.CANCELLED:
        passed = [Stage(each.label, "done", times[each], _by(each, release)) for each in PATH if times[each]]
        return [*passed, Stage(ReleaseStatus.CANCELLED.label, "cancelled", release.cancelled_at)]
    here = PATH.index(ReleaseStatus(release.status))
    # The last stage is an end, not work in hand: it is done as soon as it is reached.
    return [
        Stage(
            each.label,
            "done"
            if place < here or each == release.status == ReleaseStatus.RELEASED
            else "current"
            if place == here
            else "",
            times[each] if place <= here else None,
            _by(each, release),
        )
        for place, each in enumerate(PATH)
    ]


def _by(stage: ReleaseStatus, release: Release) -> User | None:
    return release.created_by if stage == ReleaseStatus.DRAFT else None


def sent_back(release: Release) -> Approval | None:
    """The rejection that made the release a draft again, as long as it is one."""
    decisions = list(release.approvals.all())
    rejected = bool(decisions) and decisions[-1].decision == Decision.REJECTED
    return decisions[-1] if rejected and release.status == ReleaseStatus.DRAFT else None
