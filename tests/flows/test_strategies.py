"""Progressive deployments from the request to the end, against a cluster API over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client, config

from accounts.models import User
from audit.models import Event
from deployments import services
from deployments.engine import switching
from deployments.models import Deployment, Target
from deployments.sandbox.server import SandboxServer
from releasemgr.core.errors import WrongState
from tests import factories
from tests.factories import actor
from tests.flows.conftest import Worker
from tests.flows.test_outcomes import images_in

Deploy = Callable[..., Deployment]
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---"""
ONE, TWO = "registry.example/web:1.0.0", "registry.example/web:2.0.0"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switching, "DRAIN_SECONDS", 0.0)
    monkeypatch.setattr("deployments.engine.canary.LOOK_SECONDS", 0.05)


@pytest.fixture
def strategy(checkout: Target, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], None]:
    """Sets the target's strategy; every release then brings a Service, too."""
    monkeypatch.setattr(factories, "MANIFESTS", SERVICE + factories.MANIFESTS)

    def choose(wanted: dict[str, Any]) -> None:
        Target.objects.filter(pk=checkout.pk).update(strategy=wanted)
        checkout.refresh_from_db()

    return choose


Choose = Callable[[dict[str, Any]], None]


def canary(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"type": "canary", "steps": list(steps)}


def workloads(cluster: SandboxServer) -> dict[str, int]:
    """Name → generation."""
    api = client.AppsV1Api(config.new_client_from_config_dict(cluster.kubeconfig))
    return {item.metadata.name: item.metadata.generation for item in api.list_namespaced_deployment("default").items}


def selector(cluster: SandboxServer) -> dict[str, str]:
    api = client.CoreV1Api(config.new_client_from_config_dict(cluster.kubeconfig))
    found: dict[str, str] = api.read_namespaced_service("web", "default").spec.selector
    return found


def waits(deployment: Deployment, words: str) -> Callable[[], bool]:
    return lambda: deployment.steps.filter(status="running", message__contains=words).exists()


def test_blue_green_keeps_the_old_workload_until_the_switch_and_removes_it_then(
    deploy: Deploy, worker: Worker, sandbox_cluster: SandboxServer, strategy: Choose
) -> None:
    strategy({"type": "blue_green"})
    worker.finish(deploy("1.0.0"))
    second = worker.finish(deploy("2.0.0"))

    assert second.status == "succeeded", second.error_message
    assert selector(sandbox_cluster) == {"app": "web", "releasemgr.dev/variant": "2"}
    assert list(workloads(sandbox_cluster)) == ["web-2"]


def test_blue_green_waits_for_promotion_and_an_abort_leaves_the_old_one_untouched(
    deploy: Deploy, worker: Worker, sandbox_cluster: SandboxServer, strategy: Choose, deployer: User
) -> None:
    strategy({"type": "blue_green", "promote": "manual"})
    first = deploy("1.0.0")
    worker.until(waits(first, "Waits for somebody to promote"))
    services.promote_deployment(actor=actor(deployer), deployment=first)
    assert worker.finish(first).status == "succeeded"

    second = deploy("2.0.0")
    worker.until(waits(second, "Waits for somebody to promote"))
    assert workloads(sandbox_cluster) == {"web-1": 1, "web-2": 1}
    assert selector(sandbox_cluster)["releasemgr.dev/variant"] == "1"
    services.abort_deployment(actor=actor(deployer), deployment=second)
    assert worker.finish(second).status == "cancelled"
    assert workloads(sandbox_cluster) == {"web-1": 1}
    assert selector(sandbox_cluster)["releasemgr.dev/variant"] == "1"


def test_a_rollback_while_the_old_workload_still_stands_starts_no_pod(
    deploy: Deploy, worker: Worker, sandbox_cluster: SandboxServer, strategy: Choose, deployer: User, checkout: Target
) -> None:
    strategy({"type": "blue_green"})
    checkout.environment.bake_seconds = 600
    checkout.environment.save()
    worker.finish(deploy("1.0.0"))
    second = worker.finish(deploy("2.0.0"))
    assert workloads(sandbox_cluster) == {"web-1": 1, "web-2": 1}

    rollback = services.rollback_deployment(actor=actor(deployer), deployment=second, reason="Carts are empty")
    assert worker.finish(rollback).status == "succeeded"
    assert workloads(sandbox_cluster) == {"web-1": 1}
    assert selector(sandbox_cluster)["releasemgr.dev/variant"] == "1"


def test_a_canary_goes_from_weight_to_weight_and_leaves_nothing(
    deploy: Deploy, worker: Worker, sandbox_cluster: SandboxServer, strategy: Choose, deployer: User
) -> None:
    strategy(canary({"weight": 10}, {"weight": 50, "pause": "manual"}))
    assert worker.finish(deploy("1.0.0")).status == "succeeded", "there was nothing to compare with"
    second = deploy("2.0.0")
    worker.until(waits(second, "waits for somebody to promote"))
    assert images_in(sandbox_cluster) == {ONE, TWO}
    assert workloads(sandbox_cluster)["web"] == 1

    services.promote_deployment(actor=actor(deployer), deployment=second)
    with pytest.raises(WrongState, match="somebody else has just promoted"):
        services.promote_deployment(actor=actor(deployer), deployment=second)
    assert worker.finish(second).status == "succeeded"
    assert list(workloads(sandbox_cluster)) == ["web"]
    worker.until(lambda: images_in(sandbox_cluster) == {TWO})
    assert Event.objects.filter(action="deployment.promoted", resource_id=str(second.pk)).count() == 1


@pytest.mark.parametrize("auto_rollback", [True, False])
def test_a_crashing_canary_is_taken_away_and_nothing_else_is_touched(
    deploy: Deploy, worker: Worker, sandbox_cluster: SandboxServer, strategy: Choose, checkout: Target,
    auto_rollback: bool,
) -> None:  # fmt: skip
    checkout.environment.auto_rollback = auto_rollback
    checkout.environment.save()
    strategy(canary({"weight": 50}))
    worker.finish(deploy("1.0.0"))
    bad = worker.finish(deploy("2.0.0", "2.0.0-crash"))

    assert bad.status == ("rolled_back" if auto_rollback else "failed")
    assert "CrashLoopBackOff" in bad.error_message
    assert bad.evidence["workload"]["name"] == "web-canary"
    assert workloads(sandbox_cluster) == {"web": 1}
    assert images_in(sandbox_cluster) == {ONE}


@pytest.mark.parametrize("auto_rollback", [True, False])
def test_an_aborted_canary_is_taken_away_before_the_deployment_ends(
    deploy: Deploy, worker: Worker, sandbox_cluster: SandboxServer, strategy: Choose, checkout: Target,
    deployer: User, auto_rollback: bool,
) -> None:  # fmt: skip
    checkout.environment.auto_rollback = auto_rollback
    checkout.environment.save()
    strategy(canary({"weight": 50, "pause": "manual"}))
    worker.finish(deploy("1.0.0"))
    second = deploy("2.0.0")
    worker.until(waits(second, "waits for somebody to promote"))
    services.abort_deployment(actor=actor(deployer), deployment=second)

    def ended() -> bool:
        second.refresh_from_db()
        return not second.is_open

    worker.until(ended)
    assert second.status == "cancelled"
    assert workloads(sandbox_cluster) == {"web": 1}
    worker.finish(second)
    assert workloads(sandbox_cluster) == {"web": 1}


def test_a_failed_rollout_after_the_canary_brings_the_old_release_back(
    deploy: Deploy, worker: Worker, sandbox_cluster: SandboxServer, strategy: Choose, deployer: User
) -> None:
    strategy(canary({"weight": 50}))
    worker.finish(deploy("1.0.0"))
    second = deploy("2.0.0")
    worker.until(lambda: second.steps.filter(name="rollout", status="running").exists())
    services.cancel_deployment(actor=actor(deployer), deployment=second)
    worker.finish(second)
    assert list(workloads(sandbox_cluster)) == ["web"]
    worker.until(lambda: images_in(sandbox_cluster) == {ONE})


def test_pausing_stops_the_clock(deploy: Deploy, worker: Worker, strategy: Choose, deployer: User) -> None:
    strategy(canary({"weight": 50, "pause_seconds": 1}))
    worker.finish(deploy("1.0.0"))
    second = deploy("2.0.0")
    worker.until(waits(second, "Canary at 50 %"))
    services.pause_deployment(actor=actor(deployer), deployment=second)
    with pytest.raises(WrongState, match="paused already"):
        services.pause_deployment(actor=actor(deployer), deployment=second)
    worker.until(waits(second, "Paused at 50 %"))
    with pytest.raises(WrongState, match="resume it first"):
        services.promote_deployment(actor=actor(deployer), deployment=second)
    services.resume_deployment(actor=actor(deployer), deployment=second)
    assert worker.finish(second).status == "succeeded"
    with pytest.raises(WrongState, match="already ended"):
        services.pause_deployment(actor=actor(deployer), deployment=second)


def test_a_target_that_goes_back_to_rolling_keeps_no_variant(
    deploy: Deploy, worker: Worker, sandbox_cluster: SandboxServer, strategy: Choose
) -> None:
    strategy({"type": "blue_green"})
    worker.finish(deploy("1.0.0"))
    strategy({})
    assert worker.finish(deploy("2.0.0")).status == "succeeded"
    assert list(workloads(sandbox_cluster)) == ["web"]
    assert selector(sandbox_cluster) == {"app": "web"}


def test_a_rolling_deployment_cannot_be_paced(deploy: Deploy, worker: Worker, deployer: User) -> None:
    first = deploy("1.0.0", "1.0.0-slow")
    with pytest.raises(WrongState, match="has not started"):
        services.pause_deployment(actor=actor(deployer), deployment=first)
    worker.run_once()
    with pytest.raises(WrongState, match="goes pod by pod"):
        services.promote_deployment(actor=actor(deployer), deployment=first)
