"""What the tests of pages and API share: an application, and people who are logged in."""

from collections.abc import Callable

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import Team, User
from releases.models import Application
from tests import factories


@pytest.fixture
def application(team: Team) -> Application:
    return factories.application(team)


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


HTMX = {"HX-Request": "true"}
