from collections.abc import Iterator

import pytest
from django.db import connection
from django_q.models import OrmQ, Task
from pytest_django.plugin import DjangoDbBlocker

from tests.browser import chromium

__all__ = ["chromium"]


@pytest.fixture
def committing(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The database with real commits, for tests that leave nothing but tasks: far quicker than flushing every table."""
    with django_db_blocker.unblock():
        yield
        # Some tests break the connection on purpose.
        connection.close()
        OrmQ.objects.all().delete()
        Task.objects.all().delete()
        connection.close()
