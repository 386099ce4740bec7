"""Logging in and out."""

from datetime import timedelta

from django.contrib.auth import authenticate
from django.contrib.auth.models import update_last_login
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from knox.settings import knox_settings

from accounts import throttle
from accounts.models import ApiToken, User
from accounts.selectors import actor_for, user_by_login
from accounts.services.passwords import MAX_LENGTH
from accounts.services.tokens import store_token
from audit.services import record_login
from releasemgr.core import live
from releasemgr.core.actors import ANONYMOUS, Actor
from releasemgr.core.context import current_request_context
from releasemgr.core.errors import DomainError

MAX_LOGIN_LENGTH = 254


class WrongCredentials(DomainError):
    code = "wrong_credentials"
    status = 401


def check_credentials(*, login: str, password: str, request: HttpRequest | None = None) -> User:
    """The active person with this email address (or short name) and password.

    Raises WrongCredentials, the same for every cause, and TooManyAttempts. Runs outside a transaction: the count and
    the record of a failure must stay.
    """
    known = user_by_login(login) if len(login) <= MAX_LOGIN_LENGTH else None
    # By the person where there is one: the email address and the short name are the same account.
    account = str(known.pk) if known else login.strip().lower()
    attempt = throttle.begin_attempt(account=account, ip=current_request_context().ip)
    # An unknown account costs the hash of a password too: the time does not tell who exists.
    username = known.email if known else None
    user = authenticate(request, username=username or "", password=password[:MAX_LENGTH])
    if not isinstance(user, User) or len(password) > MAX_LENGTH:
        record_login("user.login_failed", actor=ANONYMOUS, login=_told(login, known))
        raise WrongCredentials("This login or password is wrong. Check both and try again.")
    throttle.end_successful_attempt(attempt)
    return user


def _told(login: str, known: User | None) -> str:
    """What the record may tell: text that is nobody's and no address may be a password in the wrong field."""
    if known:
        return known.email
    return login if "@" in login else "somebody unknown"


@transaction.atomic
def log_in(*, user: User) -> None:
    """Put on record that a session began."""
    record_login("user.logged_in", actor=actor_for(user), login=user.email)


@transaction.atomic
def issue_login_token(*, user: User) -> tuple[ApiToken, str]:
    """A token that may do what the person may, for as long as TOKEN_TTL says; and its text."""
    now = timezone.now()
    life: timedelta = knox_settings.TOKEN_TTL
    ApiToken.objects.filter(user=user, expiry__lte=now).delete()
    token, text = store_token(user, name="login", scopes=None, expires_at=now + life)
    update_last_login(User, user)
    record_login("user.logged_in", actor=actor_for(user, token), login=user.email)
    return token, text


@transaction.atomic
def log_out(*, actor: Actor) -> None:
    if actor.user is not None:
        record_login("user.logged_out", actor=actor, login=actor.user.email)
        live.changed(f"user.{actor.user_id}")


@transaction.atomic
def log_out_token(*, actor: Actor, token: ApiToken) -> None:
    """End the token in use, whatever it was made for."""
    log_out(actor=actor)
    token.delete()
