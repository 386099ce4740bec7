"""People and places that every test may ask for."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import Team, User
from tests import factories


@pytest.fixture(autouse=True, scope="session")
def _truncate_the_append_only_log_between_transactional_tests() -> Iterator[None]:
    """TRUNCATE is refused in production; only here the tables' owner lifts the triggers while Django flushes."""
    original = DatabaseOperations.execute_sql_flush
    triggers = "SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgname LIKE 'audit%no_truncate'"

    def flush(self: DatabaseOperations, sql_list: list[str]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(triggers)
            refusing = cursor.fetchall()
            for table, trigger in refusing:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
        # CASCADE: knox made a table for its own token model, which Django no longer lists but which refers to people.
        original(self, [statement.replace(";", " CASCADE;") for statement in sql_list])
        with connection.cursor() as cursor:
            for table, trigger in refusing:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "execute_sql_flush", flush)
        yield


@pytest.fixture(autouse=True)
def _nothing_is_slow_on_purpose(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Otherwise every test client reads all static files once more.
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture
def team(db: None) -> Team:
    return factories.team()


@pytest.fixture
def deployer(team: Team) -> User:
    """An engineer of the team: writes releases and deploys them."""
    return factories.user("deployer", role="engineer", teams=[team])


@pytest.fixture
def approver(team: Team) -> User:
    """A second engineer of the team: approves."""
    return factories.user("approver", role="engineer", teams=[team])


@pytest.fixture
def viewer(team: Team) -> User:
    return factories.user("viewer", role="viewer", teams=[team])


@pytest.fixture
def outsider(db: None) -> User:
    """An engineer of another team: must see nothing of ours."""
    return factories.user("outsider", role="engineer", teams=[factories.team(slug="others", name="Others")])


@pytest.fixture
def admin(db: None) -> User:
    return factories.user("admin", role="admin")


@pytest.fixture
def api() -> APIClient:
    return APIClient()
