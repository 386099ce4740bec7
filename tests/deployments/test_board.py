"""The home board."""

from collections.abc import Callable
from typing import Any

from django.test import Client

from accounts.models import User
from deployments import selectors
from tests import factories
from tests.engine.conftest import Crew, ScriptedTarget

BrowserOf = Callable[[User], Client]


def text_of(response: Any) -> str:
    return response.content.decode()


def test_the_board_shows_what_runs_and_what_is_not_set_up(
    crew: Crew, world: ScriptedTarget, browser_of: BrowserOf
) -> None:
    factories.environment("production", position=9)
    crew.run(crew.deploy("1.0.0"))

    page = text_of(browser_of(crew.deployer).get("/"))

    assert "Checkout" in page
    assert "1.0.0" in page
    assert "Healthy" in page
    assert "Not set up" in page
