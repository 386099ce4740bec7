"""Pause, resume, promote and abort: from the page and by the API, for those who may."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from audit.models import Event
from deployments.models import Deployment, Target
from tests.deployments.conftest import HTMX
from tests.engine.conftest import Crew
from tests.engine.test_canary import ProgressiveTarget, place, world

__all__ = ["place", "world"]

BrowserOf = Callable[[User], Client]
ApiOf = Callable[[User], APIClient]


@pytest.fixture
def waiting(crew: Crew, world: ProgressiveTarget, place: Target) -> Deployment:
    """A canary that waits for somebody at 20 %."""
    steps = [{"weight": 20, "pause": "manual"}, {"weight": 60, "pause_seconds": 600}]
    Target.objects.filter(pk=place.pk).update(strategy={"type": "canary", "steps": steps})
    return crew.run(crew.deploy("1.0.0"))


def page(browser: Client, deployment: Deployment) -> str:
    return browser.get(f"/deployments/{deployment.pk}", headers=HTMX).content.decode()


def test_the_page_shows_the_weights_and_what_is_waited_for(
    crew: Crew, waiting: Deployment, browser_of: BrowserOf
) -> None:
    text = page(browser_of(crew.deployer), waiting)
    assert "Canary: 20 %, 60 %, then all; by replicas" in text
    assert "waits for somebody to promote it" in text
    assert 'class="workflow-stage is-current"' in text
    assert [name for name in ("promote", "pause", "abort", "resume", "cancel") if f'id="{name}-button"' in text] == [
        "promote",
        "pause",
        "abort",
    ]


def test_a_canary_is_paced_from_the_page(crew: Crew, waiting: Deployment, browser_of: BrowserOf) -> None:
    browser = browser_of(crew.deployer)

    def press(name: str) -> Any:
        return browser.post(f"/deployments/{waiting.pk}/{name}", headers=HTMX)

    assert press("promote").status_code == 200
    again = press("promote")
    assert (again.status_code, 'id="deployment"' in again.content.decode()) == (409, True)
    assert "just promoted" in json.loads(again["HX-Trigger"])["toast"]["message"]
    crew.run(waiting)
    assert press("pause").status_code == 200
    assert 'id="resume-button"' in page(browser, waiting)
    assert press("resume").status_code == 200
    assert press("abort").status_code == 200
    assert crew.run(waiting).status == "cancelled"
    actions = [event.action for event in Event.objects.filter(resource_id=str(waiting.pk)).order_by("sequence")]
    paced = [action for action in actions if action in PACED]
    assert paced == list(PACED)


PACED = ("deployment.promoted", "deployment.paused", "deployment.resumed", "deployment.cancel_requested")


def test_a_canary_is_paced_by_the_api(crew: Crew, waiting: Deployment, api_of: ApiOf) -> None:
    api = api_of(crew.deployer)
    address = f"/api/v1/deployments/{waiting.pk}"

    paused = api.post(f"{address}/pause")
    assert (paused.status_code, paused.json()["paused_at"] is None) == (202, False)
    refused = api.post(f"{address}/promote")
    assert (refused.status_code, refused.json()["details"]) == (409, {"status": "in_progress"})
    assert api.post(f"{address}/resume").json()["paused_at"] is None
    assert api.post(f"{address}/promote").status_code == 202
    assert api.post(f"{address}/abort").json()["cancel_requested_at"] is not None
    assert crew.run(waiting).status == "cancelled"
    assert api.post(f"{address}/abort").status_code == 409


def test_who_may_not_deploy_paces_nothing(
    crew: Crew, waiting: Deployment, viewer: User, api_of: ApiOf, browser_of: BrowserOf
) -> None:
    for name in ("pause", "resume", "promote", "abort"):
        refused = api_of(viewer).post(f"/api/v1/deployments/{waiting.pk}/{name}")
        assert refused.status_code == 403
    assert 'id="promote-button"' not in page(browser_of(viewer), waiting)
    waiting.refresh_from_db()
    assert (waiting.promotions, waiting.paused_at, waiting.cancel_requested_at) == (0, None, None)


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        ({"type": "canary"}, "A canary needs steps"),
        ({"type": "canary", "steps": [{"weight": 50}, {"weight": 10}]}, "must rise"),
        ({"type": "green"}, "is no strategy"),
    ],
)
def test_a_strategy_that_will_not_do_is_refused_with_a_sentence(
    place: Target, admin: User, api_of: ApiOf, strategy: dict[str, Any], told: str
) -> None:
    answer = api_of(admin).patch(f"/api/v1/targets/{place.pk}", {"strategy": strategy}, format="json")
    assert answer.status_code == 422
    assert told in answer.json()["details"]["strategy"][0]
