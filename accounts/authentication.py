"""API tokens: knox's digests and expiry, our Actor."""

from typing import Any

from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.models import ApiToken
from accounts.selectors import actor_for

INVALID = "This token is not valid: it is unknown, expired or revoked. Log in again or issue a new one."


class TokenAuthentication(KnoxTokenAuthentication):  # type: ignore[misc]
    def authenticate(self, request: Request) -> tuple[Any, ApiToken] | None:
        try:
            found = super().authenticate(request)
        except UnicodeDecodeError:
            raise AuthenticationFailed(INVALID) from None
        if found is not None:
            request._request.actor = actor_for(*found)  # type: ignore[attr-defined]
        return found  # type: ignore[no-any-return]

    def authenticate_credentials(self, token: bytes) -> tuple[Any, ApiToken]:
        try:
            return super().authenticate_credentials(token)  # type: ignore[no-any-return]
        except AuthenticationFailed:
            raise AuthenticationFailed(INVALID) from None
