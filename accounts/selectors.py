"""Reads about people and their rights."""

from collections import defaultdict
from uuid import UUID

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from guardian.models import GroupObjectPermission, UserObjectPermission

from accounts.models import ApiToken, Membership, Role, Team, TeamRole, User
from accounts.policies import can_administer, visible_teams, visible_tokens, visible_users
from releasemgr.core.actors import ANONYMOUS, Actor, Grants
from releasemgr.core.errors import Invalid, NotFound
from releasemgr.core.values import as_uuid, is_storable

AREA_OF_PERMISSION = {
    "view_application": "releases",
    "develop_application": "releases",
    "approve_application": "releases",
    "deploy_application": "deployments",
    "view_environment": "deployments",
    "deploy_environment": "deployments",
}


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
        role=Role(user.role).value,  # type: ignore[arg-type]
        user=user,
        scopes=None if token is None or token.scopes is None else frozenset(token.scopes),
        load_grants=lambda: grants_of(user),
        load_maintained_teams=lambda: maintained_team_ids(user),
    )


def user_by_login(login: str) -> User | None:
    """Whom the text names that somebody typed: an email address or a short name, in any case."""
    if not is_storable(login):
        return None
    try:
        return User.objects.get_by_natural_key(login)
    except User.DoesNotExist:
        return None


def effective_permissions(actor: Actor) -> dict[str, list[str] | str]:
    """Permission → ids of the objects it is held on, or "all": what role, teams and the token's scopes leave."""
    held = {
        permission: "all" if actor.is_admin else sorted(str(each) for each in actor.granted(permission))
        for permission, area in AREA_OF_PERMISSION.items()
        if _is_usable(actor, permission, area)
    }
    return {permission: objects for permission, objects in held.items() if objects} | (
        {"administer": "all"} if can_administer(actor) else {}
    )


def _is_usable(actor: Actor, permission: str, area: str) -> bool:
    return actor.has_scope(f"{area}:read") if permission.startswith("view_") else actor.may_change(area)


def profile(actor: Actor) -> User:
    """Oneself, with the teams."""
    return User.objects.prefetch_related("memberships__team").get(pk=actor.user.pk)


def user_by_reference(reference: str) -> User:
    """Whoever has this id or email address. Raises Invalid: it comes from a body."""
    pk = as_uuid(reference)
    user = User.objects.filter(Q(pk=pk) if pk else Q(email=reference.strip().lower())).first()
    if user is None:
        sentence = f"There is nobody with the id or email address {reference}."
        raise Invalid(sentence, details={"user": [sentence]})
    return user


def team_by_slug_or_id(actor: Actor, identifier: str) -> Team:
    pk = as_uuid(identifier)
    named = visible_teams(actor).filter(Q(pk=pk) if pk else Q(slug=identifier))
    team = named.first() if is_storable(identifier) else None
    if team is None:
        raise NotFound("There is no such team, or you may not see it.")
    return team


def members(team: Team) -> QuerySet[Membership]:
    return team.memberships.select_related("user")


def token_by_id(actor: Actor, identifier: str) -> ApiToken:
    pk = as_uuid(identifier)
    token = visible_tokens(actor).filter(public_id=pk).first() if pk else None
    if token is None:
        raise NotFound("You have no such token: it ended, was revoked, or is somebody else's.")
    return token


def people(actor: Actor, *, text: str = "", role: str = "") -> QuerySet[User]:
    """Whom the actor may see; `text` is a part of name, short name or email address."""
    found = visible_users(actor)
    if role:
        found = found.filter(role=role)
    if text:
        found = found.filter(Q(name__icontains=text) | Q(email__icontains=text) | Q(username__icontains=text))
    return found


def person_by_id(actor: Actor, identifier: str) -> User:
    return _one_person(visible_users(actor), identifier)


def member_by_id(team: Team, identifier: str) -> User:
    return _one_person(User.objects.filter(memberships__team=team), identifier)


def _one_person(people: QuerySet[User], identifier: str) -> User:
    pk = as_uuid(identifier)
    person = people.filter(pk=pk).first() if pk else None
    if person is None:
        raise NotFound("There is no such person here, or you may not see them.")
    return person


def teams(actor: Actor) -> QuerySet[Team]:
    """With `member_count`."""
    # Counted apart: the visible teams are themselves chosen by a membership.
    of_team = Membership.objects.filter(team=OuterRef("pk")).order_by().values("team")
    count = Subquery(of_team.annotate(count=Count("pk")).values("count"))
    return visible_teams(actor).annotate(member_count=Coalesce(count, 0))
