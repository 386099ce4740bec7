"""Ends what somebody is logged in with."""

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.models import ApiToken, User


def end_access(user: User) -> None:
    """Delete every session and token of a person who leaves: none comes back to life with the account."""
    ApiToken.objects.filter(user=user).delete()
    owner = str(user.pk)
    sessions = Session.objects.filter(expire_date__gt=timezone.now()).iterator()
    # A session names its owner only inside its signed text.
    keys = [session.pk for session in sessions if session.get_decoded().get(SESSION_KEY) == owner]
    Session.objects.filter(pk__in=keys).delete()


def end_login_tokens(user: User, *, keep: ApiToken | None = None) -> None:
    """The tokens of logins end, those made for automation stay."""
    tokens = ApiToken.objects.filter(user=user, scopes__isnull=True)
    (tokens.exclude(pk=keep.pk) if keep else tokens).delete()
