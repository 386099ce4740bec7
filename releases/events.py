"""What this app reports: name → sentence for people."""

LABELS = {
    "application.created": "created an application",
    "application.updated": "changed an application",
    "application.deleted": "deleted an application",
    "release.created": "drafted a release",
    "release.updated": "edited a release",
    "release.deleted": "deleted a draft",
    "release.submitted": "submitted a release for review",
    "release.approval_given": "approved a release",
    "release.rejected": "rejected a release",
    "release.approvals_voided": "voided approvals by editing the content",
    "release.approved": "completed the approvals of a release",
    "release.returned": "sent a release back",
    "release.cancelled": "cancelled a release",
    "release.released": "brought a release live",
    "release.commented": "commented on a release",
    "approval_rule.created": "created an approval rule",
    "approval_rule.updated": "changed an approval rule",
    "approval_rule.deleted": "deleted an approval rule",
}
