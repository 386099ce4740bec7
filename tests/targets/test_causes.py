from typing import Any

import pytest

from deployments.targets.kubernetes.judging import causes
from deployments.targets.kubernetes.judging.causes import Cause


def pod(state: dict[str, Any], **status: Any) -> dict[str, Any]:
    container = {"name": "app", "ready": False, "restartCount": 0, "state": state, **status}
    return {
        "kind": "Pod",
        "metadata": {"name": "web-1"},
        "spec": {"containers": [{"name": "app", "image": "registry.example/web:1"}]},
        "status": {"phase": "Pending", "containerStatuses": [container]},
    }


def only(item: dict[str, Any]) -> Cause:
    [cause] = causes.of_pods([item])
    return cause


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("ErrImagePull", causes.IMAGE),
        ("ImagePullBackOff", causes.IMAGE),
        ("InvalidImageName", causes.IMAGE),
        ("CreateContainerConfigError", causes.CONFIG),
        ("RunContainerError", causes.CONFIG),
        ("CrashLoopBackOff", causes.CRASH),
    ],
)
def test_waiting_reasons_are_certain_causes(reason: str, code: str) -> None:
    cause = only(pod(waiting(reason, "because")))
    assert (cause.code, cause.certain) == (code, True)
    assert cause.message.startswith(f"{reason}: ")


def test_a_crash_tells_restarts_and_last_exit_code() -> None:
    item = pod(waiting("CrashLoopBackOff"), restartCount=3, lastState={"terminated": {"exitCode": 137}})
    assert only(item).message == ("CrashLoopBackOff: container app of pod web-1 restarted 3 times, last exit code 137.")


def test_running_out_of_memory_is_named() -> None:
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    message = only(pod(waiting("CrashLoopBackOff"), restartCount=1, lastState=ended)).message
    assert message == "OOMKilled: container app of pod web-1 used more memory than its limit and restarted 1 time."


def test_a_first_crash_may_pass_by_itself_but_the_third_is_certain() -> None:
    crashed = {"terminated": {"exitCode": 1}}
    assert not only(pod(crashed)).certain
    assert not only(pod({"running": {}}, restartCount=1, lastState=crashed)).certain
    assert only(pod({"running": {}}, restartCount=3, lastState=crashed)).certain


def test_a_container_that_recovered_is_no_cause() -> None:
    item = pod({"running": {}}, restartCount=5, ready=True, lastState={"terminated": {"exitCode": 1}})
    item["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    assert causes.of_pods([item]) == []


def test_a_pod_that_leaves_is_no_cause() -> None:
    item = pod(waiting("CrashLoopBackOff"))
    item["metadata"]["deletionTimestamp"] = "2026-11-22T08:26:13Z"
    assert causes.of_pods([item]) == []


def test_a_failing_init_container_is_the_cause_and_a_finished_one_is_not() -> None:
    item = pod({"waiting": {"reason": "PodInitializing"}})
    done = {"name": "setup", "ready": True, "state": {"terminated": {"exitCode": 0}}}
    failing = {"name": "migrate", "ready": False, "restartCount": 4, "state": waiting("CrashLoopBackOff")}
    item["status"]["initContainerStatuses"] = [done, failing]
    assert "container migrate" in only(item).message
    item["status"]["initContainerStatuses"] = [done]
    assert only(item).code == causes.NOT_READY


def test_an_unschedulable_pod_says_what_the_scheduler_says() -> None:
    item = {
        "metadata": {"name": "web-1"},
        "status": {
            "conditions": [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "Unschedulable",
                    "message": "0/1 nodes are available: 1 Insufficient memory.",
                }
            ]
        },
    }
    cause = only(item)
    assert (cause.code, cause.certain) == (causes.UNSCHEDULABLE, True)
    assert cause.message == "Unschedulable: 0/1 nodes are available: 1 Insufficient memory. (pod web-1)."


def unschedulable(message: str) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"kind": "Pod", "metadata": {"name": "web-1"}, "spec": {}, "status": {"conditions": [condition]}}


def test_a_disk_on_its_way_is_no_verdict() -> None:
    assert not only(unschedulable("pod has unbound immediate PersistentVolumeClaims. not found")).certain
    assert only(unschedulable("0/1 nodes are available: 1 Insufficient cpu.")).certain


@pytest.mark.parametrize(
    ("message", "certain"),
    [
        ('pods "web-1" is forbidden: exceeded quota: few', True),
        ('admission webhook "rules" denied the request: no', True),
        ('Internal error occurred: failed calling webhook "rules": timed out', False),
    ],
)
def test_pods_that_can_not_be_created_are_a_verdict_when_a_rule_says_so(message: str, certain: bool) -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    assert [cause.certain for cause in causes.of_failed_creation([{"status": {"conditions": [failure]}}])] == [certain]
    assert [cause.certain for cause in causes.of_creation_events([{"reason": "FailedCreate", "message": message}])] == [
        certain
    ]


def test_pods_that_could_not_be_created_name_the_quota() -> None:
    owner = {
        "status": {
            "conditions": [
                {
                    "type": "ReplicaFailure",
                    "status": "True",
                    "reason": "FailedCreate",
                    "message": 'pods "web-1" is forbidden: exceeded quota: q, requested: pods=1',
                }
            ]
        }
    }
    [cause] = causes.of_failed_creation([owner])
    assert cause.certain
    assert "exceeded quota: q" in cause.message


def test_events_add_why_an_image_could_not_be_pulled() -> None:
    cause = only(pod(waiting("ImagePullBackOff", "Back-off pulling image")))
    events = [
        {"reason": "Failed", "message": "unauthorized: access denied", "involvedObject": {"name": "web-1"}},
        {"reason": "Failed", "message": "of another pod", "involvedObject": {"name": "web-2"}},
    ]
    assert causes.explained(cause, events).message.endswith("unauthorized: access denied.")


def test_the_most_telling_cause_comes_first() -> None:
    crash = pod(waiting("CrashLoopBackOff"))
    image = pod(waiting("ErrImagePull"))
    unready = pod({"running": {}})
    assert [cause.code for cause in causes.of_pods([unready, crash, image])] == [
        causes.IMAGE,
        causes.CRASH,
        causes.NOT_READY,
    ]


def test_messages_of_strangers_are_cleaned() -> None:
    message = only(pod(waiting("ImagePullBackOff", "\x1b[31m\x07evil\nline " + "x" * 9000))).message
    assert "\x1b" not in message
    assert "\n" not in message
    assert len(message) < 900


def test_pods_refused_by_a_quota_that_nobody_has_counted_yet_may_pass() -> None:
    message = 'pods "web-1" is forbidden: status unknown for quota: q, resources: pods'
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    [cause] = causes.of_failed_creation([{"status": {"conditions": [failure]}}])
    assert not cause.certain
