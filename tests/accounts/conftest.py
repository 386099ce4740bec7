"""Clients of people, by session and by token."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import ApiToken, User
from accounts.services.tokens import store_token

As = Callable[..., APIClient]


def token_for(user: User, *scopes: str, days: int = 1) -> tuple[ApiToken, str]:
    """Without scopes a login's token: all that the person may do."""
    expires_at = timezone.now() + timedelta(days=days)
    return store_token(user, name="test", scopes=list(scopes) or None, expires_at=expires_at)


@pytest.fixture
def as_user() -> As:
    """`as_user(user, "releases:read")`: a client with a token of these scopes."""

    def client(user: User, *scopes: str) -> APIClient:
        made = APIClient()
        _, text = token_for(user, *scopes)
        made.credentials(HTTP_AUTHORIZATION=f"Token {text}")
        return made

    return client
