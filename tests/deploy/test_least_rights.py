"""The role in deploy/kubernetes/deployer.yaml is enough for a whole deployment, and holds nothing it should not."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from deploy.scripts.reference import ROOT
from deployments.demo.content import SERVICES, manifests
from deployments.sandbox.identity import Identity, Rule, administrator
from deployments.sandbox.server import SandboxServer
from deployments.targets.base import Connection, Running, Succeeded, Work
from deployments.targets.kubernetes.following.changes import (
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    PODS,
    STATEFUL_SETS,
    Refusal,
)
from deployments.targets.kubernetes.following.watch import Stop, follow
from deployments.targets.kubernetes.manifests import ManifestsTarget

NAMESPACE = "default"
# CIS Kubernetes 5.1: what would let the account read secrets or become somebody else.
NEVER = {"secrets", "serviceaccounts/token", "nodes/proxy", "pods/exec", "roles", "rolebindings", "clusterroles"}


@pytest.fixture(scope="module")
def role() -> dict[str, Any]:
    documents = yaml.safe_load_all((ROOT / "deploy/kubernetes/deployer.yaml").read_text())
    return next(each for each in documents if each["kind"] == "Role")


@pytest.fixture
def cluster(role: dict[str, Any]) -> Iterator[SandboxServer]:
    """A cluster that lets its user do exactly what the role says, in one namespace."""
    rules = tuple(
        Rule(*(frozenset(rule[part]) for part in ("verbs", "apiGroups", "resources")), frozenset({NAMESPACE}))
        for rule in role["rules"]
    )
    with SandboxServer(speed=10, identities=(administrator(), Identity("release-manager", rules))) as server:
        yield server


@pytest.fixture
def connection(cluster: SandboxServer) -> Connection:
    return Connection(key=f"least:{cluster.url}", kubeconfig=cluster.kubeconfig_of("release-manager"))


@pytest.fixture
def work(connection: Connection) -> Work:
    service = SERVICES[0]
    release = Work(
        deployment_id="d-1",
        sequence=1,
        application=service.slug,
        version="1.0.0",
        environment="staging",
        namespace=NAMESPACE,
        connection=connection,
        manifests=list(yaml.safe_load_all(manifests(service))),
        images={"app": "registry.example/checkout:1.0.0"},
        target_id="t-1",
    )
    objects = ManifestsTarget().render(release)
    return Work(**{name: getattr(release, name) for name in Work.__slots__} | {"objects": objects})


def test_the_role_is_enough_for_a_whole_deployment(work: Work) -> None:
    target = ManifestsTarget()
    preflight = target.preflight(work)
    assert isinstance(preflight, Succeeded), preflight
    assert not any("Without the right" in line for line in preflight.log)
    assert isinstance(target.apply(work), Succeeded)
    assert isinstance(finish(target, work), Succeeded)


def finish(target: ManifestsTarget, work: Work) -> object:
    deadline = time.monotonic() + 10
    result = target.observe(work, checkpoint={}, now=datetime.now(UTC))
    while isinstance(result, Running) and time.monotonic() < deadline:
        time.sleep(0.02)
        result = target.observe(work, checkpoint=result.checkpoint, now=datetime.now(UTC))
    return result


@pytest.mark.parametrize("watched", [DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS, JOBS, PODS], ids=lambda each: each.kind)
def test_the_role_lets_the_observer_follow_the_namespace(connection: Connection, watched: Any) -> None:
    stop = Stop()
    first = next(follow(connection, watched, stop=stop, namespace=NAMESPACE))
    stop.set()
    assert not isinstance(first, Refusal), first


def test_the_role_grants_nothing_that_leads_further(role: dict[str, Any]) -> None:
    for rule in role["rules"]:
        granted = {*rule["verbs"], *rule["apiGroups"], *rule["resources"]}
        assert "*" not in granted
        assert not NEVER & granted
        assert not {"escalate", "bind", "impersonate", "delete", "deletecollection"} & set(rule["verbs"])
        assert "create" not in rule["verbs"] or "pods" not in rule["resources"]
