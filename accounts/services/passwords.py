"""Passwords: one's own with the old one, others' as an administrator."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.models import ApiToken, User
from accounts.services.access import require_administrator, require_person
from accounts.services.sessions import end_login_tokens
from audit.services import record
from releasemgr.core import live
from releasemgr.core.actors import Actor
from releasemgr.core.errors import Invalid

# Longer input is refused before it is hashed: nobody types it.
MAX_LENGTH = 1024


def apply_password(user: User, password: str, *, field: str = "password") -> None:
    """Set it on the unsaved object; an empty one locks the account's password. Raises Invalid for a weak one."""
    if not password:
        user.set_unusable_password()
        return
    if len(password) > MAX_LENGTH:
        raise _refused(field, [f"At most {MAX_LENGTH} characters."])
    try:
        validate_password(password, user)
    except ValidationError as exc:
        raise _refused(field, exc.messages) from None
    user.set_password(password)


def _refused(field: str, sentences: list[str]) -> Invalid:
    return Invalid(f"Choose another password: {' '.join(sentences)}", details={field: sentences})


@transaction.atomic
def change_password(*, actor: Actor, current_password: str, new_password: str, keep: ApiToken | None = None) -> User:
    """One's own. Every other session and login token ends; `keep` is the token that asks. Raises Invalid."""
    require_person(actor)
    user = User.objects.select_for_update().get(pk=actor.user.pk)
    if len(current_password) > MAX_LENGTH or not user.check_password(current_password):
        sentence = "This is not your current password."
        raise Invalid(sentence, details={"current_password": [sentence]})
    if not new_password:
        raise _refused("new_password", ["It is empty."])
    apply_password(user, new_password, field="new_password")
    _save(user, keep=keep)
    record("user.password_changed", actor=actor, subject=user)
    return user


@transaction.atomic
def set_password(*, actor: Actor, user: User, password: str) -> User:
    """An administrator gives somebody a password: their sessions and login tokens end. Empty: none fits any more."""
    require_administrator(actor)
    user = User.objects.select_for_update().get(pk=user.pk)
    apply_password(user, password)
    _save(user)
    record("user.password_set", actor=actor, subject=user)
    return user


def _save(user: User, *, keep: ApiToken | None = None) -> None:
    # Sessions carry a digest of the password's hash, so the new one ends them.
    user.save(update_fields=["password"])
    end_login_tokens(user, keep=keep)
    live.changed(f"user.{user.pk}")
