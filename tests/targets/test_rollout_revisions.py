"""Which pods count as new, and what may yet pass: what controllers do that no recording shows."""

from typing import Any

import pytest

from deployments.targets.kubernetes.judging import causes
from deployments.targets.kubernetes.judging.revisions import Scene
from deployments.targets.kubernetes.judging.rollout import Judgement, Phase, judge, without_lost_pods

NO_NODE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/3 nodes are available: 3 node(s) didn't have free ports for the requested pod ports.",
}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "web:1"}]}}


def workload(kind: str, status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    annotations = {"deprecated.daemonset.template.generation": "3", "deployment.kubernetes.io/revision": "2"}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web", "uid": "w", "generation": 3, "annotations": annotations},
        "spec": {"replicas": 2, "template": TEMPLATE, **spec},
        "status": {"observedGeneration": 3, **status},
    }


def pod(name: str, owner: str, *, is_ready: bool = True, is_leaving: bool = False, **labels: str) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": labels,
            "ownerReferences": [{"uid": owner, "controller": True}],
            **({"deletionTimestamp": "2026-11-22T08:26:13Z"} if is_leaving else {}),
        },
        "spec": TEMPLATE["spec"],
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": str(is_ready)}]},
    }


def daemon_pod(name: str, generation: str, revision: str) -> dict[str, Any]:
    return pod(name, "w", **{"pod-template-generation": generation, "controller-revision-hash": revision})


def judged(live: dict[str, Any], pods: list[dict[str, Any]], sets: list[dict[str, Any]] | None = None) -> Judgement:
    return judge(Scene(live, live, sets or [], pods))


def test_a_daemon_set_that_goes_back_keeps_the_pods_that_were_not_replaced_yet() -> None:
    """Generation 2 came to one node of three only: the other two already are what generation 3 wants again."""
    pods = [daemon_pod("a", "1", "good"), daemon_pod("b", "1", "good"), daemon_pod("c", "3", "good")]
    numbers = {"desiredNumberScheduled": 3, "numberAvailable": 3, "updatedNumberScheduled": 3}
    assert judged(workload("DaemonSet", numbers), pods).phase is Phase.DONE


def test_a_daemon_set_that_goes_back_still_waits_for_the_pods_of_the_bad_template() -> None:
    pods = [daemon_pod("a", "1", "good"), daemon_pod("b", "2", "bad"), daemon_pod("c", "3", "good")]
    numbers = {"desiredNumberScheduled": 3, "numberAvailable": 2, "updatedNumberScheduled": 2}
    judgement = judged(workload("DaemonSet", numbers), pods)
    assert judgement.phase is Phase.MOVING
    assert "2 ready, 1 old to go" in judgement.message


def test_a_stateful_set_whose_pods_people_replace_is_done_when_all_are_replaced() -> None:
    """The controller leaves the current revision as it was for ever with OnDelete."""
    status = {
        "replicas": 2, "availableReplicas": 2, "updatedReplicas": 2, "currentRevision": "web-1",
        "updateRevision": "web-2",
    }  # fmt: skip
    pods = [pod(f"web-{number}", "w", **{"controller-revision-hash": "web-2"}) for number in range(2)]
    on_delete = workload("StatefulSet", status, updateStrategy={"type": "OnDelete"})
    assert judged(on_delete, pods).phase is Phase.DONE
    assert judged(workload("StatefulSet", status), pods).phase is Phase.MOVING


def replica_sets() -> list[dict[str, Any]]:
    owner = {"ownerReferences": [{"uid": "w", "controller": True}]}
    refused = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded: forbidden"}
    old = {"spec": {"containers": [{"name": "app", "image": "web:0"}]}}
    return [
        {"metadata": {"name": "web-new", "uid": "new", **owner}, "spec": {"template": TEMPLATE},
         "status": {"conditions": [refused]}},
        {"metadata": {"name": "web-old", "uid": "old", **owner}, "spec": {"template": old}, "status": {}},
    ]  # fmt: skip


def without_a_node(name: str) -> dict[str, Any]:
    made = pod(name, "new", is_ready=False)
    made["status"] = {"phase": "Pending", "conditions": [NO_NODE]}
    return made


@pytest.mark.parametrize(
    ("others", "is_certain"),
    [
        pytest.param([pod("old", "old")], True, id="nothing moves"),
        pytest.param([pod("old", "old", is_leaving=True)], False, id="an old pod ends"),
        pytest.param([pod("old", "old"), pod("starts", "new", is_ready=False)], False, id="a new one starts"),
        pytest.param([pod("starts", "new", is_ready=False)], True, id="there is no old pod to go"),
    ],
)
def test_a_pod_without_a_place_is_no_verdict_while_room_is_being_made(
    others: list[dict[str, Any]], is_certain: bool
) -> None:
    judgement = judged(workload("Deployment", {}), [without_a_node("web-2"), *others], replica_sets())
    found = {cause.code for cause in judgement.suspects if cause.certain}
    assert found == ({causes.CREATION, causes.UNSCHEDULABLE} if is_certain else set())
    assert "free ports" in " ".join(cause.message for cause in judgement.suspects)


def test_a_pod_for_which_a_node_is_being_cleared_is_no_verdict() -> None:
    waits = without_a_node("web-2")
    waits["status"]["nominatedNodeName"] = "node-1"
    [cause] = causes.of_pods([waits])
    assert not cause.certain


def settled(*pods: dict[str, Any], terminating: int) -> Judgement:
    numbers = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), 2)
    new = [pod(f"web-{number}", "new") for number in range(2)]
    return judged(workload("Deployment", numbers | {"terminatingReplicas": terminating}), [*new, *pods], replica_sets())


def test_a_pod_on_a_node_that_is_gone_is_not_waited_for_for_ever() -> None:
    lost = pod("lost", "old", is_leaving=True)
    lost["metadata"]["deletionGracePeriodSeconds"] = 30
    lost["spec"] = {**lost["spec"], "nodeName": "node-7"}
    judgement = settled(lost, terminating=1)
    assert judgement.phase is without_lost_pods(judgement, 59.0).phase is Phase.MOVING
    ended = without_lost_pods(judgement, 61.0)
    assert ended.phase is Phase.DONE
    assert "lost on node node-7" in ended.message


def test_an_old_pod_that_was_not_told_to_end_is_waited_for() -> None:
    lost, stays = pod("lost", "old", is_leaving=True), pod("stays", "old")
    assert without_lost_pods(settled(lost, stays, terminating=1), 3600.0).phase is Phase.MOVING
    assert without_lost_pods(settled(lost, terminating=2), 3600.0).phase is Phase.MOVING
