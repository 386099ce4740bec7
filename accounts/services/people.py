"""What administrators do with people."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import Role, User
from accounts.services.access import require_administrator
from accounts.services.passwords import apply_password
from accounts.services.sessions import end_access
from audit.services import record
from releasemgr.core import live
from releasemgr.core.actors import Actor
from releasemgr.core.changes import assign, validate
from releasemgr.core.errors import WrongState

CHANGEABLE = frozenset({"email", "username", "name", "role", "is_active"})


@transaction.atomic
def create_user(
    *, actor: Actor, email: str, name: str, role: str, username: str | None = None, password: str = ""
) -> User:
    """Without a password nobody can log in as this person until an administrator sets one."""
    require_administrator(actor)
    user = User(**_normal({"email": email, "username": username}), name=name, role=role)
    apply_password(user, password)
    _save(user)
    record("user.created", actor=actor, subject=user, data={"email": user.email, "role": user.role})
    return user


@transaction.atomic
def update_user(*, actor: Actor, user: User, changes: Mapping[str, Any]) -> User:
    """`changes` may hold email, username, name, role, is_active. Raises WrongState for the last administrator."""
    require_administrator(actor)
    wanted = _normal({name: value for name, value in changes.items() if name in CHANGEABLE})
    active_admins = _locked_administrators()
    user = User.objects.select_for_update().get(pk=user.pk)
    differences = assign(user, wanted)
    if user.pk in active_admins and len(active_admins) == 1 and not user.is_superuser:
        raise WrongState(
            f"{user} is the last active administrator. Make somebody else an administrator first.",
            details={"status": "last_administrator"},
        )
    _save(user, fields=list(wanted))
    if not differences:
        return user
    is_leaving = differences.get("is_active") == (True, False)
    if is_leaving:
        end_access(user)
    record("user.deactivated" if is_leaving else "user.updated", actor=actor, subject=user, changes=differences)
    live.changed(f"user.{user.pk}")
    return user


def deactivate_user(*, actor: Actor, user: User) -> User:
    """Sessions and tokens end at once, and stay ended if the person is activated again."""
    return update_user(actor=actor, user=user, changes={"is_active": False})


def _normal(fields: dict[str, Any]) -> dict[str, Any]:
    """What people log in with, in lower case; no short name is null, since an empty one would be unique too."""
    logins = {name: (fields[name] or "").strip().lower() or None for name in ("email", "username") if name in fields}
    return fields | logins


def _locked_administrators() -> set[Any]:
    """Held until the transaction ends: two administrators who demote each other wait for one another."""
    rows = User.objects.select_for_update().filter(role=Role.ADMIN, is_active=True).order_by("pk")
    return {user.pk for user in rows}


def _save(user: User, fields: list[str] | None = None) -> None:
    validate(user, unique=False)
    try:
        with transaction.atomic():
            user.save(force_insert=fields is None, update_fields=fields)
    except IntegrityError:
        raise _taken(user) from None


def _taken(user: User) -> WrongState:
    others = User.objects.exclude(pk=user.pk)
    field = "email" if others.filter(email=user.email).exists() else "username"
    sentence = f"Somebody else has the {'email address' if field == 'email' else 'short name'} {getattr(user, field)}."
    return WrongState(f"{sentence} Choose another.", details={field: [sentence], "status": "duplicate"})
