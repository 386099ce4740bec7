"""Applications and approval rules over the API."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import Team, User
from releases.models import Application, ApprovalRule
from tests import factories

LogIn = Callable[[User], APIClient]
APPLICATIONS = "/api/v1/applications"
RULES = "/api/v1/approval-rules"


def test_an_administrator_registers_an_application_and_its_team_may_release_it(
    team: Team, admin: User, deployer: User, api_of: LogIn
) -> None:
    made = api_of(admin).post(
        APPLICATIONS, {"slug": "web", "name": "Web", "team": "payments", "repository": "acme/web"}
    )

    assert made.status_code == 201
    assert {name: made.json()[name] for name in ("slug", "name", "team", "repository")} == {
        "slug": "web", "name": "Web", "team": "payments", "repository": "acme/web"
    }  # fmt: skip
    release = {"application": "web", "version": "1", "artifacts": factories.artifacts()}
    assert api_of(deployer).post("/api/v1/releases", release).status_code == 201


@pytest.mark.parametrize("by", ["slug", "id"])
def test_an_application_is_found_by_slug_and_by_id(
    application: Application, viewer: User, api_of: LogIn, by: str
) -> None:
    reference = application.slug if by == "slug" else application.pk

    assert api_of(viewer).get(f"{APPLICATIONS}/{reference}").json()["name"] == "Checkout"


def test_an_application_changes_its_team_and_keeps_its_slug(
    application: Application, admin: User, outsider: User, api_of: LogIn
) -> None:
    answer = api_of(admin).patch(f"{APPLICATIONS}/checkout", {"team": "others", "slug": "changed"})

    assert (answer.status_code, answer.json()["team"], answer.json()["slug"]) == (200, "others", "checkout")
    assert api_of(outsider).get(f"{APPLICATIONS}/checkout").status_code == 200


def test_an_application_with_releases_stays_on_record(
    application: Application, admin: User, deployer: User, api_of: LogIn
) -> None:
    release = factories.draft(deployer, application)

    assert api_of(admin).delete(f"{APPLICATIONS}/checkout").status_code == 409
    api_of(deployer).delete(f"/api/v1/releases/{release.pk}")
    assert api_of(admin).delete(f"{APPLICATIONS}/checkout").status_code == 204
    assert not Application.objects.exists()


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"slug": "not a slug"}, "slug"),
        ({"slug": "checkout"}, "slug"),
        ({"name": ""}, "name"),
        ({"team": "nobody"}, "team"),
        ({"team": None}, "team"),
        ({"repository": "https://example.com/x"}, "repository"),
        ({"repository": "a/b\n"}, "repository"),
    ],
)
def test_an_application_that_cannot_be_is_refused_by_field(
    application: Application, admin: User, api_of: LogIn, sent: dict[str, Any], field: str
) -> None:
    answer = api_of(admin).post(APPLICATIONS, {"slug": "web", "name": "Web", "team": "payments"} | sent)

    if sent == {"repository": "a/b\n"}:
        assert answer.json()["repository"] == "a/b"
        return
    assert answer.status_code == 422
    assert field in answer.json()["details"]


def test_the_list_of_applications_is_filtered(
    application: Application, team: Team, outsider: User, deployer: User, api_of: LogIn
) -> None:
    factories.application(team, "ledger", "Ledger")
    client = api_of(deployer)

    def slugs(query: str) -> list[str]:
        return [each["slug"] for each in client.get(f"{APPLICATIONS}?{query}").json()["results"]]

    assert slugs("") == slugs("team=payments") == ["checkout", "ledger"]
    assert slugs("q=LED") == slugs("slug=ledger") == ["ledger"]
    assert slugs("team=others") == []
    assert slugs("ordering=-name") == ["ledger", "checkout"]
    assert api_of(outsider).get(APPLICATIONS).json()["results"] == []


def test_an_administrator_writes_changes_and_deletes_a_rule(
    application: Application, team: Team, admin: User, api_of: LogIn
) -> None:
    factories.environment("production")
    client = api_of(admin)

    made = client.post(RULES, {"application": "checkout", "environment": "production", "team": "payments", "count": 2})
    one = f"{RULES}/{made.json()['id']}"

    assert made.status_code == 201
    assert {name: made.json()[name] for name in ("application", "environment", "team", "role", "count")} == {
        "application": "checkout", "environment": "production", "team": "payments", "role": "", "count": 2
    }  # fmt: skip
    changed = client.patch(one, {"environment": None, "role": "admin", "expires_after_hours": 24}).json()
    assert (changed["environment"], changed["role"], changed["expires_after_hours"], changed["count"]) == (
        None,
        "admin",
        24,
        2,
    )
    assert client.get(f"{RULES}?application=checkout").json()["results"] == [changed]
    assert client.get(f"{RULES}?team=others&environment=production").json()["results"] == []
    assert client.delete(one).status_code == 204
    assert not ApprovalRule.objects.exists()


@pytest.mark.parametrize(
    "sent",
    [{"count": 0}, {"count": "x"}, {"role": "king"}, {"team": "nobody"}, {"environment": "mars"}, {"application": "x"}],
)
def test_a_rule_that_cannot_be_is_refused_by_field(
    team: Team, admin: User, api_of: LogIn, sent: dict[str, Any]
) -> None:
    answer = api_of(admin).post(RULES, {"count": 1} | sent)

    assert answer.status_code == 422
    assert list(answer.json()["details"]) == list(sent)


@pytest.mark.parametrize("who", ["deployer", "viewer"])
def test_set_up_is_for_administrators(
    application: Application, request: pytest.FixtureRequest, api_of: LogIn, who: str
) -> None:
    rule = ApprovalRule.objects.create(application=application)
    client = api_of(request.getfixturevalue(who))

    refused = [
        client.post(APPLICATIONS, {"slug": "web", "name": "Web", "team": "nobody"}),
        client.patch(f"{APPLICATIONS}/checkout", {"name": "x"}),
        client.delete(f"{APPLICATIONS}/checkout"),
        client.post(RULES, {"count": 0}),
        client.patch(f"{RULES}/{rule.pk}", {"count": 1}),
        client.delete(f"{RULES}/{rule.pk}"),
    ]

    assert [answer.status_code for answer in refused] == [403] * 6
    assert {answer.json()["details"]["permission"] for answer in refused} == {"admin"}
    assert client.get(f"{RULES}/{rule.pk}").status_code == 200


def test_an_outsider_finds_neither_application_nor_rule(
    application: Application, outsider: User, api_of: LogIn
) -> None:
    rule = ApprovalRule.objects.create(application=application)
    client = api_of(outsider)

    for method in ("get", "patch", "delete"):
        assert getattr(client, method)(f"{APPLICATIONS}/checkout").status_code == 404
        assert getattr(client, method)(f"{RULES}/{rule.pk}").status_code == 404
    assert client.get(RULES).json()["results"] == []


def test_nobody_reaches_set_up_without_a_login(application: Application, api: APIClient) -> None:
    for url in (APPLICATIONS, f"{APPLICATIONS}/checkout", RULES):
        assert api.get(url).status_code == 401
    assert api.post(APPLICATIONS, {}).status_code == 401


@pytest.mark.parametrize("reference", ["nothing", "00000000-0000-0000-0000-000000000000", "%00", "é"])
def test_an_address_that_names_nothing_is_not_found(admin: User, api_of: LogIn, reference: str) -> None:
    assert api_of(admin).get(f"{APPLICATIONS}/{reference}").status_code == 404
    assert api_of(admin).get(f"{RULES}/{reference}").status_code == 404
    assert api_of(admin).get(f"/api/v1/releases/{reference}").status_code == 404


def test_set_up_lists_cost_the_same_however_long_they_are(
    team: Team, deployer: User, api_of: LogIn, django_assert_max_num_queries: Any
) -> None:
    for number in range(5):
        made = factories.application(team, f"app-{number}", f"App {number}")
        ApprovalRule.objects.create(application=made, team=team)
    client = api_of(deployer)

    for url in (APPLICATIONS, RULES):
        with django_assert_max_num_queries(5):
            assert len(client.get(url).json()["results"]) == 5
