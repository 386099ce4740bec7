"""What one line of a watch tells."""

import json
from typing import Any

import pytest

from deployments.targets.kubernetes.following.changes import Change, Reported, Unreadable, read_event
from deployments.targets.kubernetes.following.sightings import PodSight, WorkloadSight
from tests.targets import recordings

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job")


def read(kind: str, item: dict[str, Any], event_type: str = "MODIFIED") -> Change:
    return read_event(kind, json.dumps({"type": event_type, "object": item}).encode())


def workload(kind: str, item: dict[str, Any]) -> WorkloadSight:
    sight = read(kind, {"metadata": {"name": "web"}} | item).sight
    assert isinstance(sight, WorkloadSight)
    return sight


def pod(status: dict[str, Any], **meta: Any) -> PodSight:
    sight = read("Pod", {"metadata": {"name": "web-1", **meta}, "status": status}).sight
    assert isinstance(sight, PodSight)
    return sight


@pytest.mark.parametrize(
    "scenario",
    ["rollout-success", "rollout-crash-loop", "rollout-never-ready", "jobs", "statefulset-daemonset-service-configmap"],
)
def test_every_recorded_event_is_read_for_what_it_is(scenario: str) -> None:
    read_ones = 0
    for line in recordings.lines(scenario):
        event = line.get("event")
        if event is None or event["object"]["kind"] not in (*WORKLOADS, "Pod"):
            continue
        change = read_event(event["object"]["kind"], json.dumps(event, separators=(",", ":")).encode())
        meta = event["object"]["metadata"]
        assert (change.type, change.version) == (event["type"], meta["resourceVersion"])
        assert change.name == meta.get("name", "")
        assert change.sight is not None
        read_ones += 1
    assert read_ones


def test_a_recorded_rollout_completes_exactly_when_its_last_event_says_so() -> None:
    sights = [
        read_event("Deployment", json.dumps(line["event"]).encode()).sight
        for line in recordings.lines("rollout-success")
        if "event" in line and line["event"]["object"]["kind"] == "Deployment" and line["event"]["type"] == "MODIFIED"
    ]
    done = [sight.is_observed and sight.is_complete for sight in sights if isinstance(sight, WorkloadSight)]
    # Three rollouts: each is complete at its end, and no longer once the next generation is asked for.
    ends = [index for index in range(len(done)) if done[index] and not done[index - 1]]
    assert len(ends) == 3
    assert done[-1]


def test_a_pod_names_its_replica_set_s_deployment() -> None:
    meta = {
        "name": "web-5f-x1",
        "namespace": "shop",
        "labels": {"pod-template-hash": "5f"},
        "ownerReferences": [{"kind": "ReplicaSet", "name": "web-5f", "controller": True}],
    }
    change = read("Pod", {"metadata": meta})
    assert (change.namespace, change.name, change.workload) == ("shop", "web-5f-x1", ("Deployment", "web"))


def test_other_owners_are_the_workload_themselves() -> None:
    owned = {"name": "db-0", "ownerReferences": [{"kind": "StatefulSet", "name": "db", "controller": True}]}
    assert read("Pod", {"metadata": owned}).workload == ("StatefulSet", "db")
    lone_set = {"name": "rs-x", "ownerReferences": [{"kind": "ReplicaSet", "name": "rs", "controller": True}]}
    assert read("Pod", {"metadata": lone_set}).workload == ("ReplicaSet", "rs")
    assert read("Deployment", {"metadata": {"name": "web"}}, "DELETED").workload == ("Deployment", "web")


def test_numbers_of_a_deployment() -> None:
    meta = {"name": "web", "generation": 4, "annotations": {"releasemgr.dev/deployment": "d-1", "other": "x"}}
    status = {"observedGeneration": 3, "replicas": 4, "updatedReplicas": 2, "readyReplicas": 1, "conditions": None}
    sight = workload("Deployment", {"metadata": meta, "spec": {"replicas": 3}, "status": status})
    assert sight == WorkloadSight("d-1", False, False, 3, 2, 1, ())


@pytest.mark.parametrize(
    ("changes", "complete"),
    [
        ({}, True),
        ({"updatedReplicas": 1}, False),
        ({"availableReplicas": 1}, False),
        ({"replicas": 3}, False),
        ({"terminatingReplicas": 1}, False),
    ],
)
def test_a_deployment_is_complete_by_all_of_its_numbers(changes: dict[str, int], complete: bool) -> None:
    numbers = {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
    sight = workload("Deployment", {"spec": {"replicas": 2}, "status": numbers | changes})
    assert sight.is_complete is complete


def test_a_stateful_set_with_a_partition_is_complete_without_its_lower_pods() -> None:
    spec = {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}}
    status = {"replicas": 3, "readyReplicas": 3, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"}
    assert workload("StatefulSet", {"spec": spec, "status": status}).is_complete
    assert not workload("StatefulSet", {"spec": {"replicas": 3}, "status": status}).is_complete


def test_troubles_of_workloads() -> None:
    conditions = [
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"},
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"},
        {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"},
    ]
    sight = workload("Deployment", {"status": {"conditions": conditions}})
    assert sight.troubles == ("ProgressDeadlineExceeded", "ReplicaFailure")
    job = workload("Job", {"status": {"conditions": [{"type": "Failed", "status": "True"}]}})
    assert job.troubles == ("Failed",)
    assert workload("Job", {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}).is_complete


@pytest.mark.parametrize(
    ("container", "troubles"),
    [
        ({"state": {"waiting": {"reason": "ImagePullBackOff"}}}, ("ImagePullBackOff",)),
        ({"state": {"waiting": {"reason": "CreateContainerConfigError"}}}, ("CreateContainerConfigError",)),
        ({"state": {"waiting": {"reason": "ContainerCreating"}}}, ()),
        ({"state": {"terminated": {"exitCode": 1}}, "restartCount": 0}, ("Crashed 0",)),
        ({"state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1}}, "restartCount": 9}, ("Crashed 3",)),
        ({"ready": True, "lastState": {"terminated": {"exitCode": 1}}, "restartCount": 9}, ()),
        ({"state": {"terminated": {"exitCode": 0}}}, ()),
    ],
)
def test_troubles_of_containers(container: dict[str, Any], troubles: tuple[str, ...]) -> None:
    assert pod({"containerStatuses": [container]}).troubles == troubles
    assert pod({"initContainerStatuses": [container]}).troubles == troubles


def test_a_pod_that_ends_is_in_no_trouble_and_one_that_ended_holds_up_nothing() -> None:
    crashing = {"containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}
    assert pod(crashing, deletionTimestamp="2026-01-01T00:00:00Z") == PodSight(is_leaving=True, troubles=())
    assert pod({"phase": "Failed"}, deletionTimestamp="2026-01-01T00:00:00Z").is_leaving is False
    unschedulable = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]
    assert pod({"conditions": unschedulable}).troubles == ("Unschedulable",)


@pytest.mark.parametrize(
    "item",
    [
        {"metadata": {"name": "web", "namespace": "shop", "resourceVersion": "9"}, "status": {"replicas": "many"}},
        {"metadata": {"name": "web", "namespace": "shop", "resourceVersion": "9", "generation": None}},
        {"metadata": {"name": "web", "namespace": "shop", "resourceVersion": "9", "labels": [], "annotations": 3}},
        {"metadata": {"name": "web", "namespace": "shop", "resourceVersion": "9"}, "status": "Failure"},
        {"metadata": {"name": "web", "namespace": "shop", "resourceVersion": "9"}, "status": {"replicas": 10**30}},
    ],
)
def test_of_an_object_of_an_odd_shape_at_least_whose_it_is(item: dict[str, Any]) -> None:
    change = read("Deployment", item)
    assert (change.workload, change.namespace, change.version) == (("Deployment", "web"), "shop", "9")
    assert change.sight is None or isinstance(change.sight, WorkloadSight)


def test_numbers_fit_into_the_database() -> None:
    sight = workload("Deployment", {"spec": {"replicas": 10**12}, "status": {"readyReplicas": -4}})
    assert (sight.wanted, sight.ready) == (2**31 - 1, 0)


def test_the_cluster_s_own_errors_and_what_is_no_event() -> None:
    with pytest.raises(Reported, match="too old") as reported:
        read("Pod", {"kind": "Status", "metadata": {}, "status": "Failure", "message": "too old", "code": 410}, "ERROR")
    assert reported.value.code == 410
    for line in (b"", b"7", b'{"type":"ADDED","object":{"metadata":{}, "status": 3}}', b'{"type":"ADDED"}'):
        with pytest.raises(Unreadable):
            read_event("Pod", line)
