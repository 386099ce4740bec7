from typing import Any

from deployments.targets.kubernetes.judging import evidence
from deployments.targets.kubernetes.wire.cluster import Cluster
from tests.targets.scripted import Asked, serving
from tests.targets.works import connection


def pod(name: str, *, ready: bool = False, restarts: int = 1) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "ownerReferences": [{"kind": "ReplicaSet", "name": "web-1", "controller": True}]},
        "spec": {"containers": [{"name": "app", "env": [{"name": "PASSWORD", "value": "canary-env"}]}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready), "message": "\x1b[31mnot yet"}],
            "containerStatuses": [
                {
                    "name": "app",
                    "ready": ready,
                    "restartCount": restarts,
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}},
                }
            ],
        },
    }


def event(about: str, message: str, at: str = "2026-11-22T09:00:00Z") -> dict[str, Any]:
    involved = {"kind": "Pod", "name": about}
    return {"reason": "Failed", "message": message, "involvedObject": involved, "lastTimestamp": at, "count": 2}


WORKLOAD = {"kind": "Deployment", "metadata": {"name": "web"}, "status": {"conditions": []}}


def collect(pods: list[dict[str, Any]], events: list[dict[str, Any]], log: tuple[int, Any]) -> Any:
    asked: list[Asked] = []

    def script(request: Asked) -> tuple[int, Any]:
        asked.append(request)
        return log

    with serving(script) as server:
        cluster = Cluster(connection(server.url))
        return evidence.collect(cluster, "shop", WORKLOAD, pods, events), asked


def test_troubled_pods_come_with_states_and_the_log_of_the_run_that_crashed() -> None:
    found, [asked] = collect([pod("web-1-a"), pod("web-1-b", ready=True)], [], (200, b"one\ntwo\n"))
    [told] = found["pods"]
    assert told["name"] == "web-1-a"
    [container] = told["containers"]
    assert container["last_state"] == {"state": "terminated", "reason": "Error", "exit_code": 3}
    assert container["log"] == ["one", "two"]
    assert asked.query == {"container": "app", "tailLines": "50", "limitBytes": "16384", "previous": "true"}


def test_environment_variables_are_left_out_and_words_are_cleaned() -> None:
    found, _ = collect([pod("web-1-a")], [], (200, b"\x1b[31mred\x1b[0m"))
    assert "canary" not in repr(found)
    assert found["pods"][0]["conditions"][0]["message"] == "not yet"
    assert found["pods"][0]["containers"][0]["log"] == ["red"]


def test_only_events_about_the_workload_and_its_troubled_pods_are_told() -> None:
    events = [event("web-1-a", "ours"), event("web-1", "the set's"), event("api-1", "of somebody else")]
    found, _ = collect([pod("web-1-a")], events, (200, b""))
    assert [told["message"] for told in found["events"]] == ["ours", "the set's"]
    assert found["events"][0] == {
        "at": "2026-11-22T09:00:00Z",
        "reason": "Failed",
        "about": "Pod web-1-a",
        "message": "ours",
        "count": 2,
    }


def test_a_log_that_cannot_be_read_says_why() -> None:
    forbidden = {"kind": "Status", "message": 'User "x" cannot get resource "pods/log"'}
    found, _ = collect([pod("web-1-a")], [], (403, forbidden))
    [line] = found["pods"][0]["containers"][0]["log"]
    assert "cannot get resource" in line


def test_logs_that_are_out_of_reach_are_not_waited_for_twice() -> None:
    away = {"kind": "Status", "message": "dial tcp 10.0.0.7:10250: i/o timeout"}
    found, asked = collect([pod("web-1-a"), pod("web-1-b")], [], (504, away))
    assert len(asked) == 1
    assert "i/o timeout" in found["pods"][0]["containers"][0]["log"][0]


def test_a_container_that_never_ran_is_not_asked_for_its_log() -> None:
    found, asked = collect([pod("web-1-a", restarts=0)], [], (200, b"x"))
    assert asked == []
    assert "log" not in found["pods"][0]["containers"][0]


def test_evidence_stays_small() -> None:
    found, asked = collect([pod(f"web-1-{n}") for n in range(50)], [event("web-1-1", "x")] * 99, (200, b"y\n" * 9000))
    assert len(found["pods"]) == evidence.MOST_PODS
    assert len(asked) == evidence.MOST_LOGS
    assert len(found["events"]) == evidence.MOST_EVENTS
    assert len(found["pods"][0]["containers"][0]["log"]) == 50
