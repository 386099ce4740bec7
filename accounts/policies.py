"""Who may administer people, and give rights on objects. The only importer of guardian beside `selectors`."""

from collections.abc import Iterable

from django.db.models import Model, Q, QuerySet
from guardian.shortcuts import assign_perm, get_perms, remove_perm

from accounts.models import ApiToken, Membership, Team, User
from releasemgr.core.actors import Actor
from releasemgr.core.errors import NotAllowed

TEAM_PERMISSIONS = ("view_application", "develop_application", "approve_application", "deploy_application")


def require(allowed: bool, *, permission: str, why: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Raise NotAllowed naming the missing `permission` unless `allowed`. `why` is the sentence for the person."""
    if not allowed:
        raise NotAllowed(why, details={"permission": permission})


def can_administer(actor: Actor) -> bool:
    return actor.is_admin and actor.has_scope("admin:write")


def can_manage_team(actor: Actor, team: Team) -> bool:
    maintains = team.pk in actor.maintained_team_ids and actor.may_change("admin")
    return can_administer(actor) or maintains


def visible_users(actor: Actor) -> QuerySet[User]:
    """Administrators see everybody, others themselves and the members of their teams."""
    if actor.is_admin and actor.has_scope("admin:read"):
        return User.objects.all()
    mine = Q(pk=actor.user_id)
    if actor.has_scope("admin:read"):
        mine |= Q(pk__in=Membership.objects.filter(team__memberships__user=actor.user_id).values("user"))
    return User.objects.filter(mine) if actor.is_authenticated else User.objects.none()


def visible_teams(actor: Actor) -> QuerySet[Team]:
    if not actor.is_authenticated or not actor.has_scope("admin:read"):
        return Team.objects.none()
    if actor.is_admin:
        return Team.objects.all()
    return Team.objects.filter(memberships__user=actor.user_id)


def visible_tokens(actor: Actor) -> QuerySet[ApiToken]:
    """One's own, never anybody else's."""
    tokens: QuerySet[ApiToken] = ApiToken.objects.all()
    return tokens.filter(user=actor.user_id) if actor.user_id else tokens.none()


def grant(team: Team, permissions: Iterable[str], obj: Model) -> list[str]:
    """Give the team's group each permission (a codename of the object's model) on `obj`. Returns those it lacked."""
    lacked = sorted(set(permissions) - set(get_perms(team.group, obj)))
    for permission in lacked:
        assign_perm(permission, team.group, obj)
    return lacked


def withdraw(team: Team, permissions: Iterable[str], obj: Model) -> None:
    for permission in permissions:
        remove_perm(permission, team.group, obj)
