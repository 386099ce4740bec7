"""API tokens: knox's digests, our rows and Actor."""

from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from knox.crypto import hash_token
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.models import ApiToken
from accounts.selectors import actor_for

INVALID = "This token is not valid: it is unknown, expired or revoked. Log in again or issue a new one."
# `last_used_at` need not be exact, and a write for each read would be dear.
NOTED_EVERY = timedelta(minutes=1)


class TokenAuthentication(KnoxTokenAuthentication):  # type: ignore[misc]
    def authenticate(self, request: Request) -> tuple[Any, ApiToken] | None:
        found = super().authenticate(request)
        if found is not None:
            request._request.actor = actor_for(*found)  # type: ignore[attr-defined]
        return found  # type: ignore[no-any-return]

    def authenticate_credentials(self, token: bytes) -> tuple[Any, ApiToken]:
        """One look-up by digest; a revoked or expired token, or a deactivated person, is refused at once."""
        now = timezone.now()
        try:
            digest = hash_token(token.decode())
        except UnicodeDecodeError:
            raise AuthenticationFailed(INVALID) from None
        rows = ApiToken.objects.select_related("user").filter(user__is_active=True)
        found = rows.filter(pk=digest, expiry__gt=now).first()
        if found is None:
            raise AuthenticationFailed(INVALID)
        if found.last_used_at is None or found.last_used_at < now - NOTED_EVERY:
            stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - NOTED_EVERY)
            ApiToken.objects.filter(stale, pk=digest).update(last_used_at=now)
        return found.user, found
