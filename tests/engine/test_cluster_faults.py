"""Whatever cluster and network do to a deployment, it ends as it would have without: once, and for its own cause."""

import itertools
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
import yaml
from django.utils import timezone

from accounts.models import Team, User
from audit.models import Event
from deployments import services
from deployments.engine.runner import Outcome, tick
from deployments.models import Deployment, LogLine, Step, Target
from deployments.sandbox.server import SandboxServer
from deployments.services.waking import wake
from deployments.targets.base import Connection
from deployments.targets.kubernetes import connections
from deployments.targets.kubernetes.cluster import Cluster
from tests import factories
from tests.engine import fault_proxy
from tests.engine.fault_proxy import Exchange, Fault, FaultProxy, Plan
from tests.factories import actor

SPEED = 50.0
SECONDS = 20.0
numbers = itertools.count(1)
FAULTS: dict[str, Fault] = {
    "429": fault_proxy.status(429, retry_after=1),
    "500": fault_proxy.status(500),
    "503": fault_proxy.status(503),
    "401": fault_proxy.status(401),
    "410": fault_proxy.status(410),
    "cut before": fault_proxy.cut_before,
    "cut after": fault_proxy.cut_after,
    "halved": fault_proxy.halved,
    "cut in a chunk": fault_proxy.cut_in_a_chunk,
    "half JSON": fault_proxy.half_json,
    "page of a proxy": fault_proxy.page_of_a_proxy,
    "lost by a proxy": fault_proxy.lost_by_a_proxy,
    "someone else": fault_proxy.someone_else,
    "the past": fault_proxy.past,
    "slow": fault_proxy.delayed(0.02),
    "hangs": fault_proxy.delayed(0.4, fault_proxy.cut_before),
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(speed=SPEED) as server:
        yield server


@dataclass
class Site:
    """A target whose cluster is reached through the proxy, and a worker that ignores timers."""

    target: Target
    proxy: FaultProxy
    sandbox: SandboxServer
    people: tuple[User, User]
    # How much faster than real the worker's clock goes.
    pace: float = 1.0

    def deploy(self, version: str, tag: str = "", target: Target | None = None) -> Deployment:
        place = target or self.target
        artifacts = factories.artifacts(tag or version)
        release = factories.approved(*self.people, place.application, version, artifacts=artifacts)
        return services.start_deployment(actor=actor(self.people[0]), release=release, environment=place.environment)

    def finish(self, *deployments: Deployment) -> None:
        began, deadline = timezone.now(), time.monotonic() + SECONDS
        while open_ones := list(Deployment.objects.open().order_by("created_at").values_list("pk", flat=True)):
            assert time.monotonic() < deadline, str(list(LogLine.objects.values_list("step", "message")))[-3000:]
            wake(*open_ones)
            for pk in open_ones:
                while tick(pk, clock=lambda: began + self.pace * (timezone.now() - began)) is Outcome.AGAIN:
                    pass
        for deployment in deployments:
            deployment.refresh_from_db()

    def rollouts(self, target: Target | None = None) -> tuple[int, int]:
        """How often the workload's spec was changed, and how many ReplicaSets that has made."""
        namespace = (target or self.target).namespace
        cluster = past_the_proxy(self.sandbox)
        workload = cluster.get("apps/v1", "Deployment", namespace, "web")
        assert workload is not None
        return workload["metadata"]["generation"], len(cluster.list("apps/v1", "ReplicaSet", namespace))


@pytest.fixture
def site(
    db: None, team: Team, deployer: User, approver: User, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    monkeypatch.setattr(connections, "READ_TIMEOUT_SECONDS", 0.3)
    with fault_proxy.in_front_of(sandbox.url) as proxy:
        kubeconfig = yaml.safe_dump(sandbox.kubeconfig).replace(sandbox.url, proxy.url)
        cluster = factories.cluster(kubeconfig, server=proxy.url)
        application = factories.application(team)
        target = factories.target(application, factories.environment(), cluster, namespace=namespace_in(sandbox))
        yield Site(target, proxy, sandbox, (deployer, approver))


def namespace_in(sandbox: SandboxServer) -> str:
    name = f"shop-{next(numbers)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    past_the_proxy(sandbox)._request("make a namespace", "POST", "/api/v1/namespaces", body=body)
    return name


def past_the_proxy(sandbox: SandboxServer) -> Cluster:
    return Cluster(Connection(key=f"{sandbox.url} past the proxy", kubeconfig=sandbox.kubeconfig))


def once(fault: Fault, time: int = 1) -> Plan:
    """Each distinct request meets the fault, the first (second …) time that it is made."""
    return lambda exchange: fault if exchange.times == time else None


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_at_any_request_changes_nothing_about_the_end(site: Site, name: str) -> None:
    site.finish(site.deploy("1.0.0"))
    for number in (1, 2):
        site.proxy.times.clear()
        site.proxy.plan, site.proxy.faults = once(FAULTS[name], number), 0
        deployment = site.deploy(f"1.0.{number}")
        site.finish(deployment)

        assert (deployment.status, deployment.error_message) == ("succeeded", "")
        assert site.rollouts() == (number + 1, number + 1), "one change of the spec, one ReplicaSet"
        assert_told_once(deployment)
        assert site.proxy.faults > (5 if number == 1 else 0)


def assert_told_once(deployment: Deployment) -> None:
    events = list(Event.objects.filter(resource_id=str(deployment.pk)).values_list("action", "data__step"))
    assert len(events) == len(set(events)), events


@pytest.mark.parametrize("name", ["503", "cut after", "the past", "lost by a proxy"])
def test_a_release_that_fails_still_fails_for_its_own_cause_and_goes_back_once(site: Site, name: str) -> None:
    site.pace = 10.0
    site.finish(site.deploy("1.0.0"))
    site.proxy.times.clear()
    site.proxy.plan = lambda exchange: FAULTS[name] if exchange.times in (2, 4, 7) else None
    bad = site.deploy("2.0.0", tag="2.0.0-nopull")
    site.finish(bad)

    assert bad.status == "rolled_back"
    assert "ImagePullBackOff" in bad.error_message
    assert [rollback.status for rollback in bad.rollbacks.all()] == ["succeeded"]
    assert site.rollouts()[0] == 3, "out, and back once"


def test_minutes_without_a_network_are_waited_out_and_told_once(site: Site) -> None:
    deployment = site.deploy("1.0.0", tag="1.0.0-unready")
    step = under_way(site, deployment)
    now = timezone.now()
    with away(site):
        for seconds in range(0, 900, 30):
            look(deployment, now + timedelta(seconds=seconds))
        step.refresh_from_db()
        assert (step.status, deployment.status) == ("running", "in_progress")
        assert "refuses connections. Tries again in " in step.message
        assert f"since {now:%H:%M} UTC" in step.message
    look(deployment, now + timedelta(seconds=900))
    assert deployment.status == "in_progress", "15 minutes away are no minutes of a rollout of at most 10"
    told = list(LogLine.objects.filter(step="rollout", message__contains="cluster").values_list("message", flat=True))
    assert [line.partition(":")[0] for line in told] == [
        "Waiting for the cluster",
        "The cluster answers again after 15 min.",
    ]


def test_an_outage_without_end_is_given_up_without_a_verdict_on_the_release(site: Site) -> None:
    site.finish(site.deploy("1.0.0"))
    deployment = site.deploy("1.1.0", tag="1.1.0-unready")
    under_way(site, deployment)
    now = timezone.now()
    with away(site):
        for minutes in (0, 30, 59, 61):
            assert deployment.status == "in_progress"
            look(deployment, now + timedelta(minutes=minutes))
    assert deployment.status == "failed"
    assert "what runs there is unknown" in deployment.error_message

    site.finish(deployment)
    assert deployment.rollbacks.get().status == "succeeded", "asked for, and done once the cluster was back"


def test_a_cluster_that_is_away_at_the_start_has_changed_nothing(site: Site) -> None:
    with away(site):
        deployment = site.deploy("1.0.0")
        for seconds in (0, 300, 599):
            look(deployment, timezone.now() + timedelta(seconds=seconds))
            assert deployment.status == "in_progress"
        look(deployment, timezone.now() + timedelta(seconds=610))
    assert deployment.status == "failed"
    assert "Nothing was changed" in deployment.error_message


def test_fresh_credentials_wake_what_waits_for_them(site: Site, admin: User) -> None:
    site.proxy.plan = lambda exchange: FAULTS["401"]
    deployment = site.deploy("1.0.0")
    look(deployment, timezone.now())
    assert deployment.status == "in_progress"
    assert "Store a fresh kubeconfig" in deployment.steps.get(name="preflight").message
    assert tick(deployment.pk) is Outcome.LEFT, "its timer has not run out"

    site.proxy.plan = fault_proxy.no_faults
    kubeconfig = str(site.target.cluster.kubeconfig)
    services.update_cluster(actor=actor(admin), cluster=site.target.cluster, kubeconfig=kubeconfig)
    tick(deployment.pk)
    assert deployment.steps.get(name="preflight").status == "succeeded"


def test_a_write_that_arrives_late_changes_nothing(site: Site) -> None:
    """Of a zombie, or of a network that kept it: the next release has long been there."""
    site.finish(site.deploy("1.0.0"))
    forwarded, go_on = threading.Event(), threading.Event()
    held: list[str] = []

    def plan(exchange: Exchange) -> Fault | None:
        is_write = exchange.method == "PATCH" and "dryRun" not in exchange.path
        if not is_write or held:
            return None
        held.append(exchange.path)
        return fault_proxy.late(forwarded, go_on)

    site.proxy.plan = plan
    site.finish(site.deploy("2.0.0"))
    latest = site.deploy("3.0.0")
    site.finish(latest)
    before = site.rollouts()
    go_on.set()
    assert forwarded.wait(SECONDS)

    assert held, "a write was held back"
    assert (latest.status, site.rollouts()) == ("succeeded", before)


@pytest.mark.parametrize("seed", range(2))
def test_a_storm_over_many_deployments_passes(site: Site, team: Team, seed: int) -> None:
    chance = random.Random(seed)
    targets = [site.target] + [elsewhere(site, team, f"shop-{number}") for number in range(14)]
    names = list(FAULTS)
    site.proxy.plan = lambda exchange: FAULTS[chance.choice(names)] if chance.random() < 0.08 else None
    deployments = [site.deploy("1.0.0", target=target) for target in targets]
    site.finish(*deployments)

    assert {deployment.status for deployment in deployments} == {"succeeded"}
    assert {site.rollouts(target) for target in targets} == {(1, 1)}
    assert site.proxy.faults > 20


def elsewhere(site: Site, team: Team, slug: str) -> Target:
    application = factories.application(team, slug, slug)
    place = site.target
    return factories.target(application, place.environment, place.cluster, namespace=namespace_in(site.sandbox))


def under_way(site: Site, deployment: Deployment) -> Step:
    """Until its rollout has begun and is not done."""
    deadline = time.monotonic() + SECONDS
    while not deployment.steps.filter(name="rollout", status="running").exists():
        assert time.monotonic() < deadline
        look(deployment, timezone.now())
    return deployment.steps.get(name="rollout")


def look(deployment: Deployment, at: datetime) -> None:
    wake(deployment.pk)
    tick(deployment.pk, clock=lambda: at)
    deployment.refresh_from_db()


@contextmanager
def away(site: Site) -> Iterator[None]:
    """Connections are refused, and those that are open are cut."""
    site.proxy.leave()
    try:
        yield
    finally:
        site.proxy.come_back()
