"""Every page, as it meets the eye, the screen reader, the phone and the keyboard."""

import time
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.places import Place
from tests.e2e.rest import OPEN, PATIENCE_SECONDS, Rest
from tests.e2e.visitors import Visitor

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("e2e")]
Visit = Callable[..., Visitor]
RestOf = Callable[[str], Rest]

AXE = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
JUDGE = """async (rules) => {
  const found = await axe.run(rules.length ? {runOnly: rules} : {});
  return found.violations
    .filter((violation) => ["serious", "critical"].includes(violation.impact))
    .map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.target).join(", ")}`);
}"""
NOBODY = "00000000-0000-0000-0000-000000000000"
FIXED = {
    "board": "/",
    "board without a match": "/?q=nothing-like-this",
    "releases": "/releases",
    "release form": "/releases/new",
    "deployments": "/deployments",
    "applications": "/applications",
    "application": "/applications/checkout",
    "application form": "/applications/checkout/edit",
    "approval rules": "/approval-rules",
    "approval rule form": "/approval-rules/new",
    "environments": "/environments",
    "environment": "/environments/production",
    "environment form": "/environments/production/edit",
    "clusters": "/clusters",
    "cluster form": "/clusters/new",
    "target form": "/targets/new",
    "audit log": "/audit/?resource_type=team",
    "people": "/accounts/people",
    "person form": "/accounts/people/new",
    "teams": "/accounts/teams",
    "team": "/accounts/teams/payments",
    "tokens": "/accounts/tokens",
    "profile": "/accounts/profile",
    "password": "/accounts/password",
    "not found": f"/releases/{NOBODY}",
}
RELEASES = ("draft", "in_review", "approved", "released")
DEPLOYMENTS = ("succeeded", "failed", "rolled_back", "in_progress")


@pytest.fixture(scope="module")
def addresses(rest: RestOf) -> dict[str, str]:
    """By name; the demo has come to rest, and there is a release and a deployment in every state."""
    admin = rest("admin")
    place = Place.make(rest)
    crashed = place.deploy(place.approved("1.0.0", tag="1.0.0-crash"))
    admin.ended(crashed["id"])
    under_way = place.deploy(place.approved("2.0.0", tag="2.0.0-unready"))
    at_rest(admin, but_for=under_way["id"])
    found = FIXED | {f"release {status}": _first(admin, "releases", status) for status in RELEASES}
    return found | {f"deployment {status}": _first(admin, "deployments", status) for status in DEPLOYMENTS}


def at_rest(rest: Rest, but_for: str = "") -> None:
    """Returns once no deployment that the person sees is open."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while {each["id"] for each in rest.get("/deployments?limit=200")["results"] if each["status"] in OPEN} - {but_for}:
        assert time.monotonic() < deadline, "the demo has not come to rest"
        time.sleep(0.2)


def _first(rest: Rest, what: str, status: str) -> str:
    newest = rest.get(f"/{what}?status={status}")["results"]
    assert newest, f"there is no {what} in the state {status}"
    return f"/{what}/{newest[0]['id']}"


def judge(page: Page, *rules: str) -> list[str]:
    return page.evaluate(JUDGE, list(rules))


NAMES = [*FIXED, *(f"release {status}" for status in RELEASES), *(f"deployment {status}" for status in DEPLOYMENTS)]


@pytest.fixture(scope="module")
def admin(chromium: Any, stack: Any) -> Any:
    """One browser for all pages, since none of them is changed."""
    visitor = Visitor(chromium.new_context(base_url=stack.web))
    visitor.sign_in("admin", "admin123")
    yield visitor
    visitor.leave()


@pytest.mark.parametrize("name", NAMES)
def test_a_page_suits_every_reader(admin: Visitor, addresses: dict[str, str], name: str) -> None:
    """axe in light, contrast again in dark, no scrolling to the side on a phone, nothing in the console."""
    page = admin.page
    admin.expected = {404} if name == "not found" else set()
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(addresses[name])
    expect(page.locator(".htmx-request, .htmx-settling")).to_have_count(0)
    page.evaluate(AXE)
    found = judge(page)
    page.emulate_media(color_scheme="dark")
    found += [f"dark, {each}" for each in judge(page, "color-contrast")]
    page.set_viewport_size({"width": 390, "height": 844})
    width = page.evaluate("document.documentElement.scrollWidth")
    complaints, admin.complaints[:] = list(admin.complaints), []
    assert (found, width, complaints) == ([], 390, [])


def test_the_login_page_suits_every_reader(visit: Visit) -> None:
    page = visit(viewport={"width": 390, "height": 844}).page
    page.goto("/accounts/login")
    page.evaluate(AXE)
    assert judge(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_the_theme_follows_the_person(visit: Visit) -> None:
    page = visit("maya", color_scheme="light").page
    page.goto("/")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    for _ in range(2):
        page.get_by_role("button", name="Theme").click()
    dark = page.evaluate(background)
    assert dark != light
    page.goto("/releases")
    assert page.evaluate(background) == dark


def test_the_keyboard_reaches_pages_search_and_help(visit: Visit) -> None:
    page = visit("maya").page
    page.goto("/")
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/releases")
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.get_by_label("Search").blur()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


def test_a_phone_opens_the_navigation(visit: Visit) -> None:
    page = visit("maya", viewport={"width": 390, "height": 844}).page
    page.goto("/")
    page.get_by_role("button", name="Open navigation").click()
    page.get_by_role("link", name="Deployments").click()
    page.wait_for_url("**/deployments")
