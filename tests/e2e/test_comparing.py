"""Before a deployment: what changes in the cluster, who else has been there, and the choice that a person makes."""

import json
import os
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Page, expect

from tests.e2e.places import Place
from tests.e2e.test_pages import AXE, JUDGE
from tests.e2e.visitors import Visitor
from tests.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("e2e")]
Visit = Callable[..., Visitor]
VIEWS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}


def hotfix(kubeconfig: Path, place: Place) -> None:
    """As `kubectl set image` and `kubectl scale` do it."""
    content = yaml.safe_load(kubeconfig.read_text())
    spec = {"replicas": 4, "template": {"spec": {"containers": [{"name": "app", "image": place.image("hotfix")}]}}}
    address = content["clusters"][0]["cluster"]["server"]
    request = urllib.request.Request(
        f"{address}/apis/apps/v1/namespaces/development/deployments/{place.slug}?fieldManager=kubectl-edit",
        data=json.dumps({"spec": spec}).encode(),
        headers={
            "Authorization": f"Bearer {content['users'][0]['user']['token']}",
            "Content-Type": "application/strategic-merge-patch+json",
        },
        method="PATCH",
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def open_dialog(page: Page, release: Any) -> None:
    page.goto(f"/releases/{release['id']}")
    page.get_by_role("link", name="Deploy to development").click()
    expect(page.locator("#diff")).to_contain_text("What changes in the cluster")


def test_a_hotfix_is_shown_and_taken_over_only_when_a_person_says_so(visit: Visit, place: Place, stack: Stack) -> None:
    place.deployed("1.0.0")
    hotfix(stack.kubeconfig, place)
    release = place.approved("2.0.0")
    for name, options in VIEWS.items():
        page = visit("maya", **options).page
        open_dialog(page, release)
        assert page.evaluate(f"{AXE}; ({JUDGE})([])") == [], name
        width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width <= 0, f"{name}: the page scrolls sideways"
        picture(page, name)

    diff = page.locator("#diff")
    expect(diff).to_contain_text("kubectl-edit set image of container app")
    expect(diff.locator("details.compared")).to_contain_text("image of container app")
    taken = page.get_by_label("Take these fields over from “kubectl-edit”")
    expect(taken).not_to_be_checked()
    taken.check()
    page.get_by_role("dialog").get_by_role("button", name="Deploy to development").click()
    page.wait_for_url("**/deployments/*")
    expect(page.locator("#deployment .page-title .badge").first).to_have_text("Succeeded")
    page.locator("#deployment-manifests summary").first.click()
    expect(page.locator("#manifests")).to_contain_text("What changed since 1.0.0")
    picture(page, "deployment")


def test_drift_is_told_on_demand(visit: Visit, place: Place, stack: Stack) -> None:
    place.deployed("1.0.0")
    page = visit("maya").page
    page.goto(f"/applications/{place.slug}")
    page.get_by_role("link", name="Check for drift").click()
    expect(page.get_by_role("dialog")).to_contain_text("Nothing has changed")
    page.keyboard.press("Escape")
    hotfix(stack.kubeconfig, place)
    page.get_by_role("link", name="Check for drift").click()

    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("kubectl-edit set replicas of Deployment")
    picture(page, "drift")


def picture(page: Page, name: str) -> None:
    """For whoever wants to look: `PICTURES=folder`."""
    if folder := os.environ.get("PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png")
