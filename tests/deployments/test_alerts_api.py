"""Alertmanager's webhook: an alert about what is being watched rolls back, once; everything else is answered."""

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from accounts.services import issue_token
from audit.models import Event
from deployments.engine import bake as engine
from deployments.models import Bake, Deployment, Environment, Measurement
from deployments.services.bakes import hold_target
from deployments.targets.base import Running, Succeeded
from tests import factories
from tests.engine.conftest import Crew, ScriptedTarget, racers
from tests.engine.racing import Racers
from tests.engine.scripted_checks import ScriptedChecks, check, checks
from tests.engine.test_bake import due

__all__ = ["checks", "racers"]
pytestmark = pytest.mark.django_db

ApiOf = Callable[[User], APIClient]
ALERTS = "/api/v1/alerts"


def alert(**fields: Any) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": "HighErrors", "application": "checkout", "environment": "staging", "severity": "page"},
        "annotations": {"summary": "5 % of requests fail\x1b[31m"},
        "startsAt": (timezone.now() + timedelta(seconds=1)).isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": "a1b2c3d4e5f60718",
    } | fields


def body(*alerts: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "4", "groupKey": "{}:{}", "status": "firing", "receiver": "release-manager", "groupLabels": {},
        "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://alertmanager", "alerts": list(alerts),
    }  # fmt: skip


@pytest.fixture
def baking(crew: Crew, world: ScriptedTarget, checks: ScriptedChecks) -> Deployment:
    crew.run(crew.deploy("1.0.0"))
    Environment.objects.update(bake_seconds=600)
    crew.place.environment.refresh_from_db()
    return crew.run(crew.deploy("2.0.0"))


def done(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.json()
    return [each["done"] for each in answer.json()["results"]]


def tick(deployment: Deployment) -> Bake:
    bake = Bake.objects.get(deployment=deployment)
    due(bake)
    engine.tick(bake.pk)
    bake.refresh_from_db()
    return bake


def test_an_alert_while_it_bakes_rolls_back_once_however_often_it_is_sent(
    crew: Crew, baking: Deployment, api_of: ApiOf
) -> None:
    client, sent = api_of(crew.deployer), body(alert())

    assert done(client.post(ALERTS, sent)) == ["passed_on"]
    assert done(client.post(ALERTS, sent)) == ["repeated"]
    bake = tick(baking)
    assert done(client.post(ALERTS, sent)) == ["unmatched"]

    assert (bake.status, bake.message) == (
        "failed",
        "It failed while it baked. An alert is firing: HighErrors: 5 % of requests fail",
    )
    assert [each["name"] for each in bake.evidence["alerts"]] == ["HighErrors"]
    rollback = baking.rollbacks.get()
    assert (rollback.release.version, rollback.automatic) == ("1.0.0", True)
    assert Measurement.objects.filter(deployment=baking, phase="alert").count() == 1
    told = Event.objects.get(action="deployment.alert_received")
    assert (told.user_id, told.data["fingerprint"]) == (crew.deployer.pk, "a1b2c3d4e5f60718")


def test_an_alert_while_it_is_verified_fails_the_step(
    crew: Crew, world: ScriptedTarget, checks: ScriptedChecks, api_of: ApiOf
) -> None:
    crew.run(crew.deploy("1.0.0"))
    check(crew.place)
    deployment = crew.run(crew.deploy("2.0.0"))
    assert deployment.steps.get(name="verify").status == "running"

    assert done(api_of(crew.deployer).post(ALERTS, body(alert()))) == ["passed_on"]
    crew.run(deployment)

    assert deployment.error_message == "An alert is firing: HighErrors: 5 % of requests fail"
    assert deployment.rollbacks.get().release.version == "1.0.0"


LABELS = {"alertname": "A", "application": "checkout", "environment": "staging"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": "resolved"}, "ignored"),
        ({"labels": {"alertname": "A"}}, "ignored"),
        ({"labels": LABELS | {"application": "other"}}, "unmatched"),
        ({"labels": LABELS | {"environment": "production"}}, "unmatched"),
        ({"labels": {"application": "checkout"}}, "passed_on"),
        ({"labels": {"namespace": "default"}}, "passed_on"),
        ({"labels": {"application": "checkout", "namespace": "elsewhere"}}, "unmatched"),
        ({"startsAt": "2020-01-01T00:00:00Z"}, "ignored"),
        ({"startsAt": "yesterday"}, "passed_on"),
        ({"startsAt": ""}, "passed_on"),
        ({"fingerprint": ""}, "passed_on"),
        ({"annotations": {}}, "passed_on"),
    ],
)
def test_what_an_alert_is_about(
    crew: Crew, baking: Deployment, api_of: ApiOf, changes: dict[str, Any], expected: str
) -> None:
    answer = api_of(crew.deployer).post(ALERTS, body(alert(**changes)))
    assert done(answer) == [expected]
    assert Measurement.objects.filter(phase="alert").exists() == (expected == "passed_on")


def test_an_alert_that_fits_two_applications_is_about_neither(crew: Crew, baking: Deployment, api_of: ApiOf) -> None:
    other = factories.target(
        factories.application(crew.application.team, "cart", "Cart"), crew.place.environment, crew.place.cluster,
        namespace="default",
    )  # fmt: skip
    neighbour = Crew(crew.deployer, User.objects.get(username="approver"), other)
    neighbour.run(neighbour.deploy("1.0.0"))
    answer = api_of(crew.deployer).post(ALERTS, body(alert(labels={"namespace": "default"})))
    assert done(answer) == ["unmatched"]
    assert "Several deployments fit" in answer.json()["results"][0]["sentence"]


def test_who_may_not_deploy_there_rolls_nothing_back(
    crew: Crew, baking: Deployment, outsider: User, viewer: User, api_of: ApiOf
) -> None:
    assert done(api_of(outsider).post(ALERTS, body(alert()))) == ["unmatched"]
    assert api_of(viewer).post(ALERTS, body(alert())).status_code == 403
    assert APIClient().post(ALERTS, body(alert())).status_code == 401
    assert not Measurement.objects.filter(phase="alert").exists()


@pytest.mark.parametrize(("scope", "status"), [("deployments:write", 200), ("deployments:read", 403)])
def test_alertmanager_comes_with_a_token(crew: Crew, baking: Deployment, scope: str, status: int) -> None:
    _, secret = issue_token(
        actor=factories.actor(crew.deployer), name="alerts", scopes=[scope],
        expires_at=timezone.now() + timedelta(days=1),
    )  # fmt: skip
    answer = APIClient().post(ALERTS, body(alert()), headers={"authorization": f"Token {secret}"})
    assert answer.status_code == status
    assert Measurement.objects.filter(phase="alert").exists() == (status == 200)


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"alerts": "all"},
        {"alerts": [1]},
        {"alerts": [alert(status="angry")]},
        {"alerts": [alert(labels=[])]},
        {"alerts": [alert(labels={str(n): "x" for n in range(101)})]},
        {"alerts": [alert()] * 501},
        {"alerts": [alert(startsAt="x" * 100)]},
    ],
)
def test_hostile_bodies_are_refused(crew: Crew, api_of: ApiOf, sent: dict[str, Any]) -> None:
    assert api_of(crew.deployer).post(ALERTS, sent).status_code == 422


@pytest.mark.django_db(transaction=True)
def test_the_same_alert_eight_times_at_once_is_passed_on_once(
    crew: Crew, baking: Deployment, api_of: ApiOf, racers: Racers
) -> None:
    sent = body(alert())
    answers = racers.race([partial(api_of(crew.deployer).post, ALERTS, sent) for _ in range(racers.size)])
    assert sorted(word for answer in answers for word in done(answer)) == ["passed_on"] + ["repeated"] * 7
    bake = Bake.objects.get(deployment=baking)
    due(bake)
    racers.race([partial(engine.tick, bake.pk)] * racers.size)
    assert baking.rollbacks.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_alert_and_the_verdict_of_the_bake_take_turns(
    crew: Crew, baking: Deployment, api_of: ApiOf, racers: Racers
) -> None:
    """In whatever order they lock what both write: neither may find the other in its way for ever."""
    send = partial(api_of(crew.deployer).post, ALERTS, body(alert()))
    with transaction.atomic():
        hold_target(baking)
        Bake.objects.select_for_update().get(deployment=baking)
        coming = racers.start(send)
        _wait_for_one_who_waits()
        Deployment.objects.select_for_update().get(pk=baking.pk)
    assert done(coming.result(timeout=10)) == ["passed_on"]


def _wait_for_one_who_waits() -> None:
    waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    for _ in range(500):
        with connection.cursor() as cursor:
            # Within a transaction the view would stay as it was at first.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(f"SELECT EXISTS ({waiting})")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits for a lock")


def test_an_alert_that_comes_with_the_success_is_not_lost(
    crew: Crew, world: ScriptedTarget, checks: ScriptedChecks, api_of: ApiOf
) -> None:
    """It reached the verify step in its last moment: the bake finds it."""
    crew.run(crew.deploy("1.0.0"))
    Environment.objects.update(bake_seconds=600)
    crew.place.environment.refresh_from_db()
    check(crew.place, window_seconds=0)
    world.answers["rollout"] = [Running("1 of 2"), Succeeded("2 of 2")]
    deployment = crew.run(crew.deploy("2.0.0"))
    asked = checks.ask

    def alert_comes(*args: Any) -> Any:
        assert done(api_of(crew.deployer).post(ALERTS, body(alert()))) == ["passed_on"]
        return asked(*args)

    checks.ask = alert_comes  # type: ignore[method-assign]
    crew.wait(deployment)
    crew.run(deployment)
    assert deployment.status == "succeeded"
    assert tick(deployment).status == "failed"
