"""The rights that services ask for first, with the sentence for those who lack them."""

from accounts.models import Team
from accounts.policies import can_administer, can_manage_team, require
from releasemgr.core.actors import Actor


def require_administrator(actor: Actor) -> None:
    require(can_administer(actor), permission="admin", why="Only administrators manage people. Ask one of them.")


def require_team_management(actor: Actor, team: Team) -> None:
    require(
        can_manage_team(actor, team),
        permission="admin",
        why=f"Only administrators and the maintainers of {team} change it. Ask one of them.",
    )


def require_person(actor: Actor) -> None:
    require(
        actor.user is not None and actor.scopes is None,
        permission="user",
        why="This needs the person: log in with the password. A token for automation may not do it.",
    )
