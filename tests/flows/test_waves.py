"""Several targets in one environment, against a cluster API over HTTP: each region is a namespace of its own."""

from collections.abc import Callable

import pytest
from kubernetes import client, config

from accounts.models import User
from deployments import services
from deployments.models import Deployment, Environment, Target
from deployments.sandbox.server import SandboxServer
from tests import factories
from tests.factories import actor
from tests.flows.conftest import Worker

Deploy = Callable[..., Deployment]
Images = Callable[[], dict[str, set[str]]]
REGIONS = ("eu-2", "us-1")


@pytest.fixture
def checkout(checkout: Target, sandbox_cluster: SandboxServer) -> Target:
    """`default` leads, then `eu-2`, then `us-1`."""
    api = client.CoreV1Api(config.new_client_from_config_dict(sandbox_cluster.kubeconfig))
    for wave, name in enumerate(REGIONS, start=2):
        api.create_namespace({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        factories.target(checkout.application, checkout.environment, checkout.cluster, namespace=name, wave=wave)
    return checkout


@pytest.fixture
def images(sandbox_cluster: SandboxServer) -> Images:
    """Namespace → tags of the pods that really run there."""
    api = client.CoreV1Api(config.new_client_from_config_dict(sandbox_cluster.kubeconfig))

    def read() -> dict[str, set[str]]:
        found: dict[str, set[str]] = {name: set() for name in ("default", *REGIONS)}
        for name, tags in found.items():
            for pod in api.list_namespaced_pod(name).items:
                if pod.metadata.deletion_timestamp is None:
                    tags.add(pod.spec.containers[0].image.rpartition(":")[2])
        return found

    return read


def everywhere(tag: str) -> dict[str, set[str]]:
    return {name: {tag} for name in ("default", *REGIONS)}


def break_region(name: str) -> None:
    """There the release gets an image that crashes: what fits one region need not fit the next."""
    patch = {
        "op": "replace",
        "path": "/spec/template/spec/containers/0/image",
        "value": "registry.example/web:2.0.0-crash",
    }
    patches = [{"kind": "Deployment", "name": "web", "patch": [patch]}]
    Target.objects.filter(namespace=name).update(overrides={"patches": patches})


def test_a_release_reaches_every_region(deploy: Deploy, worker: Worker, images: Images) -> None:
    lead = worker.finish(deploy("1.0.0"))

    assert (lead.status, lead.error_message) == ("succeeded", "")
    assert images() == everywhere("1.0.0")


def test_a_region_that_fails_stops_the_rest_and_brings_back_those_before(
    deploy: Deploy, worker: Worker, images: Images
) -> None:
    worker.finish(deploy("1.0.0"))
    break_region("eu-2")
    lead = worker.finish(deploy("2.0.0"))

    assert lead.status == "rolled_back"
    assert lead.error_message.startswith("eu-2 failed: CrashLoopBackOff")
    assert "Not reached: us-1." in lead.error_message
    part = lead.parts.get()
    assert part.evidence["pods"], "kept with the target that failed"
    worker.until(lambda: images() == everywhere("1.0.0"))


def test_where_waves_stay_the_region_that_failed_goes_back_alone(
    deploy: Deploy, worker: Worker, images: Images
) -> None:
    Environment.objects.update(bring_back_waves=False)
    worker.finish(deploy("1.0.0"))
    break_region("us-1")
    lead = worker.finish(deploy("2.0.0"))

    assert lead.status == "failed"
    assert "default and eu-2: left on 2.0.0." in lead.error_message
    worker.until(lambda: images() == {"default": {"2.0.0"}, "eu-2": {"2.0.0"}, "us-1": {"1.0.0"}})


def test_one_click_takes_every_region_back(deploy: Deploy, worker: Worker, images: Images, deployer: User) -> None:
    worker.finish(deploy("1.0.0"))
    lead = worker.finish(deploy("2.0.0"))
    rollback = services.rollback_deployment(actor=actor(deployer), deployment=lead, reason="Carts are empty")

    assert worker.finish(rollback).status == "succeeded"
    worker.until(lambda: images() == everywhere("1.0.0"))
