"""The states of a release and the legal moves between them."""

from django.db.models import TextChoices

from releasemgr.core.statuses import TransitionTable


class ReleaseStatus(TextChoices):
    DRAFT = "draft", "Draft"
    IN_REVIEW = "in_review", "In review"
    APPROVED = "approved", "Approved"
    RELEASED = "released", "Released"
    CANCELLED = "cancelled", "Cancelled"


# A rejection sends a release back to draft; an edit of approved content sends it back into review.
RELEASE_MOVES = TransitionTable(
    {
        ReleaseStatus.DRAFT: frozenset({ReleaseStatus.IN_REVIEW, ReleaseStatus.CANCELLED}),
        ReleaseStatus.IN_REVIEW: frozenset({ReleaseStatus.APPROVED, ReleaseStatus.DRAFT, ReleaseStatus.CANCELLED}),
        ReleaseStatus.APPROVED: frozenset({ReleaseStatus.RELEASED, ReleaseStatus.IN_REVIEW, ReleaseStatus.CANCELLED}),
        ReleaseStatus.RELEASED: frozenset(),
        ReleaseStatus.CANCELLED: frozenset(),
    }
)
EDITABLE = frozenset({ReleaseStatus.DRAFT, ReleaseStatus.IN_REVIEW, ReleaseStatus.APPROVED})
DEPLOYABLE = frozenset({ReleaseStatus.APPROVED, ReleaseStatus.RELEASED})
