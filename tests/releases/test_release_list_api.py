"""The list of releases over the API: filters, order, pages, cost."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import Team, User
from releases.models import Application
from tests import factories

LogIn = Callable[[User], APIClient]
URL = "/api/v1/releases"


def test_the_list_is_filtered_by_the_names_of_the_bodies(
    team: Team, application: Application, deployer: User, approver: User, api_of: LogIn
) -> None:
    ledger = factories.application(team, "ledger", "Ledger")
    factories.draft(deployer, application, "1.0.0", description="Faster queue")
    factories.in_review(approver, application, "1.1.0")
    factories.draft(deployer, ledger, "2.0.0")
    client = api_of(deployer)

    def versions(query: str) -> list[str]:
        return [each["version"] for each in client.get(f"{URL}?{query}").json()["results"]]

    assert versions("") == ["2.0.0", "1.1.0", "1.0.0"]
    assert versions("application=checkout") == ["1.1.0", "1.0.0"]
    assert versions(f"application={ledger.pk}") == ["2.0.0"]
    assert versions("application=nothing") == []
    assert versions("status=in_review") == ["1.1.0"]
    assert versions("status=in_review&status=draft&application=checkout") == ["1.1.0", "1.0.0"]
    assert versions("version=1.0.0") == ["1.0.0"]
    assert versions("created_by=approver@example.com") == ["1.1.0"]
    assert versions(f"created_by={deployer.pk}") == ["2.0.0", "1.0.0"]
    assert versions("q=queue") == ["1.0.0"]
    assert versions("ordering=version") == ["1.0.0", "1.1.0", "2.0.0"]


@pytest.mark.parametrize("query", ["status=nope", "status=", "ordering=digest", "created_by=%00"])
def test_a_filter_value_that_does_not_exist_is_refused(
    application: Application, deployer: User, api_of: LogIn, query: str
) -> None:
    answer = api_of(deployer).get(f"{URL}?{query}")

    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid"


def test_the_list_goes_on_by_cursor(application: Application, deployer: User, api_of: LogIn) -> None:
    for number in range(5):
        factories.draft(deployer, application, f"1.0.{number}")
    client = api_of(deployer)

    first = client.get(f"{URL}?limit=3").json()
    second = client.get(first["next"]).json()

    assert [each["version"] for each in first["results"] + second["results"]] == [f"1.0.{n}" for n in (4, 3, 2, 1, 0)]
    assert second["next"] is None


def test_a_page_of_releases_costs_the_same_however_long_it_is(
    application: Application, deployer: User, approver: User, api_of: LogIn, django_assert_max_num_queries: Any
) -> None:
    for number in range(6):
        factories.approved(deployer, approver, application, f"1.0.{number}")
    client = api_of(factories.user("reader", role="viewer", teams=[application.team]))

    with django_assert_max_num_queries(8):
        answer = client.get(URL)

    assert [len(each["approvals"]) for each in answer.json()["results"]] == [1] * 6
