"""Checks on a real cluster API, a real HTTP server and a server that speaks Prometheus."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from deployments.engine import bake as baking
from deployments.models import Bake, Check, Deployment, Measurement, Target
from deployments.services.bakes import wake_bake
from tests.flows.conftest import Worker
from tests.health.conftest import Listener, listener

__all__ = ["listener"]
pytestmark = pytest.mark.django_db

Deploy = Callable[..., Deployment]
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: smoke}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{name: smoke, image: "registry.example/smoke:IMAGE"}]
"""


@pytest.fixture(autouse=True)
def _reach(settings: Settings, listener: Listener) -> None:
    settings.CHECK_ALLOWED_HOSTS = ["127.0.0.0/8"]
    settings.PROMETHEUS_URL = listener.url


def add(target: Target, kind: str, **fields: Any) -> Check:
    usual = {"name": kind, "interval_seconds": 1, "window_seconds": 0}
    return Check.objects.create(
        application=target.application, environment=target.environment, kind=kind, **usual | fields
    )


def answers(deployment: Deployment) -> set[tuple[str, str]]:
    return set(Measurement.objects.filter(deployment=deployment).values_list("name", "verdict"))


def test_a_release_that_answers_well_succeeds(
    worker: Worker, deploy: Deploy, checkout: Target, listener: Listener
) -> None:
    listener.measures("0.01")
    add(checkout, "http", url=f"{listener.url}/health", expect={"status": 200}, window_seconds=1)
    add(checkout, "prometheus", query='rate(errors{version="{version}"}[{window}])', expect={"below": 0.05})
    add(checkout, "job", manifest=JOB.replace("IMAGE", "1"))

    deployment = worker.finish(deploy("1.0.0"))

    assert deployment.status == "succeeded", deployment.error_message
    assert answers(deployment) == {("http", "pass"), ("prometheus", "pass"), ("job", "pass")}
    assert listener.queries == ['rate(errors{version="1.0.0"}[1s])']


def test_a_release_that_answers_badly_is_taken_back_and_the_rollback_is_checked(
    worker: Worker, deploy: Deploy, checkout: Target, listener: Listener
) -> None:
    worker.finish(deploy("1.0.0"))
    add(checkout, "http", url=f"{listener.url}/health", expect={"json": {"path": "status", "equals": "ok"}})
    replies = iter([b'{"status": "burning"}'])
    listener.answer = lambda path: (200, {}, next(replies, b'{"status": "ok"}'))

    bad = worker.finish(deploy("2.0.0"))

    assert (bad.status, bad.error_message) == ("rolled_back", 'Check “http”: status is "burning", not "ok".')
    assert bad.evidence["checks"][0]["verdict"] == "failed"
    assert answers(bad.rollbacks.get()) == {("http", "pass")}


def test_a_smoke_test_that_fails_tells_its_last_lines(worker: Worker, deploy: Deploy, checkout: Target) -> None:
    add(checkout, "job", manifest=JOB.replace("IMAGE", "1-fail"))
    bad = worker.finish(deploy("1.0.0"))
    assert bad.status == "failed"
    assert bad.error_message.startswith("Check “job”: Job check-")
    assert bad.evidence["checks"][0]["log"]


def test_a_bake_that_fails_brings_the_last_good_release_back(
    worker: Worker, deploy: Deploy, checkout: Target, listener: Listener
) -> None:
    worker.finish(deploy("1.0.0"))
    checkout.environment.bake_seconds = 600
    checkout.environment.save()
    listener.measures("0.01")
    add(checkout, "prometheus", query="rate(errors[1m])", expect={"below": 0.05})
    deployment = worker.finish(deploy("2.0.0"))
    assert deployment.status == "succeeded"

    listener.measures("0.2")
    bake = Bake.objects.get(deployment=deployment)
    wake_bake(deployment)
    baking.tick(bake.pk)

    listener.measures("0.01")
    worker.finish(deployment)
    bake.refresh_from_db()
    assert (bake.status, deployment.status) == ("failed", "rolled_back")
    rollback = deployment.rollbacks.get()
    assert (rollback.release.version, rollback.automatic) == ("1.0.0", True)
