"""A kubeconfig that the present keys cannot decrypt: deployments end in words, and people can end them."""

from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.utils import timezone
from pytest_django import Settings

from deployments import services
from deployments.models import Deployment
from tests import factories
from tests.engine.conftest import Crew, ScriptedTarget


@pytest.fixture
def deployment(crew: Crew, world: ScriptedTarget, settings: Settings) -> Deployment:
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    return crew.run(crew.deploy("1.0.0"))


def test_its_step_says_what_is_missing_and_tries_again(deployment: Deployment, world: ScriptedTarget) -> None:
    step = deployment.steps.get(name="preflight")

    assert (deployment.status, step.status, step.attempts) == ("in_progress", "running", 1)
    assert "ENCRYPTION_KEYS" in step.message
    assert not world.calls


def test_it_can_be_cancelled(crew: Crew, deployment: Deployment) -> None:
    services.cancel_deployment(actor=factories.actor(crew.deployer), deployment=deployment)

    assert crew.run(deployment).status == "cancelled"


def test_patience_with_it_ends_with_a_sentence(crew: Crew, deployment: Deployment) -> None:
    crew.wait(deployment)
    crew.run(deployment, at=timezone.now() + timedelta(seconds=crew.place.timeout_seconds + 1))

    assert deployment.status == "failed"
    assert deployment.error_message.startswith("A stored secret cannot be read with ENCRYPTION_KEYS.")
