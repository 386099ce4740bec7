"""What people do with applications and releases: one function for each intention."""

from releases.services.access import require_set_up
from releases.services.applications import create_application, delete_application, update_application
from releases.services.releases import (
    cancel_release,
    comment_on_release,
    delete_release,
    draft_release,
    edit_release,
    mark_released,
    submit_release,
)
from releases.services.review import approve_release, reject_release
from releases.services.rules import create_approval_rule, delete_approval_rule, update_approval_rule

__all__ = [
    "approve_release",
    "cancel_release",
    "comment_on_release",
    "create_application",
    "create_approval_rule",
    "delete_application",
    "delete_approval_rule",
    "delete_release",
    "draft_release",
    "edit_release",
    "mark_released",
    "reject_release",
    "require_set_up",
    "submit_release",
    "update_application",
    "update_approval_rule",
]
