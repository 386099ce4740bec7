"""What this app reports: name → sentence for people."""

LABELS = {
    "user.created": "added a person",
    "user.updated": "changed a person",
    "user.deactivated": "deactivated a person",
    "user.password_changed": "changed the password",
    "user.password_set": "set a new password for a person",
    "user.logged_in": "logged in",
    "user.logged_out": "logged out",
    "user.login_failed": "failed to log in",
    "team.created": "created a team",
    "team.updated": "changed a team",
    "team.member_added": "added a member to the team",
    "team.member_changed": "changed a member's role in the team",
    "team.member_removed": "removed a member from the team",
    "token.issued": "issued an API token",
    "token.revoked": "revoked an API token",
    "access.denied": "was refused",
}
