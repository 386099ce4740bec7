"""Pages by key: every row once, in order, both ways."""

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from accounts.models import Team, User
from releasemgr.core.errors import Malformed
from releasemgr.core.keyset import keyset_page
from releases.models import Release
from tests import factories


@pytest.fixture
def releases(team: Team, deployer: User) -> QuerySet[Release]:
    application = factories.application(team)
    for number in range(7):
        factories.draft(deployer, application, f"1.0.{number}")
    # Two made in the same instant: the id decides, and no page boundary loses one of them.
    same = Release.objects.get(version="1.0.3").created_at
    Release.objects.filter(version__in=["1.0.3", "1.0.4", "1.0.5"]).update(created_at=same)
    return Release.objects.all()


def test_walking_older_meets_every_row_once_and_walking_back_the_same(releases: QuerySet[Release]) -> None:
    wanted = list(releases.order_by("-created_at", "-id"))
    page, pages = keyset_page(releases, "", size=3), []
    while True:
        pages.append(page)
        if not page.next_cursor:
            break
        page = keyset_page(releases, page.next_cursor, size=3)

    assert [row for each in pages for row in each.rows] == wanted
    assert pages[0].previous_cursor == ""
    back = keyset_page(releases, pages[2].previous_cursor, size=3)
    assert list(back.rows) == wanted[3:6]
    assert list(keyset_page(releases, back.previous_cursor, size=3).rows) == wanted[:3]
    assert keyset_page(releases, back.previous_cursor, size=3).previous_cursor == ""


def test_the_boundary_is_one_row_value_comparison(releases: QuerySet[Release]) -> None:
    cursor = keyset_page(releases, "", size=3).next_cursor

    with CaptureQueriesContext(connection) as asked:
        keyset_page(releases, cursor, size=3)

    sql = asked[0]["sql"]
    assert '("releases_release"."created_at", "releases_release"."id") < (' in sql
    assert " OR " not in sql and "COUNT" not in sql


@pytest.mark.parametrize("cursor", ["x", "%%%", "bnVsbA", "WyJvbGRlciJd", "é", "a" * 5000])
def test_a_cursor_that_is_none_of_ours_is_malformed(db: None, cursor: str) -> None:
    with pytest.raises(Malformed, match="first page"):
        keyset_page(Release.objects.all(), cursor)
