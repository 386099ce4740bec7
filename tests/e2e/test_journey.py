"""A release from its draft to its rollback: two people, each with a browser of their own, and nobody reloads a page."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.places import Place
from tests.e2e.visitors import Visitor

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("e2e")]
Visit = Callable[..., Visitor]


def never_reloads(page: Page) -> Callable[[], bool]:
    """Whether the page is still the document that it is now."""
    page.evaluate("window.untouched = true")
    return lambda: bool(page.evaluate("window.untouched === true"))


def draft_on_the_form(page: Page, place: Place, version: str) -> None:
    page.goto("/releases/new")
    page.get_by_label("Application").select_option(place.slug)
    page.get_by_label("Version").fill(version)
    page.get_by_label("Description").fill("Carts are kept for a **week**.")
    page.get_by_label("Container", exact=True).fill("app")
    page.get_by_label("Image reference").fill(place.image(version))
    page.get_by_label("Kubernetes manifests").fill(place.manifests)
    page.get_by_role("button", name="Save draft").click()
    page.wait_for_url(re.compile(r"/releases/[0-9a-f-]{36}$"))


def test_two_people_take_a_release_from_draft_to_development(visit: Visit, place: Place) -> None:
    author, reviewer = visit("maya").page, visit("jonas").page
    reviewer.goto("/")
    stays = never_reloads(reviewer)

    draft_on_the_form(author, place, "1.0.0")
    author.get_by_role("button", name="Submit for review").click()
    waiting = reviewer.locator("#board-strips").get_by_role("link", name=f"{place.name} 1.0.0")
    expect(waiting).to_be_visible()
    assert stays()

    waiting.click()
    reviewer.locator("#release-buttons").get_by_role("link", name="Approve").click()
    reviewer.get_by_role("dialog").get_by_role("button", name="Approve").click()
    expect(reviewer.locator("#release .badge").first).to_have_text("Approved")
    expect(author.locator("#release .badge").first).to_have_text("Approved")

    reviewer.goto("/")
    stays = never_reloads(reviewer)
    cell = reviewer.get_by_role("row", name=place.name).locator("[data-environment=development]")
    expect(cell).to_have_text("Nothing deployed yet")
    author.get_by_role("link", name="Deploy to development").click()
    author.get_by_role("dialog").get_by_role("button", name="Deploy to development").click()
    author.wait_for_url(re.compile("/deployments/"))
    author_stays = never_reloads(author)
    expect(author.locator("#deployment .badge").first).to_have_text("Succeeded")
    assert author_stays()
    expect(cell).to_contain_text("1.0.0")
    assert stays()
