"""The words in an image reference that decide what becomes of its container."""

from typing import Any

import pytest

from deployments.sandbox.images import image_id
from deployments.sandbox.server import SandboxServer
from tests.sandbox.fixtures import sandbox_cluster
from tests.sandbox.manifests import deployment, job
from tests.sandbox.replay import Client
from tests.sandbox.waiting import eventually

__all__ = ["sandbox_cluster"]

PODS = "/api/v1/namespaces/default/pods"


def start(client: Client, body: dict[str, Any]) -> None:
    group, plural = body["apiVersion"], f"{body['kind'].lower()}s"
    path = f"/apis/{group}/namespaces/default/{plural}"
    assert client.ask({"method": "POST", "path": path, "body": body}).status == 201


def pod(client: Client) -> dict[str, Any]:
    items = client.ask({"method": "GET", "path": PODS}).body["items"]
    return items[0] if items else {"status": {}}


def container(client: Client) -> dict[str, Any]:
    return next(iter(pod(client)["status"].get("containerStatuses", [])), {"state": {}, "lastState": {}})


def waiting_reason(client: Client) -> str:
    return container(client)["state"].get("waiting", {}).get("reason", "")


def condition(obj: dict[str, Any], kind: str) -> dict[str, Any]:
    return next((item for item in obj["status"].get("conditions", ()) if item["type"] == kind), {})


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("crash", "CrashLoopBackOff"),
        ("oom", "CrashLoopBackOff"),
        ("flap", "CrashLoopBackOff"),
        ("nopull", "ImagePullBackOff"),
        ("noconfig", "CreateContainerConfigError"),
    ],
)
def test_a_word_makes_the_container_wait_for_a_reason(sandbox_cluster: SandboxServer, word: str, reason: str) -> None:
    client = Client(sandbox_cluster)

    start(client, deployment(f"registry.example/web:2-{word}", replicas=1))

    assert eventually(lambda: waiting_reason(client) == reason)
    assert condition(pod(client), "Ready")["status"] == "False"


def test_a_container_without_memory_tells_that_it_was_killed(sandbox_cluster: SandboxServer) -> None:
    client = Client(sandbox_cluster)

    start(client, deployment("registry.example/web:2-oom", replicas=1))

    assert eventually(lambda: container(client)["lastState"].get("terminated", {}).get("reason") == "OOMKilled")
    assert container(client)["restartCount"] == 3


def test_an_unready_container_runs_and_is_never_ready(sandbox_cluster: SandboxServer) -> None:
    client = Client(sandbox_cluster)

    start(client, deployment("registry.example/web:2-unready", replicas=1))

    assert eventually(lambda: "running" in container(client)["state"])
    assert not eventually(lambda: condition(pod(client), "Ready")["status"] == "True", seconds=0.2)


def test_a_flapping_container_is_ready_before_it_crashes(sandbox_cluster: SandboxServer) -> None:
    client = Client(sandbox_cluster)

    start(client, deployment("registry.example/web:2-flap", replicas=1))

    assert eventually(lambda: condition(pod(client), "Ready").get("status") == "True")
    assert eventually(lambda: waiting_reason(client) == "CrashLoopBackOff")


def test_a_slow_container_becomes_ready_later(sandbox_cluster: SandboxServer) -> None:
    client = Client(sandbox_cluster)

    start(client, deployment("registry.example/web:2-slow", replicas=1))

    assert not eventually(lambda: condition(pod(client), "Ready"), seconds=0.15)
    assert eventually(lambda: condition(pod(client), "Ready").get("status") == "True")


def test_a_pod_that_fits_nowhere_stays_unscheduled_and_an_event_says_why(sandbox_cluster: SandboxServer) -> None:
    client = Client(sandbox_cluster)

    start(client, deployment("registry.example/web:2-nospace", replicas=1))

    assert eventually(lambda: condition(pod(client), "PodScheduled").get("reason") == "Unschedulable")
    params = {"fieldSelector": "involvedObject.kind=Pod,reason=FailedScheduling"}
    events = client.ask({"method": "GET", "path": "/api/v1/namespaces/default/events", "params": params}).body["items"]
    assert "0/3 nodes are available" in events[0]["message"]


@pytest.mark.parametrize(("image", "final"), [("migrate:1", "Complete"), ("migrate-fail:1", "Failed")])
def test_a_job_ends_as_its_image_says(sandbox_cluster: SandboxServer, image: str, final: str) -> None:
    client = Client(sandbox_cluster)
    path = "/apis/batch/v1/namespaces/default/jobs/migrate"

    start(client, job(f"registry.example/{image}"))

    assert eventually(lambda: condition(client.ask({"method": "GET", "path": path}).body, final))


def test_a_failed_job_is_tried_again_up_to_its_limit(sandbox_cluster: SandboxServer) -> None:
    client = Client(sandbox_cluster)
    path = "/apis/batch/v1/namespaces/default/jobs/migrate"

    start(client, job("registry.example/migrate-fail:1", backoffLimit=1))

    assert eventually(lambda: condition(client.ask({"method": "GET", "path": path}).body, "Failed"))
    assert client.ask({"method": "GET", "path": path}).body["status"]["failed"] == 2


def test_an_image_by_digest_runs_as_that_very_digest() -> None:
    digest = "sha256:" + "a" * 64

    assert image_id(f"registry.example:5000/team/web:1@{digest}") == f"registry.example:5000/team/web@{digest}"
    assert image_id("registry.example:5000/team/web:1").startswith("registry.example:5000/team/web@sha256:")
