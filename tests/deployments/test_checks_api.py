"""Checks by API: for administrators to change, for the team to read; hostile addresses refused when they are saved."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from audit.models import Event
from deployments.models import Check, Measurement, Target
from tests.engine.conftest import Crew, ScriptedTarget
from tests.engine.scripted_checks import BAD, GOOD, ScriptedChecks, check, checks
from tests.health.conftest import Listener, listener

__all__ = ["checks", "listener"]
pytestmark = pytest.mark.django_db

ApiOf = Callable[[User], APIClient]
CHECKS = "/api/v1/checks"
BODY: dict[str, Any] = {
    "application": "checkout",
    "environment": "staging",
    "kind": "http",
    "url": "https://checkout.example.com/health",
    "expect": {"status": 200, "max_ms": 500},
    "interval_seconds": 5,
    "window_seconds": 60,
    "failure_limit": 1,
    "on_no_data": "fail",
}
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: smoke}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: smoke, image: "registry.example/smoke:1"}]}}}
"""


def test_a_check_is_made_read_changed_and_deleted(admin: User, crew: Crew, api_of: ApiOf) -> None:
    client = api_of(admin)

    made = client.post(CHECKS, BODY)

    assert made.status_code == 201, made.json()
    assert made.json() | BODY == made.json()
    assert made.json()["name"] == "http"
    again = client.post(CHECKS, BODY).json()
    assert again["name"] == "http 2", "names are made, and each is its own"
    at = f"{CHECKS}/{made.json()['id']}"
    assert client.get(at).json() == made.json()
    assert client.patch(at, {"name": "alive", "failure_limit": 0}).json()["name"] == "alive"
    assert [each["name"] for each in client.get(CHECKS, {"kind": "http"}).json()["results"]] == ["http 2", "alive"]
    assert api_of(crew.deployer).get(at).status_code == 200
    assert api_of(crew.deployer).patch(at, {"failure_limit": 9}).status_code == 403
    assert client.delete(at).status_code == 204
    told = Event.objects.filter(action__startswith="check.").order_by("sequence").values_list("action", flat=True)
    assert list(told) == ["check.created", "check.created", "check.updated", "check.deleted"]


def test_who_does_not_see_the_application_sees_no_check(crew: Crew, outsider: User, api_of: ApiOf) -> None:
    made = check(crew.place)
    assert api_of(outsider).get(f"{CHECKS}/{made.pk}").status_code == 404
    assert api_of(outsider).get(CHECKS).json()["results"] == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "http://127.0.0.1:8000/"}, "url"),
        ({"url": "http://169.254.169.254/latest/meta-data/"}, "url"),
        ({"url": "http://localhost/"}, "url"),
        ({"url": "http://user@example.com/"}, "url"),
        ({"url": "http://[::ffff:10.0.0.1]/"}, "url"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"url": ""}, "url"),
        ({"kind": "dance"}, "kind"),
        ({"expect": {"status": "ok"}}, "expect"),
        ({"expect": []}, "expect"),
        ({"query": "up"}, "query"),
        ({"interval_seconds": 0}, "interval_seconds"),
        ({"failure_limit": -1}, "failure_limit"),
        ({"on_no_data": "maybe"}, "on_no_data"),
        ({"application": "nothing"}, "application"),
        ({"kind": "prometheus", "url": "", "query": "up{version}", "expect": {"below": 1}}, "query"),
        ({"kind": "prometheus", "url": "", "query": "up", "expect": {}}, "expect"),
        ({"kind": "job", "url": "", "expect": {}}, "manifest"),
        ({"kind": "job", "url": "", "expect": {}, "manifest": "a: ["}, "manifest"),
        ({"kind": "job", "url": "", "expect": {}, "manifest": f"{JOB}---{JOB.replace('smoke', 'x')}"}, "manifest"),
        ({"kind": "job", "url": "", "expect": {}, "manifest": JOB.replace("Job", "CronJob")}, "manifest"),
        (
            {"kind": "job", "url": "", "expect": {}, "manifest": JOB.replace("Never,", "Never, hostNetwork: true,")},
            "manifest",
        ),
        ({"kind": "job", "url": "", "expect": {"max_seconds": 0}, "manifest": JOB}, "expect"),
    ],
)
def test_a_check_that_will_not_do_is_refused(
    admin: User, crew: Crew, api_of: ApiOf, settings: Settings, change: dict[str, Any], field: str
) -> None:
    settings.PROMETHEUS_URL = "http://prometheus:9090"
    answer = api_of(admin).post(CHECKS, BODY | change)
    assert answer.status_code == 422, answer.json()
    assert field in answer.json()["details"], answer.json()
    assert not Check.objects.exists()


def test_a_job_is_taken_as_it_may_run_there(admin: User, crew: Crew, api_of: ApiOf) -> None:
    body = BODY | {"kind": "job", "url": "", "manifest": JOB, "expect": {"max_seconds": 60}}
    assert api_of(admin).post(CHECKS, body).status_code == 201


def test_an_operator_s_list_opens_an_address(
    admin: User, crew: Crew, api_of: ApiOf, settings: Settings, listener: Listener
) -> None:
    settings.CHECK_ALLOWED_HOSTS = ["127.0.0.0/8"]
    client = api_of(admin)
    made = client.post(CHECKS, BODY | {"url": f"{listener.url}/health"}).json()
    assert listener.seen == [], "saving asks nothing"

    reading = client.post(f"{CHECKS}/{made['id']}/try", headers={"idempotency-key": "once"}).json()

    assert (reading["verdict"], listener.seen) == ("pass", ["GET /health"])
    settings.CHECK_ALLOWED_HOSTS = []
    closed = client.post(f"{CHECKS}/{made['id']}/try").json()
    assert closed["verdict"] == "inconclusive"
    assert closed["sentence"].startswith("Not asked: 127.0.0.1 is the address 127.0.0.1")
    assert len(listener.seen) == 1


def test_what_was_measured_is_listed_in_pages(
    crew: Crew, world: ScriptedTarget, checks: ScriptedChecks, api_of: ApiOf
) -> None:
    check(crew.place, window_seconds=0, failure_limit=2)
    deployment = crew.run(crew.deploy("2.0.0"))
    Measurement.objects.create(deployment=deployment, name="HighErrors", phase="alert", verdict="fail", sentence="!")

    page = api_of(crew.deployer).get(f"/api/v1/deployments/{deployment.pk}/measurements", {"limit": 1}).json()

    assert [(each["name"], each["check"], each["phase"]) for each in page["results"]] == [("HighErrors", None, "alert")]
    [older] = api_of(crew.deployer).get(page["next"]).json()["results"]
    assert (older["verdict"], older["value"], older["sentence"]) == (GOOD.verdict, GOOD.value, GOOD.sentence)


def test_the_bake_is_part_of_the_deployment(
    crew: Crew, world: ScriptedTarget, checks: ScriptedChecks, api_of: ApiOf
) -> None:
    at = f"/api/v1/deployments/{crew.run(crew.deploy('1.0.0')).pk}"
    assert api_of(crew.deployer).get(at).json()["bake"] is None
    bakes_for(crew.place, 60)
    at = f"/api/v1/deployments/{crew.run(crew.deploy('2.0.0')).pk}"
    bake = api_of(crew.deployer).get(at).json()["bake"]
    assert (bake["status"], bake["message"], bake["completed_at"]) == ("watching", "", None)


def bakes_for(place: Target, seconds: int) -> None:
    place.environment.bake_seconds = seconds
    place.environment.save()


def test_the_pages_show_checks_measurements_and_the_bake(
    crew: Crew, admin: User, world: ScriptedTarget, checks: ScriptedChecks, client: Any
) -> None:
    crew.run(crew.deploy("1.0.0"))
    bakes_for(crew.place, 600)
    made = check(crew.place, window_seconds=0)
    deployment = crew.run(crew.deploy("2.0.0"))
    client.force_login(admin)

    page = client.get(f"/deployments/{deployment.pk}").content.decode()
    rows = client.get(f"/deployments/{deployment.pk}/measurements").content.decode()
    listed = client.get(f"/checks/for-application/{crew.application.pk}").content.decode()
    form = client.get(f"/checks/{made.pk}/edit").content.decode()

    assert "Baking, ends" in page
    assert "in 9 min" in page
    assert "all is well so far" in page
    assert GOOD.sentence in rows
    assert f"/checks/{made.pk}/edit" in listed
    assert "Try it now" in form
    checks.answers["errors"] = [BAD]
    tried = client.post(f"/checks/{made.pk}/try", headers={"hx-request": "true"}).content.decode()
    assert ("It fails" in tried, "a line" in tried) == (True, True)


def test_the_form_says_what_is_wrong_and_keeps_what_was_typed(crew: Crew, admin: User, client: Any) -> None:
    client.force_login(admin)
    body = BODY | {"url": "http://10.0.0.1/", "expect": "{}", "name": "inner"}
    refused = client.post("/checks/new", body)
    assert refused.status_code == 422
    assert "not on the internet" in refused.content.decode()
    assert "http://10.0.0.1/" in refused.content.decode()
    done = client.post("/checks/new", body | {"url": "https://checkout.example.com/"})
    saved = Check.objects.get(name="inner")
    assert (done.status_code, done["Location"]) == (302, f"/checks/{saved.pk}/edit")
    # The page hides what another kind asked, so it must not stand in the way.
    assert client.post(f"/checks/{saved.pk}/edit", body | {"kind": "job", "manifest": JOB}).status_code == 302
    assert (Check.objects.get(pk=saved.pk).url, Check.objects.get(pk=saved.pk).kind) == ("", "job")
    assert client.post(f"/checks/{saved.pk}/delete").status_code == 302
    assert not Check.objects.exists()
