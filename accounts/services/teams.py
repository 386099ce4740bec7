"""What administrators and maintainers do with teams."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction

from accounts.models import Membership, Team, TeamRole, User
from accounts.services.access import require_administrator, require_team_management
from audit.services import record
from releasemgr.core import live
from releasemgr.core.actors import Actor
from releasemgr.core.changes import assign, validate
from releasemgr.core.errors import Invalid, NotFound, WrongState


@transaction.atomic
def create_team(*, actor: Actor, slug: str, name: str) -> Team:
    require_administrator(actor)
    team = Team(slug=slug, name=name)
    _validate(team)
    try:
        with transaction.atomic():
            team.group = Group.objects.create(name=group_name(slug))
            team.save(force_insert=True)
    except IntegrityError:
        raise _taken(slug) from None
    record("team.created", actor=actor, subject=team, data={"slug": slug})
    return team


@transaction.atomic
def update_team(*, actor: Actor, team: Team, changes: Mapping[str, Any]) -> Team:
    """`changes` may hold slug and name."""
    require_team_management(actor, team)
    team = _locked(team)
    differences = assign(team, {name: value for name, value in changes.items() if name in ("slug", "name")})
    _validate(team)
    try:
        with transaction.atomic():
            team.save(update_fields=["slug", "name"])
            Group.objects.filter(pk=team.group_id).update(name=group_name(team.slug))
    except IntegrityError:
        raise _taken(team.slug) from None
    if differences:
        record("team.updated", actor=actor, subject=team, changes=differences)
    return team


@transaction.atomic
def add_member(*, actor: Actor, team: Team, user: User, role: str = TeamRole.MEMBER) -> Membership:
    """The team's rights are theirs from now on. Raises WrongState when they are in the team already."""
    require_team_management(actor, team)
    team = _locked(team)
    if not user.is_active:
        raise Invalid(f"{user} is deactivated.", details={"user": [f"{user} is deactivated."]})
    if team.memberships.filter(user=user).exists():
        raise WrongState(
            f"{user} is in {team} already. Change the role instead.",
            details={"user": [f"{user} is in the team already."], "status": "duplicate"},
        )
    membership = Membership(team=team, user=user, role=role)
    validate(membership)
    membership.save(force_insert=True)
    user.groups.add(team.group_id)
    _record("team.member_added", actor, membership, changes={"role": (None, membership.role)})
    return membership


@transaction.atomic
def set_member_role(*, actor: Actor, team: Team, user: User, role: str) -> Membership:
    require_team_management(actor, team)
    membership = _membership(_locked(team), user)
    differences = assign(membership, {"role": role})
    if differences:
        validate(membership)
        membership.save(update_fields=["role"])
        _record("team.member_changed", actor, membership, changes=differences)
    return membership


@transaction.atomic
def remove_member(*, actor: Actor, team: Team, user: User) -> None:
    """The rights that came with the team end at once."""
    require_team_management(actor, team)
    membership = _membership(_locked(team), user)
    _record("team.member_removed", actor, membership, changes={"role": (membership.role, None)})
    membership.delete()
    user.groups.remove(team.group_id)


def group_name(slug: str) -> str:
    return f"team {slug}"


def _validate(team: Team) -> None:
    try:
        validate(team, unique=False)
    except Invalid as exc:
        # The group is made with the row, it is nobody's input.
        details = {name: sentences for name, sentences in exc.details.items() if name != "group"}
        if details:
            raise Invalid(exc.message, details=details) from None


def _locked(team: Team) -> Team:
    """Held until the transaction ends, so that members and group stay in step."""
    return Team.objects.select_for_update().get(pk=team.pk)


def _membership(team: Team, user: User) -> Membership:
    found = Membership.objects.select_related("team", "user").filter(team=team, user=user).first()
    if found is None:
        raise NotFound(f"{user} is not in {team}.")
    return found


def _record(action: str, actor: Actor, membership: Membership, *, changes: dict[str, tuple[Any, Any]]) -> None:
    data = {"user": str(membership.user_id), "email": membership.user.email}
    record(action, actor=actor, subject=membership.team, changes=changes, data=data)
    # Open pages and sockets of this person ask again what they may see.
    live.changed(f"user.{membership.user_id}")


def _taken(slug: str) -> WrongState:
    sentence = f"There is a team {slug} already."
    return WrongState(f"{sentence} Choose another slug.", details={"slug": [sentence], "status": "duplicate"})
