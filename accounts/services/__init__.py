"""What people do with accounts, teams and tokens: one function for each intention."""

from accounts.services.logins import (
    WrongCredentials,
    check_credentials,
    issue_login_token,
    log_in,
    log_out,
    log_out_token,
)
from accounts.services.passwords import change_password, set_password
from accounts.services.people import create_user, deactivate_user, update_user
from accounts.services.teams import add_member, create_team, remove_member, set_member_role, update_team
from accounts.services.tokens import issue_token, revoke_token

__all__ = [
    "WrongCredentials",
    "add_member",
    "change_password",
    "check_credentials",
    "create_team",
    "create_user",
    "deactivate_user",
    "issue_login_token",
    "issue_token",
    "log_in",
    "log_out",
    "log_out_token",
    "remove_member",
    "revoke_token",
    "set_member_role",
    "set_password",
    "update_team",
    "update_user",
]
