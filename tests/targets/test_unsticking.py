"""A StatefulSet that waits for a broken pod of the revision that is being replaced (kubernetes/kubernetes#67250)."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deployments.targets.base import Running
from deployments.targets.kubernetes.judging.revisions import Scene
from deployments.targets.kubernetes.judging.unsticking import stuck_pods
from deployments.targets.kubernetes.manifests import ManifestsTarget
from tests.targets.scripted import Asked, serving
from tests.targets.works import connection, work

IMAGE = "registry.example/db:1"
SET: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "db", "uid": "s", "generation": 3},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "db"}},
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        "template": {"spec": {"containers": [{"name": "db", "image": IMAGE}]}},
    },
    "status": {"observedGeneration": 3, "replicas": 2, "updateRevision": "good", "currentRevision": "good"},
}


def pod(number: int, revision: str, *, waiting: str = "", ready: bool = False) -> dict[str, Any]:
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    return {
        "metadata": {
            "name": f"db-{number}",
            "uid": f"pod-{number}",
            "labels": {"controller-revision-hash": revision},
            "ownerReferences": [{"kind": "StatefulSet", "uid": "s", "name": "db", "controller": True}],
        },
        "spec": {"containers": [{"name": "db", "image": IMAGE}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"name": "db", "ready": ready, "restartCount": 0, "state": state}],
        },
    }


def names(pods: list[dict[str, Any]], *, waited_seconds: float = 0.0, **spec: Any) -> list[str]:
    live = copy.deepcopy(SET)
    live["spec"] |= spec
    found = stuck_pods(Scene(live, live, [], pods), waited_seconds=waited_seconds)
    return [str(item["metadata"]["name"]) for item in found]


HEALTHY = pod(0, "good", ready=True)
BROKEN = pod(1, "bad", waiting="ImagePullBackOff")


def test_a_broken_pod_of_another_revision_is_stuck() -> None:
    assert names([HEALTHY, BROKEN]) == ["db-1"]


def test_a_pod_that_is_only_slow_gets_some_time() -> None:
    slow = pod(1, "bad")
    assert names([HEALTHY, slow]) == []
    assert names([HEALTHY, slow], waited_seconds=31) == ["db-1"]


@pytest.mark.parametrize(
    "spec",
    [
        {"podManagementPolicy": "Parallel"},
        {"updateStrategy": {"type": "OnDelete"}},
        {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}},
    ],
)
def test_sets_that_do_not_wait_are_left_alone(spec: dict[str, Any]) -> None:
    assert names([HEALTHY, BROKEN], waited_seconds=99, **spec) == []


def test_pods_of_the_wanted_revision_healthy_pods_and_leaving_pods_are_left_alone() -> None:
    leaving = copy.deepcopy(BROKEN)
    leaving["metadata"]["deletionTimestamp"] = "2026-11-22T09:00:00Z"
    others = [pod(0, "bad", ready=True), pod(1, "good", waiting="CrashLoopBackOff"), leaving]
    assert names(others, waited_seconds=99) == []


def test_a_change_that_the_controller_has_not_seen_is_waited_for() -> None:
    live = copy.deepcopy(SET)
    live["metadata"]["generation"] = 4
    assert stuck_pods(Scene(live, live, [], [BROKEN]), waited_seconds=99) == []


def observed(delete_answer: tuple[int, Any]) -> tuple[Running, list[Asked]]:
    def script(asked: Asked) -> tuple[int, Any]:
        if asked.method == "DELETE":
            return delete_answer
        if asked.path.endswith("/pods"):
            return 200, {"kind": "PodList", "metadata": {}, "items": [HEALTHY, BROKEN]}
        return 200, SET

    with serving(script) as server:
        here = work(connection=connection(server.url), objects=(SET,), images={})
        result = ManifestsTarget().observe(here, checkpoint={}, now=datetime.now(UTC) + timedelta(hours=1))
    assert isinstance(result, Running)
    return result, [asked for asked in server.asked if asked.method == "DELETE"]


def test_the_stuck_pod_is_deleted_by_its_uid_so_never_a_successor() -> None:
    result, [asked] = observed((200, {"kind": "Status", "status": "Success"}))
    assert asked.path == "/api/v1/namespaces/shop/pods/db-1"
    assert asked.body["preconditions"] == {"uid": "pod-1"}
    assert result.log == ("Deleted pod db-1: it was broken, of another revision, and held up its StatefulSet.",)
    assert "Waiting for a pod of another revision. ImagePullBackOff" in result.message


def test_without_the_right_to_delete_the_person_is_told() -> None:
    result, _ = observed((403, {"kind": "Status", "message": 'User "x" cannot delete resource "pods"'}))
    assert "holds up its StatefulSet" in result.log[0]
    assert "cannot delete" in result.log[0]


@pytest.mark.parametrize("status", [404, 409])
def test_a_pod_that_is_gone_already_is_no_problem(status: int) -> None:
    result, _ = observed((status, {"kind": "Status", "reason": "Conflict", "message": "uid"}))
    assert result.log == ()
