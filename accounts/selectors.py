"""Reads about people and their rights."""

from collections import defaultdict
from uuid import UUID

from django.db.models import F
from guardian.models import GroupObjectPermission, UserObjectPermission

from accounts.models import ApiToken, Membership, Role, TeamRole, User
from releasemgr.core.actors import ANONYMOUS, Actor, Grants


def grants_of(user: User) -> Grants:
    """Permission codename → object ids, the union of what the person and their teams' groups were granted."""
    grants: defaultdict[str, set[UUID]] = defaultdict(set)
    wanted = {"codename": F("permission__codename"), "object_id": F("object_pk")}
    by_group = GroupObjectPermission.objects.filter(group__user=user).values_list(*wanted.values())
    by_user = UserObjectPermission.objects.filter(user=user).values_list(*wanted.values())
    for codename, object_id in by_group.union(by_user):
        grants[codename].add(UUID(object_id))
    return {codename: frozenset(ids) for codename, ids in grants.items()}


def maintained_team_ids(user: User) -> frozenset[UUID]:
    rows = Membership.objects.filter(user=user, role=TeamRole.MAINTAINER)
    return frozenset(rows.values_list("team_id", flat=True))


def actor_for(user: object, token: ApiToken | None = None) -> Actor:
    """The Actor for a request's user; a deactivated person is nobody, whatever session or token they hold."""
    if not isinstance(user, User) or not user.is_active:
        return ANONYMOUS
    return Actor(
        kind="token" if token is not None and token.scopes is not None else "user",
        label=user.name or user.email,
        role=Role(user.role).value,
        user=user,
        scopes=None if token is None or token.scopes is None else frozenset(token.scopes),
        load_grants=lambda: grants_of(user),
        load_maintained_teams=lambda: maintained_team_ids(user),
    )
