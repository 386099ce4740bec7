"""How far the cluster is, on the page of a deployment."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from deployments.models import Deployment, Workload
from deployments.statuses import WorkloadPhase
from deployments.targets.base import Running
from tests.deployments.conftest import HTMX
from tests.engine.conftest import Crew, ScriptedTarget

BrowserOf = Callable[[User], Client]


@pytest.fixture
def moving(crew: Crew, world: ScriptedTarget) -> Deployment:
    world.answers["rollout"] = [Running("On its way.")]
    return crew.run(crew.deploy("1.0.0"))


def text_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


def test_workloads_are_followed_from_the_apply_until_the_end(
    crew: Crew, moving: Deployment, browser_of: BrowserOf
) -> None:
    browser = browser_of(crew.deployer)
    assert [str(each) for each in moving.workloads.all()] == ["Deployment web"]
    assert "Not seen in the cluster yet" in text_of(browser.get(f"/deployments/{moving.pk}"))

    moving.workloads.update(phase=WorkloadPhase.MOVING, wanted=3, updated=2, ready=1, seen_at=timezone.now())
    part = text_of(browser.get(f"/deployments/{moving.pk}/workloads", headers=HTMX))
    assert "2 of 3 updated, 1 ready" in part
    assert 'value="2" max="3"' in part
    assert f'data-live="workloads.{moving.pk}"' in part

    Deployment.objects.filter(pk=moving.pk).update(status="cancelled")
    assert "Workloads" not in text_of(browser.get(f"/deployments/{moving.pk}"))
    assert "updated" not in text_of(browser.get(f"/deployments/{moving.pk}/workloads", headers=HTMX))


def test_a_workload_s_name_is_text(crew: Crew, moving: Deployment, browser_of: BrowserOf) -> None:
    Workload.objects.update(name="<b>web", wanted=0, updated=7, seen_at=timezone.now())
    part = text_of(browser_of(crew.deployer).get(f"/deployments/{moving.pk}/workloads"))
    assert "&lt;b&gt;web" in part
    assert 'value="0" max="1"' in part


def test_others_do_not_see_them(moving: Deployment, outsider: User, browser_of: BrowserOf) -> None:
    assert browser_of(outsider).get(f"/deployments/{moving.pk}/workloads").status_code == 404
