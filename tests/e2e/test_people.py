"""Who comes in, who may not, and what becomes of what they typed."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from deployments.demo.content import PASSWORD
from tests.e2e.places import Place
from tests.e2e.visitors import Visitor

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("e2e")]
Visit = Callable[..., Visitor]

FORCE = """async ([address, digest]) => {
  const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
  const body = new URLSearchParams({digest, comment: ""});
  return (await fetch(address, {method: "POST", headers: {"X-CSRFToken": token}, body})).status;
}"""


def test_a_newcomer_is_told_how_to_sign_in(visit: Visit) -> None:
    page = visit().page
    page.goto("/releases")
    expect(page.get_by_text("Development only: sign in as admin with admin123")).to_be_visible()
    page.get_by_label("Email address or short name").fill("admin")
    page.get_by_label("Password").fill("admin123")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/releases")


def test_a_wrong_password_is_refused_and_the_name_kept(visit: Visit) -> None:
    stranger = visit()
    stranger.expected = {401, 422}
    stranger.sign_in("priya", "not her password")
    expect(stranger.page.get_by_role("alert")).to_be_visible()
    expect(stranger.page.get_by_label("Email address or short name")).to_have_value("priya")
    expect(stranger.page.get_by_label("Password")).to_have_value("")


def test_signing_out_closes_the_live_pages_of_the_session(visit: Visit) -> None:
    person = visit()
    person.sign_in("priya", PASSWORD)
    board = person.page
    expect(board.locator("#connection")).to_have_text("Live")
    other = person.context.new_page()
    other.goto("/")
    person.tolerated = re.compile("WebSocket connection .* failed")
    other.get_by_label("Account of Priya Nair").click()
    other.get_by_role("button", name="Sign out").click()
    other.wait_for_url("**/accounts/login")
    board.wait_for_url("**/accounts/login?next=%2F")


def test_authors_cannot_approve_their_own_release(visit: Visit, place: Place) -> None:
    release = place.in_review("1.0.0")
    author = visit("maya")
    author.page.goto(f"/releases/{release['id']}")
    buttons = author.page.locator("#release-buttons")
    expect(buttons).to_be_visible()
    expect(buttons.get_by_role("link", name="Approve")).to_have_count(0)
    expect(buttons.get_by_role("button", name="Approve", disabled=False)).to_have_count(0)

    author.expected = {403}
    forced = author.page.evaluate(FORCE, [f"/releases/{release['id']}/approve", release["digest"]])
    assert forced == 403
    assert place.rest("maya").get(f"/releases/{release['id']}")["approvals"] == []


def fill_badly(page: Page, place: Place) -> None:
    page.get_by_label("Application").select_option(place.slug)
    page.get_by_label("Version").fill("1.0.0")
    page.get_by_label("Description").fill("Typed with care.")
    page.get_by_label("Container", exact=True).fill("app")
    page.get_by_label("Image reference").fill("registry.example/web:1.0.0")
    page.get_by_label("Kubernetes manifests").fill("kind: [unclosed")


def test_a_refused_form_says_why_and_keeps_what_was_typed(visit: Visit, place: Place) -> None:
    author = visit("maya")
    page = author.page
    page.goto("/releases/new")
    fill_badly(page, place)
    author.expected = {422}
    page.get_by_role("button", name="Save draft").click()

    expect(page.locator("#artifact-errors")).to_contain_text("not valid YAML")
    expect(page.get_by_label("Application")).to_have_value(place.slug)
    expect(page.get_by_label("Version")).to_have_value("1.0.0")
    expect(page.get_by_label("Description")).to_have_value("Typed with care.")
    expect(page.get_by_label("Image reference").first).to_have_value("registry.example/web:1.0.0")
    expect(page.get_by_label("Kubernetes manifests")).to_have_value("kind: [unclosed")
