"""Submit, approve, reject and cancel from the page of a release, and the discussion beside them."""

import json
import re
from collections.abc import Callable
from html import unescape

import pytest
from django.http import HttpResponse
from django.test import Client

from accounts.models import User
from audit.models import Event
from releases import services
from releases.models import Application, Comment
from tests import factories
from tests.factories import actor, artifacts
from tests.releases.conftest import HTMX

LogIn = Callable[[User], Client]


def text(answer: HttpResponse) -> str:
    return " ".join(unescape(answer.content.decode()).split())


def toast(answer: HttpResponse) -> dict[str, str]:
    shown: dict[str, str] = json.loads(answer["HX-Trigger"])["toast"]
    return shown


def test_two_people_bring_a_draft_to_approval(
    application: Application, deployer: User, approver: User, browser_of: LogIn
) -> None:
    release = factories.draft(deployer, application)
    author, reviewer, one = browser_of(deployer), browser_of(approver), f"/releases/{release.pk}"

    submitted = author.post(f"{one}/submit", headers=HTMX)
    assert submitted.status_code == 200
    assert toast(submitted) == {"message": "checkout 1.0.0 is in review.", "level": "success"}
    assert "In review" in text(submitted)
    dialog = reviewer.get(f"{one}/approve", headers=HTMX)
    assert f'value="{release.digest}"' in text(dialog)
    approved = reviewer.post(f"{one}/approve", {"comment": "Read it.", "digest": release.digest}, headers=HTMX)

    assert approved["HX-Retarget"] == "#release"
    assert "close-modal" in approved["HX-Trigger-After-Settle"]
    assert toast(approved)["message"] == "You approved checkout 1.0.0."
    assert "1 of 1 approvals" in text(approved)
    assert "Read it." in text(approved)
    release.refresh_from_db()
    assert release.status == "approved"


def test_without_a_script_the_same_buttons_are_forms(
    application: Application, deployer: User, approver: User, browser_of: LogIn
) -> None:
    release = factories.draft(deployer, application)
    one = f"/releases/{release.pk}"

    assert browser_of(deployer).post(f"{one}/submit")["Location"] == one
    reviewer = browser_of(approver)
    assert "<html" in text(reviewer.get(f"{one}/approve"))
    page = reviewer.post(f"{one}/approve", {"digest": release.digest}, follow=True)

    assert "You approved checkout 1.0.0." in text(page)
    assert f'href="/releases/{release.pk}/approve"' not in text(page)


def test_a_rejection_without_reason_stays_in_the_dialog(
    application: Application, deployer: User, approver: User, browser_of: LogIn
) -> None:
    release = factories.in_review(deployer, application)
    reviewer = browser_of(approver)

    for comment in ("", "   "):
        answer = reviewer.post(
            f"/releases/{release.pk}/reject", {"comment": comment, "digest": release.digest}, headers=HTMX
        )

        assert answer.status_code == 422
        assert "Say why, so that the author knows what to change." in text(answer)
        assert 'id="modal-title"' in text(answer)
    release.refresh_from_db()
    assert release.status == "in_review"


def test_a_rejection_closes_the_dialog_and_shows_the_draft(
    application: Application, deployer: User, approver: User, browser_of: LogIn
) -> None:
    release = factories.in_review(deployer, application)

    answer = browser_of(approver).post(
        f"/releases/{release.pk}/reject", {"comment": "Wrong port", "digest": release.digest}, headers=HTMX
    )

    assert answer.status_code == 200
    assert toast(answer)["message"] == "You rejected checkout 1.0.0."
    assert "Sent back by Approver" in text(answer)


def test_who_decides_about_content_that_changed_meanwhile_gets_the_fresh_page(
    application: Application, deployer: User, approver: User, browser_of: LogIn
) -> None:
    release = factories.in_review(deployer, application)
    services.edit_release(actor=actor(deployer), release=release, changes={"artifacts": artifacts("7.7.7")})

    answer = browser_of(approver).post(f"/releases/{release.pk}/approve", {"digest": release.digest}, headers=HTMX)

    assert answer.status_code == 409
    assert answer["HX-Retarget"] == "#release"
    assert "changed since you read it" in toast(answer)["message"]
    assert toast(answer)["level"] == "danger"
    assert "7.7.7" in text(answer)


@pytest.mark.parametrize("move", ["submit", "approve", "reject", "cancel"])
def test_a_move_from_the_wrong_state_answers_with_the_present_one(
    application: Application, deployer: User, approver: User, browser_of: LogIn, move: str
) -> None:
    release = factories.draft(deployer, application)
    services.cancel_release(actor=actor(deployer), release=release)
    sent = {"comment": "x", "digest": release.digest}

    with_htmx = browser_of(approver).post(f"/releases/{release.pk}/{move}", sent, headers=HTMX)

    assert with_htmx.status_code == 409
    assert "Cancelled" in text(with_htmx)
    assert toast(with_htmx)["level"] == "danger"


def test_the_author_is_told_why_they_cannot_decide(application: Application, deployer: User, browser_of: LogIn) -> None:
    release = factories.in_review(deployer, application)
    browser = browser_of(deployer)

    for method in (browser.get, browser.post):
        answer = method(f"/releases/{release.pk}/approve", {"digest": release.digest}, headers=HTMX)
        assert answer.status_code == 403
        assert "four eyes" in toast(answer)["message"]
    assert Event.objects.filter(action="access.denied", user=deployer).count() == 2


def test_a_cancelled_release_has_no_buttons_left(application: Application, deployer: User, browser_of: LogIn) -> None:
    release = factories.draft(deployer, application)

    answer = browser_of(deployer).post(f"/releases/{release.pk}/cancel", headers=HTMX)

    assert "is-cancelled" in text(answer)
    assert "<button" not in text(answer).split('id="release-buttons"')[1].split("</div>")[0]


@pytest.mark.parametrize("name", ["submit", "cancel", "delete"])
def test_nothing_moves_by_a_link(application: Application, deployer: User, browser_of: LogIn, name: str) -> None:
    release = factories.draft(deployer, application)

    assert browser_of(deployer).get(f"/releases/{release.pk}/{name}").status_code == 405


def test_a_comment_appears_and_the_field_is_empty_again(
    application: Application, deployer: User, browser_of: LogIn
) -> None:
    release = factories.draft(deployer, application)
    browser = browser_of(deployer)

    answer = browser.post(f"/releases/{release.pk}/comments", {"body": "Is it *safe*?"}, headers=HTMX)

    assert answer.status_code == 200
    assert "Is it <em>safe</em>?" in text(answer)
    assert "</textarea>" in text(answer)
    assert "Is it *safe*?" not in text(answer)
    assert "Is it <em>safe</em>?" in text(browser.get(f"/releases/{release.pk}/comments", headers=HTMX))


def test_a_long_discussion_shows_its_end_and_more_when_asked(
    application: Application, deployer: User, browser_of: LogIn
) -> None:
    release = factories.draft(deployer, application)
    Comment.objects.bulk_create(Comment(release=release, user=deployer, body=f"remark-{n:03}") for n in range(103))
    browser, page = browser_of(deployer), f"/releases/{release.pk}"

    def shown(address: str) -> tuple[list[int], bool]:
        said = text(browser.get(address))
        return [int(each) for each in re.findall(r"remark-(\d+)", said)], "Show earlier" in said

    latest = Comment.objects.order_by("created_at", "id").values_list("body", flat=True)
    order = [int(body.removeprefix("remark-")) for body in latest]
    for address in (page, f"{page}/comments", f"{page}/comments?comments=none", f"{page}/comments?comments=-5"):
        assert shown(address) == (order[-50:], True)
    assert f"{page}/comments?comments=50" in text(browser.get(page)), "the live part asks for as many as are shown"
    assert shown(f"{page}?comments=100") == shown(f"{page}/comments?comments=100") == (order[-100:], True)
    assert shown(f"{page}/comments?comments=150") == (order, False)


@pytest.mark.parametrize("body", ["", "  \n ", "x" * 10_001])
def test_a_comment_that_is_none_keeps_what_was_typed(
    application: Application, deployer: User, browser_of: LogIn, body: str
) -> None:
    release = factories.draft(deployer, application)

    for headers in (HTMX, {}):
        answer = browser_of(deployer).post(f"/releases/{release.pk}/comments", {"body": body}, headers=headers)

        assert answer.status_code == 422
        assert 'class="field-error"' in text(answer)
        assert body.strip() in text(answer)
    assert not Comment.objects.exists()


def test_a_comment_without_a_script_leads_back_to_the_discussion(
    application: Application, deployer: User, browser_of: LogIn
) -> None:
    release = factories.draft(deployer, application)

    answer = browser_of(deployer).post(f"/releases/{release.pk}/comments", {"body": "x"})

    assert answer["Location"] == f"/releases/{release.pk}#discussion"
