"""The journeys of test_outcomes.py as programs and people make them: over HTTP, against a cluster API over HTTP."""

from typing import Any

import pytest
import yaml
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import Team, User
from deployments.models import Deployment
from deployments.sandbox.server import SandboxServer
from tests import factories
from tests.flows.conftest import Worker

Answer = dict[str, Any]


class People:
    """Two engineers and an administrator, each with a session of their own."""

    def __init__(self, deployer: User, approver: User, admin: User) -> None:
        self.deployer, self.approver, self.admin = (self.of(each) for each in (deployer, approver, admin))

    @staticmethod
    def of(person: User) -> APIClient:
        client = APIClient()
        client.force_login(person)
        return client


def ok(response: Any, status: int = 201) -> Answer:
    assert response.status_code == status, response.content
    body: Answer = response.json()
    return body


class Journey:
    """An application with a target in staging, all of it set up over the API."""

    def __init__(self, people: People, worker: Worker, cluster: SandboxServer) -> None:
        self.people, self.worker, self.cluster = people, worker, cluster

    def set_up(self, kubeconfig: dict[str, Any]) -> "Journey":
        admin = self.people.admin
        ok(admin.post("/api/v1/clusters", {"name": "main", "kubeconfig": yaml.safe_dump(kubeconfig)}))
        ok(admin.post("/api/v1/environments", {"name": "staging", "position": 1}))
        ok(admin.post("/api/v1/applications", {"slug": "checkout", "name": "Checkout", "team": "payments"}))
        target = {"application": "checkout", "environment": "staging", "cluster": "main", "namespace": "default"}
        self.target = ok(admin.post("/api/v1/targets", target))
        return self

    def draft(self, version: str, tag: str = "") -> Any:
        body = {"application": "checkout", "version": version, "artifacts": factories.artifacts(tag or version)}
        return self.people.deployer.post("/api/v1/releases", body)

    def approved(self, version: str, tag: str = "") -> Answer:
        address = f"/api/v1/releases/{ok(self.draft(version, tag))['id']}"
        ok(self.people.deployer.post(f"{address}/submit"), 200)
        return ok(self.people.approver.post(f"{address}/approve", {"comment": "Reads well."}), 200)

    def deploy(self, version: str, tag: str = "", **headers: str) -> Answer:
        return ok(self.ask_to_deploy(self.approved(version, tag), **headers), 202)

    def ask_to_deploy(self, release: Answer, **headers: str) -> Any:
        return self.people.deployer.post(
            f"/api/v1/releases/{release['id']}/deploy", {"environment": "staging"}, **headers
        )

    def read(self, deployment: Answer) -> Answer:
        return ok(self.people.deployer.get(f"/api/v1/deployments/{deployment['id']}"), 200)

    def ended(self, deployment: Answer) -> Answer:
        self.worker.finish(Deployment.objects.get(pk=deployment["id"]))
        return self.read(deployment)

    def until_step(self, deployment: Answer, name: str) -> None:
        steps = Deployment.objects.get(pk=deployment["id"]).steps
        self.worker.until(lambda: steps.filter(name=name, status="running").exists())

    def ask(self, deployment: Answer, action: str, body: Answer | None = None) -> Any:
        return self.people.deployer.post(f"/api/v1/deployments/{deployment['id']}/{action}", body or {})


@pytest.fixture
def people(deployer: User, approver: User, admin: User) -> People:
    return People(deployer, approver, admin)


@pytest.fixture
def grounds(people: People, team: Team, worker: Worker, sandbox_cluster: SandboxServer) -> Journey:
    return Journey(people, worker, sandbox_cluster)


@pytest.fixture
def journey(grounds: Journey) -> Journey:
    return grounds.set_up(grounds.cluster.kubeconfig)


def test_a_release_goes_out_and_every_step_says_so(journey: Journey) -> None:
    done = journey.ended(journey.deploy("1.0.0"))

    assert (done["status"], done["error_message"]) == ("succeeded", "")
    assert [(step["name"], step["status"]) for step in done["steps"]] == [
        (name, "succeeded") for name in ("preflight", "apply", "rollout", "verify")
    ]
    log = ok(journey.people.deployer.get(f"/api/v1/deployments/{done['id']}/log"), 200)["results"]
    assert any("2 pods ready" in line["message"] for line in log)


def test_a_crash_loop_is_named_and_rolled_back_by_itself(journey: Journey) -> None:
    good = journey.ended(journey.deploy("1.0.0"))
    bad = journey.ended(journey.deploy("2.0.0", "2.0.0-crash"))

    assert bad["status"] == "rolled_back"
    assert bad["error_message"].startswith("CrashLoopBackOff")
    rollback = journey.read({"id": bad["rolled_back_by"]})
    assert (rollback["kind"], rollback["automatic"], rollback["status"]) == ("rollback", True, "succeeded")
    assert (rollback["release"], rollback["rolls_back"]) == (good["release"], bad["id"])


@pytest.mark.parametrize(
    ("tag", "cause"),
    [("1.0.0-nopull", "ImagePullBackOff: registry.example/web:1.0.0-nopull"), ("1.0.0-oom", "OOMKilled")],
)
def test_the_cause_of_a_failure_is_what_a_person_needs(journey: Journey, tag: str, cause: str) -> None:
    bad = journey.ended(journey.deploy("1.0.0", tag))

    assert bad["status"] == "failed"
    assert cause in bad["error_message"]
    assert bad["rolled_back_by"] is None, "there is nothing to go back to"


def test_pods_that_never_become_ready_fail_at_the_time_out(journey: Journey) -> None:
    address = f"/api/v1/targets/{journey.target['id']}"
    ok(journey.people.admin.patch(address, {"timeout_seconds": 1}), 200)
    bad = journey.ended(journey.deploy("1.0.0", "1.0.0-unready"))

    assert bad["status"] == "failed"
    assert "readiness check has not passed" in bad["error_message"]


def test_a_deployment_under_way_can_be_cancelled(journey: Journey) -> None:
    stuck = journey.deploy("1.0.0", "1.0.0-unready")
    journey.until_step(stuck, "rollout")
    ok(journey.ask(stuck, "cancel"), 202)

    assert journey.ended(stuck)["status"] == "cancelled"
    again = journey.ask(stuck, "cancel")
    assert (again.status_code, again.json()["code"]) == (409, "wrong_state")


def test_a_rollback_brings_back_the_release_that_it_names(journey: Journey) -> None:
    first, _, third = [journey.ended(journey.deploy(version)) for version in ("1.0.0", "2.0.0", "3.0.0")]
    rollback = ok(journey.ask(third, "rollback", {"reason": "Carts are empty", "to": first["release"]}), 202)

    done = journey.ended(rollback)
    assert (done["status"], done["version"], done["reason"]) == ("succeeded", "1.0.0", "Carts are empty")
    assert journey.read(third)["status"] == "rolled_back"
    without_reason = journey.ask(third, "rollback", {})
    assert (without_reason.status_code, list(without_reason.json()["details"])) == (422, ["reason"])


def test_a_second_deployment_to_the_same_place_waits_its_turn(journey: Journey) -> None:
    first, second = journey.deploy("1.0.0", "1.0.0-slow"), journey.deploy("2.0.0")
    journey.worker.run_once()
    waiting = journey.read(second)
    assert waiting["status"] == "pending"
    assert [gate["kind"] for gate in waiting["gates"] if not gate["open"]] == ["turn"]

    journey.worker.finish(Deployment.objects.get(pk=second["id"]))
    first, second = journey.read(first), journey.read(second)
    assert (first["status"], second["status"]) == ("succeeded", "succeeded")
    assert first["completed_at"] <= second["started_at"]


def test_a_cluster_that_forbids_is_named_before_anything_changes(grounds: Journey) -> None:
    journey = grounds.set_up(grounds.cluster.kubeconfig_of("viewer"))
    refused = journey.ended(journey.deploy("1.0.0"))

    assert refused["status"] == "failed"
    assert "lack rights in the namespace" in refused["error_message"]
    assert [step["status"] for step in refused["steps"]] == ["failed", "skipped", "skipped", "skipped"]


def test_a_cluster_that_does_not_answer_is_refused_when_it_is_registered(grounds: Journey) -> None:
    kubeconfig = grounds.cluster.kubeconfig
    grounds.cluster.stop()
    body = {"name": "main", "kubeconfig": yaml.safe_dump(kubeconfig)}
    refused = grounds.people.admin.post("/api/v1/clusters", body)

    assert (refused.status_code, list(refused.json()["details"])) == (422, ["kubeconfig"])
    assert ok(grounds.people.admin.get("/api/v1/clusters"), 200)["results"] == []


def test_a_version_is_drafted_once(journey: Journey) -> None:
    ok(journey.draft("1.0.0"))
    second = journey.draft("1.0.0")

    assert second.status_code == 409
    assert "1.0.0" in second.json()["message"]


def test_a_deployment_asked_for_twice_with_one_key_is_one_deployment(journey: Journey) -> None:
    release = journey.approved("1.0.0")
    first = ok(journey.ask_to_deploy(release, HTTP_IDEMPOTENCY_KEY="build-17"), 202)
    second = ok(journey.ask_to_deploy(release, HTTP_IDEMPOTENCY_KEY="build-17"), 202)

    assert first["id"] == second["id"]
    assert Deployment.objects.count() == 1


def test_authors_never_approve_and_viewers_never_deploy(journey: Journey, viewer: User) -> None:
    release = ok(journey.draft("1.0.0"))
    address = f"/api/v1/releases/{release['id']}"
    ok(journey.people.deployer.post(f"{address}/submit"), 200)

    assert journey.people.deployer.post(f"{address}/approve").status_code == 403
    assert People.of(viewer).post(f"{address}/deploy", {"environment": "staging"}).status_code == 403


def test_pages_and_api_tell_the_same_story(journey: Journey, approver: User) -> None:
    journey.ended(journey.deploy("1.0.0"))
    bad = journey.ended(journey.deploy("2.0.0", "2.0.0-crash"))
    browser = Client()
    browser.force_login(approver)

    def page(address: str) -> str:
        answer = browser.get(address)
        assert answer.status_code == 200
        return answer.content.decode()

    assert bad["error_message"] in page(f"/deployments/{bad['id']}")
    assert f"/deployments/{bad['rolled_back_by']}" in page(f"/deployments/{bad['id']}")
    assert f"/deployments/{bad['id']}" in page("/deployments?status=rolled_back")
    assert "2.0.0 was rolled back" in page("/")
    log = journey.people.deployer.get(f"/api/v1/deployments/{bad['id']}/log").json()["results"]
    assert log[-1]["message"] in page(f"/deployments/{bad['id']}/log")


def test_a_release_that_never_ran_well_cannot_be_brought_back(journey: Journey) -> None:
    journey.ended(journey.deploy("1.0.0"))
    bad = journey.ended(journey.deploy("2.0.0", "2.0.0-crash"))
    third = journey.ended(journey.deploy("3.0.0"))
    refused = journey.ask(third, "rollback", {"reason": "Slow", "to": bad["release"]})

    assert (refused.status_code, list(refused.json()["details"])) == (422, ["to"])
