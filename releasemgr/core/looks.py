"""How statuses look on a page: label, icon and tone, never colour alone."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """`icon` is a Heroicon; `tone` is one of the `tone-…` classes: neutral, info, review, success, warning, danger."""

    label: str
    icon: str
    tone: str


LOOKS = {
    "draft": Look("Draft", "pencil", "neutral"),
    "in_review": Look("In review", "eye", "review"),
    "approved": Look("Approved", "check-badge", "info"),
    "released": Look("Released", "rocket-launch", "success"),
    "cancelled": Look("Cancelled", "no-symbol", "neutral"),
    "pending": Look("Pending", "clock", "neutral"),
    "in_progress": Look("In progress", "arrow-path", "info"),
    "running": Look("Running", "arrow-path", "info"),
    "succeeded": Look("Succeeded", "check-circle", "success"),
    "failed": Look("Failed", "x-circle", "danger"),
    "partly_failed": Look("Partly failed", "exclamation-triangle", "warning"),
    "rolled_back": Look("Rolled back", "arrow-uturn-left", "warning"),
    "skipped": Look("Skipped", "forward", "neutral"),
    "rejected": Look("Rejected", "hand-thumb-down", "danger"),
    "voided": Look("Voided", "minus-circle", "neutral"),
    "waiting": Look("Waiting", "hand-raised", "warning"),
    "open": Look("Open", "lock-open", "success"),
    "healthy": Look("Healthy", "check-circle", "success"),
    "degraded": Look("Degraded", "exclamation-triangle", "warning"),
    "unhealthy": Look("Unhealthy", "x-circle", "danger"),
    "unknown": Look("Unknown", "question-mark-circle", "neutral"),
    "moving": Look("Moving", "arrow-path", "info"),
    "settled": Look("Settled", "check-circle", "success"),
    "troubled": Look("In trouble", "exclamation-triangle", "danger"),
    "gone": Look("Gone", "minus-circle", "danger"),
    "pass": Look("Passed", "check-circle", "success"),
    "fail": Look("Failed", "x-circle", "danger"),
    "inconclusive": Look("Inconclusive", "question-mark-circle", "warning"),
    "passed": Look("Passed", "check-circle", "success"),
    "held": Look("Held open", "hand-raised", "warning"),
    "asking": Look("Being asked", "arrow-path", "info"),
    "in doubt": Look("In doubt", "question-mark-circle", "warning"),
}
MOVING = frozenset({"in_progress", "running"})


def look_of(word: str) -> Look:
    """The look of a status; a word without one is shown as it is, in neutral."""
    return LOOKS.get(word) or Look(word.replace("_", " ").capitalize(), "tag", "neutral")
