"""What a target takes, and what is removed on request, against a cluster API over HTTP."""

from typing import Any

import pytest
from kubernetes import client, config

from accounts.models import User
from deployments import services
from deployments.models import Deployment, Target
from deployments.sandbox.server import SandboxServer
from deployments.services.pruning import left_behind
from releasemgr.core.errors import Invalid
from tests import factories
from tests.factories import MANIFESTS, actor
from tests.flows.conftest import Worker

ROLE = """---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: []
"""
EXTRA = """---
apiVersion: v1
kind: ConfigMap
metadata: {name: extra}
data: {A: "1"}
"""
CLAIM = """---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


class Shop:
    def __init__(self, deployer: User, approver: User, target: Target, worker: Worker) -> None:
        self._people, self.target, self._worker = (deployer, approver), target, worker

    def ask(self, version: str, more: str = "", **choices: Any) -> Deployment:
        content = factories.artifacts(version) | {"manifests": f"{MANIFESTS}\n{more}"}
        release = factories.approved(*self._people, self.target.application, version, artifacts=content)
        return services.start_deployment(
            actor=actor(self._people[0]), release=release, environment=self.target.environment, **choices
        )

    def deploy(self, version: str, more: str = "", **choices: Any) -> Deployment:
        return self._worker.finish(self.ask(version, more, **choices))


@pytest.fixture
def shop(deployer: User, approver: User, checkout: Target, worker: Worker) -> Shop:
    return Shop(deployer, approver, checkout, worker)


def config_maps(cluster: SandboxServer) -> set[str]:
    api = client.CoreV1Api(config.new_client_from_config_dict(cluster.kubeconfig))
    return {item.metadata.name for item in api.list_namespaced_config_map("default").items}


def test_a_kind_that_the_target_does_not_take_is_refused_when_asked_for(
    shop: Shop, admin: User, sandbox_cluster: SandboxServer
) -> None:
    with pytest.raises(Invalid) as caught:
        shop.ask("1.0.0", ROLE)
    assert caught.value.details["manifests"] == [
        "Role reader is of a kind that this target does not take (rbac.authorization.k8s.io/Role). "
        "An operator has to list it in the target's guardrails (kinds)."
    ]
    assert not Deployment.objects.exists()
    allowed = {"guardrails": {"kinds": ["rbac.authorization.k8s.io/Role"]}}
    services.update_target(actor=actor(admin), target=shop.target, changes=allowed)
    assert shop.deploy("1.0.1", ROLE).status == "succeeded"


def test_guardrails_that_became_stricter_meanwhile_hold_a_deployment_before_anything_is_sent(
    shop: Shop, admin: User, worker: Worker, sandbox_cluster: SandboxServer
) -> None:
    allowed = {"guardrails": {"kinds": ["rbac.authorization.k8s.io/Role"]}}
    services.update_target(actor=actor(admin), target=shop.target, changes=allowed)
    asked = shop.ask("1.0.0", ROLE)
    services.update_target(actor=actor(admin), target=shop.target, changes={"guardrails": {}})
    sandbox_cluster.requests.clear()
    ended = worker.finish(asked)
    assert ended.status == "failed"
    assert "Role reader is of a kind that this target does not take" in ended.error_message
    assert not [each for each in sandbox_cluster.requests if each.method != "GET"]


def test_what_a_release_dropped_is_removed_on_request_only(shop: Shop, sandbox_cluster: SandboxServer) -> None:
    shop.deploy("1.0.0", EXTRA + CLAIM)
    kept = shop.deploy("2.0.0")
    assert (kept.status, kept.prune) == ("succeeded", [])
    assert "extra" in config_maps(sandbox_cluster)
    shown = left_behind(shop.target, kept.manifests)
    gone = shop.deploy("3.0.0", prune=True)
    assert (gone.status, gone.prune) == ("succeeded", shown)
    assert shown == [{"apiVersion": "v1", "kind": "ConfigMap", "name": "extra"}]
    assert "extra" not in config_maps(sandbox_cluster)
    assert gone.steps.get(name="prune").message == "Removed 1 of 1 object."


def test_the_list_of_what_is_left_behind_knows_what_is_the_same(shop: Shop) -> None:
    made = shop.deploy("1.0.0", EXTRA)
    renamed = {**made.manifests[0], "apiVersion": "v2"}
    assert left_behind(shop.target, [renamed, *made.manifests[1:]]) == []
    assert left_behind(shop.target, made.manifests[1:]) == [{"apiVersion": "v1", "kind": "ConfigMap", "name": "extra"}]
    shop.target.namespace = "elsewhere"
    assert left_behind(shop.target, made.manifests[1:]) == []
