"""Charts and existing workloads, from the release to the pods, through the engine."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from kubernetes import client, config

from accounts.models import User
from deployments import services
from deployments.models import Deployment, Target
from deployments.sandbox.server import SandboxServer
from tests import factories
from tests.factories import actor
from tests.flows.conftest import Worker
from tests.flows.test_outcomes import images_in
from tests.sandbox.fixtures import TEST_SPEED
from tests.targets import charts

Deploy = Callable[..., Deployment]


@pytest.fixture
def sandbox_cluster() -> Iterator[SandboxServer]:
    """Helm sends its token only over TLS."""
    with SandboxServer(speed=TEST_SPEED, tls=True) as server:
        yield server


@pytest.fixture
def deploy(deployer: User, approver: User, checkout: Target) -> Deploy:
    def start(version: str, **artifacts: Any) -> Deployment:
        release = factories.approved(deployer, approver, checkout.application, version, artifacts=artifacts)
        return services.start_deployment(actor=actor(deployer), release=release, environment=checkout.environment)

    return start


def chart(tag: str, **values: Any) -> dict[str, Any]:
    return {
        "chart": {"archive": charts.inline()["archive"]},
        "values": {"image": f"registry.example/web:{tag}", "replicas": 1, **values},
    }


@pytest.fixture
def helm(checkout: Target) -> Target:
    checkout.kind = "helm"
    checkout.overrides = {"values": {"password": "canary-7f3a"}}
    checkout.save()
    return checkout


def test_a_chart_goes_out_fails_and_comes_back(
    helm: Target, deploy: Deploy, worker: Worker, sandbox_cluster: SandboxServer
) -> None:
    good = worker.finish(deploy("1.0.0", **chart("1.0.0")))
    assert (good.status, good.error_message) == ("succeeded", "")
    assert {item["kind"] for item in good.manifests} == {"Deployment", "ConfigMap", "Secret"}

    bad = worker.finish(deploy("2.0.0", **chart("2.0.0-crash")))
    assert bad.status == "rolled_back"
    assert "CrashLoopBackOff" in bad.error_message
    assert images_in(sandbox_cluster) == {"registry.example/web:1.0.0"}
    told = list(Deployment.objects.values_list("steps__message", "steps__checkpoint", "error_message", "evidence"))
    lines = list(Deployment.objects.values_list("log__message", flat=True))
    assert "canary" not in str(told + lines)


def test_images_of_existing_workloads_come_and_go(
    checkout: Target,
    deploy: Deploy,
    worker: Worker,
    deployer: User,
    sandbox_cluster: SandboxServer,
) -> None:
    checkout.kind = "images"
    checkout.save()
    _given(sandbox_cluster)
    first = worker.finish(deploy("1.0.0", images={"app": "registry.example/web:1.0.0"}))
    second = worker.finish(deploy("2.0.0", images={"app": "registry.example/web:2.0.0"}))
    assert [first.status, second.status] == ["succeeded", "succeeded"]
    assert images_in(sandbox_cluster) == {"registry.example/web:2.0.0"}

    rollback = services.rollback_deployment(actor=actor(deployer), deployment=second, reason="Carts are empty")
    assert worker.finish(rollback).status == "succeeded"
    assert images_in(sandbox_cluster) == {"registry.example/web:1.0.0"}


def _given(cluster: SandboxServer) -> None:
    """What somebody else made."""
    api = client.AppsV1Api(config.new_client_from_config_dict(cluster.kubeconfig))
    manifest = next(item for item in yaml.safe_load_all(factories.MANIFESTS) if item["kind"] == "Deployment")
    manifest["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/web:0.9.0"
    api.create_namespaced_deployment("default", manifest)
