"""The admin: to look at, and to cancel through the service."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from audit.models import Event
from deployments.models import Deployment
from tests.engine.conftest import Crew, ScriptedTarget

MODELS = ["cluster", "environment", "target", "deployment", "step", "logline", "deploymentapproval"]


@pytest.mark.parametrize("model", MODELS)
def test_administrators_look_and_never_add(
    crew: Crew, world: ScriptedTarget, admin: User, browser_of: Callable[[User], Client], model: str
) -> None:
    crew.run(crew.deploy("1.0.0"))
    browser = browser_of(admin)

    assert browser.get(f"/admin/deployments/{model}/").status_code == 200
    assert browser.get(f"/admin/deployments/{model}/add/").status_code == 403


@pytest.mark.parametrize("person", ["deployer", "viewer"])
def test_the_admin_is_for_administrators(
    crew: Crew, browser_of: Callable[[User], Client], request: pytest.FixtureRequest, person: str
) -> None:
    assert browser_of(request.getfixturevalue(person)).get("/admin/deployments/deployment/").status_code == 302


def test_a_status_cannot_be_written(
    crew: Crew, world: ScriptedTarget, admin: User, browser_of: Callable[[User], Client]
) -> None:
    deployment = crew.deploy("1.0.0")

    answer = browser_of(admin).post(f"/admin/deployments/deployment/{deployment.pk}/change/", {"status": "succeeded"})

    assert answer.status_code == 403
    deployment.refresh_from_db()
    assert deployment.status == "pending"


def test_cancelling_there_calls_the_service_and_tells_what_cannot_be_cancelled(
    crew: Crew, world: ScriptedTarget, admin: User, browser_of: Callable[[User], Client]
) -> None:
    ended, waiting = crew.run(crew.deploy("1.0.0")), crew.deploy("2.0.0")

    answer = browser_of(admin).post(
        "/admin/deployments/deployment/",
        {"action": "cancel", "_selected_action": [str(ended.pk), str(waiting.pk)]},
        follow=True,
    )

    page = answer.content.decode()
    assert "It has already ended (succeeded)" in page
    assert "stops at the next safe point" in page
    assert Deployment.objects.get(pk=waiting.pk).cancel_requested_by == admin
    assert Event.objects.filter(action="deployment.cancel_requested", user=admin).count() == 1
