"""The rights that services ask for first, with the sentence for those who lack them."""

from accounts.policies import require
from releasemgr.core.actors import Actor
from releases import policies
from releases.models import Application, Release


def require_set_up(actor: Actor) -> None:
    require(
        policies.can_set_up(actor),
        permission="admin",
        why="Only administrators change the set-up. Ask one of them.",
    )


def require_develop(actor: Actor, application: Application) -> None:
    require(
        policies.can_develop(actor, application),
        permission="releases.develop_application",
        why=f"You may not change releases of {application}. Engineers of {application.team} may.",
    )


def require_review(actor: Actor, release: Release) -> None:
    require(
        policies.can_judge(actor, release.application),
        permission="releases.approve_application",
        why=f"You may not approve or reject releases of {release.application}.",
    )
    require(
        not policies.is_author(actor, release),
        permission="releases.approve_application",
        why="You wrote this content, so somebody else must decide about it (four eyes).",
    )
