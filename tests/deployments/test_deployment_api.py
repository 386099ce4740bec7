"""The API of deployments: start, follow, roll back, and who may."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import User
from deployments.models import Deployment, LogLine, Target
from deployments.targets.base import Failed
from releases.models import ApprovalRule
from tests import factories
from tests.engine.conftest import Crew, ScriptedTarget

ApiOf = Callable[[User], APIClient]
DEPLOYMENTS = "/api/v1/deployments"


def deploy_address(release_id: UUID) -> str:
    return f"/api/v1/releases/{release_id}/deploy"


def test_deploying_answers_the_deployment_with_its_gates_and_steps(
    crew: Crew, world: ScriptedTarget, api_of: ApiOf
) -> None:
    release = factories.approved(crew.deployer, crew.approver, crew.application)

    answer = api_of(crew.deployer).post(deploy_address(release.pk), {"environment": "staging", "reason": "Friday"})

    assert answer.status_code == 202
    body = answer.json()
    assert answer["Location"] == f"{DEPLOYMENTS}/{body['id']}"
    expected = {
        "application": "checkout",
        "application_id": str(crew.application.pk),
        "release": str(release.pk),
        "version": "1.0.0",
        "environment": "staging",
        "kind": "deploy",
        "status": "pending",
        "reason": "Friday",
        "error_message": "",
        "rolls_back": None,
        "rolled_back_by": None,
        "gates": [],
        "evidence": {},
    }
    assert body | expected == body
    assert body["deployed_by"] == {"id": str(crew.deployer.pk), "email": crew.deployer.email, "name": "Deployer"}
    assert [step["name"] for step in body["steps"]] == ["preflight", "apply", "rollout", "verify"]


def test_a_rollback_answers_the_new_deployment_and_names_both_ways(
    crew: Crew, world: ScriptedTarget, api_of: ApiOf
) -> None:
    crew.run(crew.deploy("1.0.0"))
    second = crew.run(crew.deploy("2.0.0"))

    answer = api_of(crew.deployer).post(f"{DEPLOYMENTS}/{second.pk}/rollback", {"reason": "Slow"})

    assert answer.status_code == 202
    made = answer.json()
    assert (made["kind"], made["version"], made["rolls_back"]) == ("rollback", "1.0.0", str(second.pk))
    crew.run_all()
    undone = api_of(crew.deployer).get(f"{DEPLOYMENTS}/{second.pk}").json()
    assert (undone["status"], undone["rolled_back_by"]) == ("rolled_back", made["id"])
