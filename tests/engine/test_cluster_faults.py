"""Whatever cluster and network do to a deployment, it ends as it would have without: once, and for its own cause."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from accounts.models import Team, User
from audit.models import Event
from deployments import services
from deployments.engine.runner import Outcome, tick
from deployments.models import Deployment, LogLine, Step, Target
from deployments.services.waking import wake
from tests import factories
from tests.engine import fault_proxy, faults
from tests.engine.fault_proxy import Exchange, Fault, Plan
from tests.engine.site import SECONDS, Site, namespace_in
from tests.factories import actor

FAULTS: dict[str, Fault] = {
    "429": faults.status(429, retry_after=1),
    "500": faults.status(500),
    "503": faults.status(503),
    "401": faults.status(401),
    "410": faults.status(410),
    "cut before": faults.cut_before,
    "cut after": faults.cut_after,
    "halved": faults.halved,
    "cut in a chunk": faults.cut_in_a_chunk,
    "half JSON": faults.half_json,
    "page of a proxy": faults.page_of_a_proxy,
    "lost by a proxy": faults.lost_by_a_proxy,
    "someone else": faults.someone_else,
    "the past": faults.past,
    "slow": faults.delayed(0.02),
    "hangs": faults.delayed(0.4, faults.cut_before),
}


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
    assert not deployment.log.filter(message__contains="answers again").exists(), "it never did"

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
        return faults.late(forwarded, go_on)

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
