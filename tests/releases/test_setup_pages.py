"""The pages of applications and approval rules."""

from collections.abc import Callable
from html import unescape

import pytest
from django.http import HttpResponse
from django.test import Client

from accounts.models import Team, User
from releases import services
from releases.models import Application, ApprovalRule
from tests import factories
from tests.factories import actor

LogIn = Callable[[User], Client]


def text(answer: HttpResponse) -> str:
    return " ".join(unescape(answer.content.decode()).split())


def test_applications_show_their_last_release(
    application: Application, team: Team, deployer: User, viewer: User, browser_of: LogIn
) -> None:
    factories.application(team, "ledger", "Ledger")
    factories.draft(deployer, application, "1.0.0")
    factories.in_review(deployer, application, "1.1.0")

    page = text(browser_of(viewer).get("/applications"))

    assert page.index("Checkout") < page.index("Ledger")
    assert "1.1.0" in page and "1.0.0" not in page
    assert "None yet" in page
    assert "New application" not in page


def test_one_application_shows_its_releases_and_rules(
    application: Application, team: Team, deployer: User, admin: User, browser_of: LogIn
) -> None:
    factories.draft(deployer, application, "1.0.0")
    services.create_approval_rule(actor=actor(admin), application=application, team=team, count=2)

    for reference in (application.slug, application.pk):
        page = text(browser_of(deployer).get(f"/applications/{reference}"))

        assert "1.0.0" in page
        assert "2 approvals by Payments" in page
        assert f"/releases/new?application={application.slug}" in page
        assert "/applications/checkout/edit" not in page
    assert "/applications/checkout/edit" in text(browser_of(admin).get("/applications/checkout"))


def test_an_administrator_registers_and_edits_an_application(team: Team, admin: User, browser_of: LogIn) -> None:
    browser = browser_of(admin)
    typed = {"name": "Web", "slug": "web", "team": "payments", "repository": "acme/web", "description": ""}

    assert browser.post("/applications/new", typed)["Location"] == "/applications/web"
    assert 'value="acme/web"' in text(browser.get("/applications/web/edit"))
    browser.post("/applications/web/edit", typed | {"name": "Website", "slug": "ignored"})

    application = Application.objects.get()
    assert (application.name, application.slug, application.team) == ("Website", "web", team)


def test_an_application_that_cannot_be_keeps_what_was_typed(
    application: Application, admin: User, browser_of: LogIn
) -> None:
    typed = {"name": "Again", "slug": "checkout", "team": "payments", "repository": "not a repository"}

    answer = browser_of(admin).post("/applications/new", typed)

    assert answer.status_code == 422
    assert "already exists" in text(answer)
    assert "Write it as owner/name." in text(answer)
    assert 'value="Again"' in text(answer)
    assert Application.objects.count() == 1


def test_an_administrator_writes_changes_and_deletes_a_rule(
    application: Application, team: Team, admin: User, browser_of: LogIn
) -> None:
    factories.environment("production")
    browser = browser_of(admin)
    typed = {"application": "checkout", "environment": "production", "team": "payments", "role": "", "count": 2}

    assert browser.post("/approval-rules/new", typed | {"expires_after_hours": ""})["Location"] == "/approval-rules"
    rule = ApprovalRule.objects.get()
    page = text(browser.get("/approval-rules"))
    assert "2 approvals by Payments" in page
    assert "Deployments to production" in page
    browser.post(f"/approval-rules/{rule.pk}", typed | {"environment": "", "count": 3, "expires_after_hours": 48})
    rule.refresh_from_db()
    assert (rule.environment, rule.count, rule.expires_after_hours) == (None, 3, 48)
    browser.post(f"/approval-rules/{rule.pk}/delete")
    assert not ApprovalRule.objects.exists()
    assert "Add a rule" in text(browser.get("/approval-rules"))


@pytest.mark.parametrize(
    "wrong", [{"count": 0}, {"count": "many"}, {"team": "nobody"}, {"environment": "mars"}, {"role": "king"}]
)
def test_a_rule_that_cannot_be_is_refused_on_its_form(
    team: Team, admin: User, browser_of: LogIn, wrong: dict[str, str]
) -> None:
    answer = browser_of(admin).post("/approval-rules/new", {"count": 1} | wrong)

    assert answer.status_code == 422
    assert 'class="field-error"' in text(answer)


@pytest.mark.parametrize("who", ["deployer", "viewer"])
def test_set_up_pages_are_for_administrators(
    application: Application, request: pytest.FixtureRequest, browser_of: LogIn, who: str
) -> None:
    rule = ApprovalRule.objects.create(application=application)
    browser = browser_of(request.getfixturevalue(who))
    urls = ["/applications/new", "/applications/checkout/edit", "/approval-rules/new", f"/approval-rules/{rule.pk}"]

    answers = [method(url) for url in urls for method in (browser.get, browser.post)]
    answers.append(browser.post(f"/approval-rules/{rule.pk}/delete"))

    assert {answer.status_code for answer in answers} == {403}
    assert all("Only administrators change the set-up." in text(answer) for answer in answers)
    assert "1 approval by anyone who may approve" in text(browser.get("/approval-rules"))


def test_an_outsider_sees_no_rule_and_no_application(
    application: Application, outsider: User, browser_of: LogIn
) -> None:
    rule = ApprovalRule.objects.create(application=application)
    browser = browser_of(outsider)

    urls = ["/applications/checkout", "/applications/checkout/edit", f"/approval-rules/{rule.pk}"]
    assert {browser.get(url).status_code for url in urls} == {404}
    assert browser.post(f"/approval-rules/{rule.pk}/delete").status_code == 404
    assert "No applications yet" in text(browser.get("/applications"))


@pytest.mark.parametrize("reference", ["nothing", "%00", "00000000-0000-0000-0000-000000000000"])
def test_an_application_that_is_not_there_is_not_found(admin: User, browser_of: LogIn, reference: str) -> None:
    assert browser_of(admin).get(f"/applications/{reference}").status_code == 404
