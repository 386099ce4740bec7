"""The system's Chromium, for every test that needs a real browser."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """For one module: while Playwright's loop runs in this thread, Django refuses to touch the database in it."""
    found = [where for name in NAMES if (where := shutil.which(name))]
    if not found:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(
            "Chromium is missing, so this cannot be tested: run 'apt-get install chromium' as root."
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found[0], args=ARGUMENTS)
        yield browser
        browser.close()
