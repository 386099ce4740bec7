"""The pages of releases, for everybody who may come."""

from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from accounts.models import Team, User
from releases import services
from releases.models import Application, Release
from tests import factories
from tests.factories import MANIFESTS, actor, artifacts
from tests.releases.conftest import HTMX

LogIn = Callable[[User], Client]


def text(answer: HttpResponse) -> str:
    return " ".join(unescape(answer.content.decode()).split())


def typed(**fields: Any) -> dict[str, Any]:
    return {
        "application": "checkout",
        "version": "1.0.0",
        "commit": "",
        "description": "",
        "manifests": MANIFESTS,
        "container": "app",
        "reference": "registry.example/web:1.0.0",
    } | fields


def test_the_list_shows_the_newest_first_and_filters(
    application: Application, team: Team, deployer: User, viewer: User, browser_of: LogIn
) -> None:
    ledger = factories.application(team, "ledger", "Ledger")
    factories.draft(deployer, application, "1.0.0")
    factories.in_review(deployer, ledger, "2.0.0")
    browser = browser_of(viewer)

    page = text(browser.get("/releases"))
    assert page.index("Ledger 2.0.0") < page.index("Checkout 1.0.0")
    assert "New release" not in page
    assert "Ledger 2.0.0" not in text(browser.get("/releases?application=checkout"))
    assert "Checkout 1.0.0" not in text(browser.get("/releases?status=in_review"))
    assert "Ledger 2.0.0" in text(browser.get("/releases?q=ledg"))
    assert "No release matches" in text(browser.get("/releases?q=nothing"))


def test_the_list_answers_htmx_with_its_part_alone(application: Application, viewer: User, browser_of: LogIn) -> None:
    answer = browser_of(viewer).get("/releases", headers=HTMX)

    assert answer.content.decode().lstrip().startswith('<section class="card"')
    assert "<html" not in text(answer)


@pytest.mark.parametrize("query", ["status=nope", "application=others", "q=%00"])
def test_a_filter_that_does_not_exist_is_said(
    application: Application, viewer: User, browser_of: LogIn, query: str
) -> None:
    answer = browser_of(viewer).get(f"/releases?{query}")

    assert answer.status_code == 422
    assert "This filter cannot be used." in text(answer)


def test_a_page_address_that_is_none_is_malformed(application: Application, viewer: User, browser_of: LogIn) -> None:
    assert browser_of(viewer).get("/releases?cursor=x", headers=HTMX).status_code == 400


def test_the_list_goes_on_by_key(application: Application, deployer: User, browser_of: LogIn) -> None:
    for number in range(30):
        Release.objects.create(
            application=application, version=f"1.0.{number}", digest="x", created_by=deployer, edited_by=deployer
        )
    browser = browser_of(deployer)

    first = browser.get("/releases")
    second = browser.get("/releases", {"cursor": first.context["page"].next_cursor})

    assert [row.version for row in first.context["page"].rows] == [f"1.0.{n}" for n in range(29, 4, -1)]
    assert [row.version for row in second.context["page"].rows] == [f"1.0.{n}" for n in range(4, -1, -1)]
    assert "Newer" in text(second)


def test_an_empty_list_invites_who_may_draft(
    application: Application, deployer: User, viewer: User, browser_of: LogIn
) -> None:
    assert "Draft the first release" in text(browser_of(deployer).get("/releases"))
    assert "Draft the first release" not in text(browser_of(viewer).get("/releases"))


def test_a_release_is_drafted_on_the_form(application: Application, deployer: User, browser_of: LogIn) -> None:
    browser = browser_of(deployer)
    assert "Checkout" in text(browser.get("/releases/new"))

    answer = browser.post("/releases/new", typed(description="# New\r\n\r\nPort", commit="abc"), follow=True)

    release = Release.objects.get()
    assert answer.redirect_chain == [(f"/releases/{release.pk}", 302)]
    assert (release.version, release.description, release.commit) == ("1.0.0", "# New\n\nPort", "abc")
    assert release.images == {"app": "registry.example/web:1.0.0"}
    assert "checkout 1.0.0 is drafted" in text(answer)


def test_the_form_and_the_api_make_the_same_content(
    application: Application, deployer: User, browser_of: LogIn
) -> None:
    over_api = factories.draft(deployer, application, "1.0.0")
    digest = over_api.digest
    services.delete_release(actor=actor(deployer), release=over_api)

    browser_of(deployer).post("/releases/new", typed(manifests=MANIFESTS.replace("\n", "\r\n")))

    assert Release.objects.get().digest == digest


def test_htmx_is_sent_to_the_new_release(application: Application, deployer: User, browser_of: LogIn) -> None:
    answer = browser_of(deployer).post("/releases/new", typed(), headers=HTMX)

    assert answer["HX-Redirect"] == f"/releases/{Release.objects.get().pk}"


def test_the_form_starts_with_the_application_that_was_chosen(
    application: Application, team: Team, deployer: User, browser_of: LogIn
) -> None:
    factories.application(team, "ledger", "Ledger")
    browser = browser_of(deployer)

    assert '<option value="ledger" selected>' in text(browser.get("/releases/new?application=ledger"))
    assert "selected>Ledger" not in text(browser.get("/releases/new"))


def test_the_form_suggests_the_next_version(
    application: Application, team: Team, deployer: User, browser_of: LogIn
) -> None:
    factories.draft(deployer, application, "1.4.3")
    factories.draft(deployer, application, "1.4.2")
    ledger = factories.application(team, "ledger", "Ledger")
    factories.draft(deployer, ledger, "v2.0.0")
    browser = browser_of(deployer)

    # 1.4.3 is taken, though it was not made last.
    assert 'value="1.4.4"' in text(browser.get("/releases/new?application=checkout"))
    chosen = {"application": "ledger", "version": "1.4.4", "suggested": "1.4.4"}
    assert 'value="v2.0.1"' in text(browser.get("/releases/new/version", chosen))
    kept = text(browser.get("/releases/new/version", chosen | {"version": "9.9"}))
    assert 'value="9.9"' in kept
    assert "The last one is" in kept


def test_a_release_starts_from_the_last_one_with_all_its_content(
    application: Application, deployer: User, browser_of: LogIn
) -> None:
    chart = {"repository": "https://charts.example", "name": "web", "version": "1.2.3"}
    content = artifacts("1.0.0", values={"replicas": 3}, chart=chart, migrations={"kind": "alembic", "head": "a1"})
    last = factories.draft(deployer, application, "1.0.0", artifacts=content, commit="abc")
    browser = browser_of(deployer)

    page = text(browser.get(f"/releases/new?from={last.pk}"))
    assert 'value="1.0.1"' in page
    assert "registry.example/web:1.0.0" in page
    assert "kind: Deployment" in page
    assert 'value="https://charts.example"' in page
    assert "replicas: 3" in page
    assert "Migrations stay as they are" in page
    fields = {f"chart_{name}": value for name, value in chart.items()} | {"values": "replicas: 3"}
    browser.post("/releases/new", typed(version="1.0.1", **fields, **{"from": str(last.pk)}))

    made = Release.objects.get(version="1.0.1")
    assert (made.artifacts["values"], made.artifacts["chart"]) == ({"replicas": 3}, chart)
    assert made.artifacts["migrations"] == {"kind": "alembic", "head": "a1"}


@pytest.mark.parametrize("chosen", ["x", "00000000-0000-0000-0000-000000000000"])
def test_starting_from_a_release_that_is_not_there_is_not_found(
    application: Application, deployer: User, browser_of: LogIn, chosen: str
) -> None:
    assert browser_of(deployer).get(f"/releases/new?from={chosen}", headers=HTMX).status_code == 404


def test_saving_the_untouched_form_keeps_the_approvals(
    application: Application, deployer: User, approver: User, browser_of: LogIn
) -> None:
    release = factories.approved(deployer, approver, application)
    same = typed(seen=release.digest, manifests=MANIFESTS.replace("\n", "\r\n"), description="Words only")

    answer = browser_of(deployer).post(f"/releases/{release.pk}/edit", same)

    release.refresh_from_db()
    assert answer.status_code == 302
    assert (release.status, release.description) == ("approved", "Words only")


def test_editing_content_on_the_form_voids_visibly(
    application: Application, deployer: User, approver: User, browser_of: LogIn
) -> None:
    release = factories.approved(deployer, approver, application)
    browser = browser_of(deployer)
    assert "Approvals are bound to the content." in text(browser.get(f"/releases/{release.pk}/edit"))

    browser.post(f"/releases/{release.pk}/edit", typed(seen=release.digest, reference="registry.example/web:2"))

    page = text(browser.get(f"/releases/{release.pk}"))
    assert "<s>Approved</s>" in page
    assert "Void: the content changed" in page
    assert "0 of 1 approvals" in page


def test_a_form_that_somebody_else_has_overtaken_says_so_and_keeps_what_was_typed(
    application: Application, deployer: User, approver: User, browser_of: LogIn
) -> None:
    release = factories.draft(deployer, application)
    seen = release.digest
    services.edit_release(actor=actor(approver), release=release, changes={"artifacts": artifacts("1.0.1")})
    browser = browser_of(deployer)

    answer = browser.post(f"/releases/{release.pk}/edit", typed(seen=seen, reference="registry.example/web:mine"))

    assert answer.status_code == 422
    assert "Approver changed the content after you opened this form." in text(answer)
    assert "registry.example/web:mine" in text(answer)
    release.refresh_from_db()
    assert f'value="{release.digest}"' in text(answer)


def test_a_released_or_cancelled_release_cannot_be_edited(
    application: Application, deployer: User, browser_of: LogIn
) -> None:
    release = factories.draft(deployer, application)
    services.cancel_release(actor=actor(deployer), release=release)

    answer = browser_of(deployer).post(f"/releases/{release.pk}/edit", typed(seen=release.digest), headers=HTMX)

    assert answer.status_code == 409
    assert "it stays as it is" in text(answer)


def test_the_page_shows_content_people_and_progress(
    application: Application, deployer: User, approver: User, browser_of: LogIn
) -> None:
    release = factories.in_review(deployer, application, description="Fixes the **port**", commit="abcdef1234567890")
    services.comment_on_release(actor=actor(approver), release=release, body="Looks *good*")

    page = text(browser_of(approver).get(f"/releases/{release.pk}"))

    for part in (
        "Fixes the <strong>port</strong>",
        "Looks <em>good</em>",
        "0 of 1 approvals by anyone who may approve",
        "Tag can move",
        "kind: Deployment",
        release.digest,
        release.digest[7:19],
        "abcdef123456",
        f"/audit/for/release/{release.pk}",
    ):
        assert part in page


def test_htmx_refetches_the_live_part_alone(application: Application, deployer: User, browser_of: LogIn) -> None:
    release = factories.draft(deployer, application)

    answer = browser_of(deployer).get(f"/releases/{release.pk}", headers=HTMX)

    assert answer.content.decode().lstrip().startswith("<div")
    assert f'data-live="release.{release.pk}"' in text(answer)
    assert "<html" not in text(answer)


def test_a_sent_back_draft_shows_the_reason(
    application: Application, deployer: User, approver: User, browser_of: LogIn
) -> None:
    release = factories.in_review(deployer, application)
    services.reject_release(actor=actor(approver), release=release, comment="The port is wrong.")

    page = text(browser_of(deployer).get(f"/releases/{release.pk}"))

    assert "Sent back by Approver" in page
    assert "The port is wrong." in page
    assert "Submit for review" in page


@pytest.mark.parametrize("who", ["deployer", "approver", "viewer", "admin"])
def test_buttons_are_there_for_who_may_press_them_and_say_why_not_to_others(
    application: Application, deployer: User, request: pytest.FixtureRequest, browser_of: LogIn, who: str
) -> None:
    release = factories.in_review(deployer, application)

    page = text(browser_of(request.getfixturevalue(who)).get(f"/releases/{release.pk}"))

    may_review = who in ("approver", "admin")
    assert (f'hx-get="/releases/{release.pk}/approve"' in page) is may_review
    assert (f'hx-get="/releases/{release.pk}/reject"' in page) is may_review
    assert (f"/releases/{release.pk}/edit" in page) is (who != "viewer")
    if who == "deployer":
        assert "somebody else decides about it (four eyes)" in page
    if who == "viewer":
        assert "You may not decide about releases of Checkout." in page


def test_a_page_that_is_not_ones_own_is_not_found(
    application: Application, deployer: User, outsider: User, browser_of: LogIn
) -> None:
    release = factories.in_review(deployer, application)
    browser = browser_of(outsider)
    one = f"/releases/{release.pk}"

    gets = [one, f"{one}/edit", f"{one}/approve", f"{one}/reject", f"{one}/comments", "/applications/checkout"]
    posts = [f"{one}/{name}" for name in ("edit", "delete", "submit", "approve", "reject", "cancel", "comments")]

    assert {browser.get(url, headers=HTMX).status_code for url in gets} == {404}
    assert {browser.post(url, {"comment": "x", "body": "x"}, headers=HTMX).status_code for url in posts} == {404}
    assert "Checkout" not in text(browser.get("/releases"))


def test_a_viewer_is_refused_with_the_reason(
    application: Application, deployer: User, viewer: User, browser_of: LogIn
) -> None:
    release = factories.in_review(deployer, application)
    browser = browser_of(viewer)
    one = f"/releases/{release.pk}"

    gets = ["/releases/new", f"{one}/edit", f"{one}/approve", f"{one}/reject"]
    posts = [f"{one}/{name}" for name in ("edit", "delete", "submit", "approve", "reject", "cancel", "comments")]
    answers = [browser.get(url, headers=HTMX) for url in gets] + [
        browser.post(url, {"comment": "x", "body": "x", "digest": release.digest}, headers=HTMX)
        for url in ["/releases/new", *posts]
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert all("toast" in answer["HX-Trigger"] for answer in answers)
    release.refresh_from_db()
    assert release.status == "in_review"


def test_without_a_login_every_page_leads_to_it(application: Application, deployer: User, client: Client) -> None:
    one = f"/releases/{factories.draft(deployer, application).pk}"
    gets = ["/releases", "/releases/new", "/releases/new/version", "/releases/new/image", one, f"{one}/edit",
            f"{one}/approve", f"{one}/comments", "/applications", "/applications/checkout", "/applications/new",
            "/approval-rules", "/approval-rules/new"]  # fmt: skip
    posts = [f"{one}/{name}" for name in ("submit", "approve", "reject", "cancel", "delete", "comments")]

    answers = [client.get(url) for url in gets] + [client.post(url) for url in [*posts, "/releases/new/preview"]]

    assert {(answer.status_code, answer["Location"].split("?")[0]) for answer in answers} == {(302, "/accounts/login")}


def test_a_draft_is_deleted_from_its_page(application: Application, deployer: User, browser_of: LogIn) -> None:
    release = factories.draft(deployer, application)

    answer = browser_of(deployer).post(f"/releases/{release.pk}/delete", headers=HTMX)

    assert answer["HX-Redirect"] == "/releases"
    assert not Release.objects.exists()


def test_a_preview_is_what_the_page_will_show(application: Application, deployer: User, browser_of: LogIn) -> None:
    browser = browser_of(deployer)

    assert "<strong>x</strong>" in text(browser.post("/releases/new/preview", {"description": "**x**"}))
    assert "Nothing to show yet" in text(browser.post("/releases/new/preview", {"description": " "}))


def test_an_image_row_is_added_empty_and_takes_the_focus(
    application: Application, deployer: User, browser_of: LogIn
) -> None:
    row = text(browser_of(deployer).get("/releases/new/image", headers=HTMX))

    assert row.startswith('<div class="image-row">')
    assert "autofocus" in row


def test_pages_cost_few_queries(
    application: Application, deployer: User, approver: User, browser_of: LogIn, django_assert_max_num_queries: Any
) -> None:
    for number in range(4):
        factories.approved(deployer, approver, application, f"1.0.{number}")
    release = factories.approved(deployer, approver, application, "2.0.0", description="x")
    for number in range(3):
        services.comment_on_release(actor=actor(approver), release=release, body=f"{number}")
    browser = browser_of(deployer)

    for url in ("/releases", "/releases?q=1", f"/releases/{release.pk}", "/releases/new", "/applications",
                "/applications/checkout", f"/releases/{release.pk}/edit"):  # fmt: skip
        with django_assert_max_num_queries(8):
            assert browser.get(url).status_code == 200
