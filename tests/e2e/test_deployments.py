"""Deployments as people watch and steer them in the browser, against pods that really come and go."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.eye import Eye
from tests.e2e.places import Place
from tests.e2e.visitors import Visitor
from tests.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("e2e")]
Visit = Callable[..., Visitor]

# Every text that the page has shown, with the time at which it was there.
RECORD = """() => {
  window.seen = [];
  const note = () => window.seen.push([Date.now() / 1000, document.getElementById("deployment").innerText]);
  new MutationObserver(note).observe(document.getElementById("main"), {childList: true, subtree: true});
}"""


def watch_rollout(page: Page, place: Place, version: str) -> list[tuple[float, str]]:
    """What the page of a new deployment showed, from before it began to its success; nobody reloaded it."""
    release = place.approved(version, tag=f"{version}-slow")
    page.goto(f"/releases/{release['id']}")
    page.get_by_role("link", name="Deploy to development").click()
    page.get_by_role("dialog").get_by_role("button", name="Deploy to development").click()
    page.wait_for_url("**/deployments/*")
    page.evaluate(RECORD)
    expect(page.locator("#deployment .page-title .badge").first).to_have_text("Succeeded")
    return page.evaluate("window.seen")


def test_the_page_follows_the_cluster_within_a_second(visit: Visit, place: Place, stack: Stack) -> None:
    page, eye = visit("maya").page, Eye(stack.kubeconfig)
    delays: list[float] = []
    # A busy machine may be late once; the product must not be.
    while not delays or (min(delays) > 1 and len(delays) < 3):
        version = f"{len(delays) + 1}.0.0"
        seen = watch_rollout(page, place, version)
        shown = next(at for at, text in seen if "Succeeded" in text)
        delays.append(shown - eye.done[place.image(f"{version}-slow")])
    assert min(delays) < 1, delays
    assert len({text for _, text in seen}) > 2, "the steps did not move"


def test_a_crashing_release_is_explained_and_rolled_back_by_itself(visit: Visit, place: Place) -> None:
    place.deployed("1.0.0")
    bad = place.deploy(place.approved("2.0.0", tag="2.0.0-crash"))
    page = visit("maya").page
    page.goto(f"/deployments/{bad['id']}")

    outcome = page.locator("#deployment-outcome")
    expect(outcome).to_contain_text("CrashLoopBackOff: container app of pod")
    expect(page.locator("#deployment .page-title .badge").first).to_have_text("Rolled back")
    outcome.get_by_role("link", name=re.compile("rollback")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("1.0.0")
    expect(page.locator("#deployment-outcome")).to_contain_text("takes back 2.0.0")
    page.goto("/")
    cell = page.get_by_role("row", name=place.name).locator("[data-environment=development]")
    expect(cell).to_contain_text("1.0.0")
    expect(cell).to_contain_text("2.0.0 was rolled back")


def test_one_click_and_a_reason_bring_an_earlier_release_back(visit: Visit, place: Place) -> None:
    for version in ("1.0.0", "2.0.0"):
        place.deployed(version)
    last = place.deployed("3.0.0")
    page = visit("maya").page
    page.goto(f"/deployments/{last['id']}")
    page.get_by_role("link", name="Roll back").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("1.0.0").check()
    dialog.get_by_label("Reason").fill("Carts are empty")
    dialog.get_by_role("button", name="Roll back").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("1.0.0")
    expect(page.locator("#deployment .page-title .badge").first).to_have_text("Succeeded")
    expect(page.locator("#deployment-outcome")).to_contain_text("Carts are empty")
    assert place.rest("maya").get(f"/deployments/{last['id']}")["status"] == "rolled_back"


def test_a_deployment_under_way_can_be_cancelled(visit: Visit, place: Place) -> None:
    stuck = place.deploy(place.approved("1.0.0", tag="1.0.0-unready"))
    page = visit("maya").page
    page.goto(f"/deployments/{stuck['id']}")
    expect(page.locator(".step--running")).to_contain_text("Rollout")
    page.locator("#cancel-button").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the deployment").click()

    expect(page.locator("#deployment .page-title .badge").first).to_have_text("Cancelled")
    expect(page.locator("#deployment-buttons").get_by_role("button", name="Try again")).to_be_visible()
