"""The engine's scripted world, so that a test can bring a deployment into any state; and people who are logged in."""

from collections.abc import Callable

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from tests.engine.conftest import crew, place, world

__all__ = ["crew", "place", "world"]

HTMX = {"HX-Request": "true"}
HOSTILE = "<script>alert(1)</script>\x1b[31mred"


@pytest.fixture
def api_of() -> Callable[[User], APIClient]:
    """The API as a person with a session uses it."""

    def log_in(person: User) -> APIClient:
        client = APIClient()
        client.force_login(person)
        return client

    return log_in


@pytest.fixture
def browser_of() -> Callable[[User], Client]:
    def log_in(person: User) -> Client:
        client = Client()
        client.force_login(person)
        return client

    return log_in
