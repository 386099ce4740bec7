"""The pages of deployments: who sees what, in every state."""

from collections.abc import Callable
from typing import Any

from django.test import Client

from accounts.models import User
from deployments.targets.base import Failed
from tests.engine.conftest import Crew, ScriptedTarget

BrowserOf = Callable[[User], Client]


def text_of(response: Any) -> str:
    return response.content.decode()


def test_a_deployment_page_shows_its_steps_and_its_outcome(
    crew: Crew, world: ScriptedTarget, browser_of: BrowserOf
) -> None:
    deployment = crew.run(crew.deploy("1.0.0"))

    page = text_of(browser_of(crew.deployer).get(f"/deployments/{deployment.pk}"))

    for words in ("Checkout 1.0.0", "staging", "Succeeded", "Preflight", "Rollout", "4 of 4", "Roll back"):
        assert words in page
    assert "Cancel the deployment" not in page


def test_a_failed_deployment_shows_the_cause(crew: Crew, world: ScriptedTarget, browser_of: BrowserOf) -> None:
    world.answers["rollout"] = [Failed("ImagePullBackOff: registry.example/web:1.0.0")]
    deployment = crew.run(crew.deploy("1.0.0"))

    page = text_of(browser_of(crew.deployer).get(f"/deployments/{deployment.pk}"))

    assert "It failed" in page
    assert "ImagePullBackOff: registry.example/web:1.0.0" in page
    assert "Try again" in page
