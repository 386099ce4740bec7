"""The admin: operators look at everything and change nothing around the services."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import Team, User
from audit.models import Event
from releases import services
from releases.models import Application, Approval, ApprovalRule, Release
from tests import factories
from tests.factories import actor

LogIn = Callable[[User], Client]
MODELS = ["application", "release", "approval", "comment", "approvalrule"]


@pytest.fixture
def release(application: Application, deployer: User, approver: User) -> Release:
    made = factories.approved(deployer, approver, application)
    services.comment_on_release(actor=actor(deployer), release=made, body="Hello")
    return made


@pytest.mark.parametrize("model", MODELS)
def test_an_administrator_finds_every_model(
    release: Release, admin: User, browser_of: LogIn, model: str, django_assert_max_num_queries: Any
) -> None:
    browser = browser_of(admin)

    assert browser.get(f"/admin/releases/{model}/?q=checkout").status_code == 200
    with django_assert_max_num_queries(9):
        assert browser.get(f"/admin/releases/{model}/").status_code == 200


@pytest.mark.parametrize("who", ["deployer", "viewer", "outsider"])
def test_others_are_not_let_in(request: pytest.FixtureRequest, browser_of: LogIn, who: str) -> None:
    browser = browser_of(request.getfixturevalue(who))

    assert {browser.get(f"/admin/releases/{model}/").status_code for model in MODELS} <= {302, 403}


@pytest.mark.parametrize("model", ["release", "approval", "comment"])
def test_history_is_only_looked_at(release: Release, admin: User, browser_of: LogIn, model: str) -> None:
    browser = browser_of(admin)
    found = {"release": release, "approval": release.approvals.get(), "comment": release.comments.get()}[model]
    one = f"/admin/releases/{model}/{found.pk}"

    assert browser.get(f"{one}/change/").status_code == 200
    refused = [browser.post(f"{one}/change/", {"status": "released"}), browser.post(f"{one}/delete/", {"post": "yes"}),
               browser.get(f"/admin/releases/{model}/add/")]  # fmt: skip

    assert {answer.status_code for answer in refused} == {403}
    release.refresh_from_db()
    assert release.status == "approved"
    assert Approval.objects.count() == 1


def test_an_operator_cancels_releases_through_the_service(
    application: Application, release: Release, deployer: User, admin: User, browser_of: LogIn
) -> None:
    gone = factories.draft(deployer, application, "2.0.0")
    services.cancel_release(actor=actor(deployer), release=gone)
    sent = {"action": "cancel", "_selected_action": [str(release.pk), str(gone.pk)]}

    page = browser_of(admin).post("/admin/releases/release/", sent, follow=True).content.decode()

    release.refresh_from_db()
    assert release.status == "cancelled"
    assert Event.objects.filter(action="release.cancelled", user=admin, resource_id=str(release.pk)).count() == 1
    assert "1 cancelled." in page
    assert "Checkout 2.0.0: This is cancelled already." in page


def test_an_application_is_written_through_the_services(
    team: Team, admin: User, deployer: User, outsider: User, browser_of: LogIn
) -> None:
    browser = browser_of(admin)
    typed = {"name": "Web", "slug": "web", "team": str(team.pk), "repository": "", "description": ""}

    browser.post("/admin/releases/application/add/", typed)
    application = Application.objects.get()
    assert Event.objects.filter(action="application.created", user=admin).count() == 1
    assert browser_of(deployer).get("/applications/web").status_code == 200

    others = outsider.memberships.get().team
    browser.post(f"/admin/releases/application/{application.pk}/change/", typed | {"team": str(others.pk)})
    assert Event.objects.get(action="application.updated").changes == {"team": ["Payments", "Others"]}
    assert browser_of(outsider).get("/applications/web").status_code == 200
    assert browser_of(deployer).get("/applications/web").status_code == 404

    browser.post(f"/admin/releases/application/{application.pk}/delete/", {"post": "yes"})
    assert not Application.objects.exists()
    assert Event.objects.filter(action="application.deleted").count() == 1


def test_an_application_with_releases_is_not_deleted(release: Release, admin: User, browser_of: LogIn) -> None:
    one = f"/admin/releases/application/{release.application_id}/delete/"

    assert browser_of(admin).post(one, {"post": "yes"}).status_code == 403
    assert Application.objects.count() == 1


def test_a_rule_is_written_through_the_services(team: Team, admin: User, browser_of: LogIn) -> None:
    browser = browser_of(admin)
    typed = {
        "application": "",
        "environment": "",
        "team": str(team.pk),
        "role": "",
        "count": 2,
        "expires_after_hours": "",
    }

    browser.post("/admin/releases/approvalrule/add/", typed)
    rule = ApprovalRule.objects.get()
    browser.post(f"/admin/releases/approvalrule/{rule.pk}/change/", typed | {"count": 3})
    rule.refresh_from_db()
    assert rule.count == 3
    browser.post(
        "/admin/releases/approvalrule/",
        {"action": "delete_selected", "_selected_action": [str(rule.pk)], "post": "yes"},
    )

    assert not ApprovalRule.objects.exists()
    written = Event.objects.filter(action__startswith="approval_rule.").order_by("sequence")
    assert [event.action for event in written] == [
        "approval_rule.created", "approval_rule.updated", "approval_rule.deleted"
    ]  # fmt: skip
