"""Every way in which a deployment can end, against a cluster API over HTTP."""

from collections.abc import Callable

from kubernetes import client, config

from accounts.models import User
from deployments import services
from deployments.models import Deployment, Target
from deployments.sandbox.server import SandboxServer
from tests.factories import actor
from tests.flows.conftest import Worker

Deploy = Callable[..., Deployment]


def images_in(cluster: SandboxServer) -> set[str]:
    """Images of the pods that really run."""
    api = client.CoreV1Api(config.new_client_from_config_dict(cluster.kubeconfig))
    pods = api.list_namespaced_pod("default").items
    return {pod.spec.containers[0].image for pod in pods if pod.metadata.deletion_timestamp is None}


def test_a_release_goes_out_and_runs(deploy: Deploy, worker: Worker, sandbox_cluster: SandboxServer) -> None:
    deployment = worker.finish(deploy("1.0.0"))

    assert (deployment.status, deployment.error_message) == ("succeeded", "")
    assert images_in(sandbox_cluster) == {"registry.example/web:1.0.0"}


def test_a_crash_loop_is_named_and_rolled_back(deploy: Deploy, worker: Worker, sandbox_cluster: SandboxServer) -> None:
    worker.finish(deploy("1.0.0"))
    bad = worker.finish(deploy("2.0.0", "2.0.0-crash"))

    assert bad.status == "rolled_back"
    assert "CrashLoopBackOff" in bad.error_message
    assert bad.evidence["pods"]
    assert images_in(sandbox_cluster) == {"registry.example/web:1.0.0"}


def test_an_image_that_cannot_be_pulled_is_named(deploy: Deploy, worker: Worker) -> None:
    bad = worker.finish(deploy("2.0.0", "2.0.0-nopull"))

    assert bad.status == "failed"
    assert bad.error_message.startswith("ImagePullBackOff: registry.example/web:2.0.0-nopull")


def test_pods_that_never_become_ready_fail_at_the_time_out(deploy: Deploy, worker: Worker, checkout: Target) -> None:
    checkout.timeout_seconds = 1
    checkout.save()
    bad = worker.finish(deploy("2.0.0", "2.0.0-unready"))

    assert bad.status == "failed"
    assert "eady" in bad.error_message


def test_a_cancelled_rollout_ends_on_the_release_before(
    deploy: Deploy, worker: Worker, deployer: User, sandbox_cluster: SandboxServer
) -> None:
    worker.finish(deploy("1.0.0"))
    second = deploy("2.0.0", "2.0.0-unready")
    worker.until(lambda: second.steps.filter(name="rollout", status="running").exists())
    services.cancel_deployment(actor=actor(deployer), deployment=second)

    assert worker.finish(second).status == "cancelled"
    worker.until(lambda: images_in(sandbox_cluster) == {"registry.example/web:1.0.0"})


def test_one_click_brings_an_earlier_release_back(
    deploy: Deploy, worker: Worker, deployer: User, sandbox_cluster: SandboxServer
) -> None:
    first = worker.finish(deploy("1.0.0"))
    worker.finish(deploy("2.0.0"))
    third = worker.finish(deploy("3.0.0"))
    rollback = services.rollback_deployment(
        actor=actor(deployer), deployment=third, reason="Carts are empty", to=first.release
    )

    assert worker.finish(rollback).status == "succeeded"
    third.refresh_from_db()
    assert third.status == "rolled_back"
    assert images_in(sandbox_cluster) == {"registry.example/web:1.0.0"}


def test_deployments_to_one_target_queue(deploy: Deploy, worker: Worker) -> None:
    first, second = deploy("1.0.0", "1.0.0-slow"), deploy("2.0.0")
    worker.run_once()
    second.refresh_from_db()
    assert second.status == "pending"

    worker.finish(second)
    first.refresh_from_db()
    second.refresh_from_db()
    assert [first.status, second.status] == ["succeeded", "succeeded"]
    assert first.completed_at <= second.started_at
