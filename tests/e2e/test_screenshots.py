"""The pictures of the README: `SCREENSHOTS=1 make test ARGS="tests/e2e/test_screenshots.py"` makes them anew."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.e2e.rest import Rest
from tests.e2e.test_pages import at_rest
from tests.e2e.visitors import Visitor

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("e2e"),
    pytest.mark.skipif("SCREENSHOTS" not in os.environ, reason="only when asked for, so that tests change no file"),
]
IMAGES = Path(__file__).parents[2] / "deploy" / "docs" / "images"
SIZE = {"width": 1440, "height": 900}
MOST_BYTES = 300_000


def picture(page: Page, address: str, name: str) -> None:
    page.goto(address, wait_until="networkidle")
    IMAGES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=IMAGES / f"{name}.png")
    assert (IMAGES / f"{name}.png").stat().st_size <= MOST_BYTES


def test_pictures_of_the_demo(visit: Callable[..., Visitor], rest: Callable[[str], Rest]) -> None:
    maya = rest("maya")
    at_rest(maya)
    release = maya.get("/releases?application=storefront&status=in_review")["results"][0]
    failed = maya.get("/deployments?status=rolled_back")["results"][0]
    newest = maya.get("/releases?application=checkout&version=2.4.0")["results"][0]
    page = visit("maya", viewport=SIZE, color_scheme="light").page
    picture(page, f"/releases/{release['id']}", "release")
    picture(page, f"/deployments/{failed['id']}", "deployment")
    # Something moves on the board: a release on its way to production.
    maya.post(f"/releases/{newest['id']}/deploy", {"environment": "production"})
    picture(page, "/", "board")
