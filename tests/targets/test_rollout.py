"""The judge, held against what a real API server did."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from deployments.targets.kubernetes.judging import causes
from deployments.targets.kubernetes.judging.revisions import Scene
from deployments.targets.kubernetes.judging.rollout import Judgement, Phase, judge
from tests.targets import recordings

FAILING = ["rollout-crash-loop", "rollout-image-pull-back-off", "rollout-never-ready"]


def judgements(scenario: str, apply_number: int, kind: str = "Deployment", name: str = "web") -> Iterator[Any]:
    """(moment, judgement) after each event while this apply is the newest one."""
    wanted = recordings.applied(scenario, apply_number)
    image = wanted["spec"]["template"]["spec"]["containers"][0]["image"]
    for moment in recordings.moments(scenario):
        if (kind, name) not in moment.objects:
            continue
        live = moment.named(kind, name)
        if live["spec"]["template"]["spec"]["containers"][0]["image"] != image:
            continue
        yield moment, judge(Scene(wanted, live, moment.all("ReplicaSet"), moment.all("Pod")))


def scene_at(scenario: str, apply_number: int, seconds: float) -> Scene:
    wanted = recordings.applied(scenario, apply_number)
    found: Scene | None = None
    for moment in recordings.moments(scenario):
        if moment.seconds > seconds:
            break
        if ("Deployment", "web") in moment.objects:
            state = copy.deepcopy(moment)
            found = Scene(wanted, state.named("Deployment", "web"), _sets(state), state.all("Pod"))
    assert found is not None
    return found


def _sets(moment: recordings.Recorded) -> list[dict[str, Any]]:
    """Recordings without a watch on ReplicaSets: each is known by the pods that it owns."""
    known = moment.all("ReplicaSet")
    if known:
        return known
    deployment = moment.named("Deployment", "web")
    made = {}
    for pod in moment.all("Pod"):
        reference = pod["metadata"]["ownerReferences"][0]
        template = copy.deepcopy(deployment["spec"]["template"])
        template["spec"]["containers"][0]["image"] = pod["spec"]["containers"][0]["image"]
        made[reference["uid"]] = {
            "kind": "ReplicaSet",
            "metadata": {
                "name": reference["name"],
                "uid": reference["uid"],
                "ownerReferences": [{"uid": deployment["metadata"]["uid"], "controller": True}],
            },
            "spec": {"template": template},
            "status": {},
        }
    return list(made.values())


def test_a_successful_update_is_done_only_when_the_last_old_pod_is_gone() -> None:
    seen = [
        (moment.seconds, judgement.phase, len(moment.all("Pod")))
        for moment, judgement in judgements("rollout-success", 2)
    ]
    phases = [phase for _, phase, _ in seen]
    first_done = phases.index(Phase.DONE)
    assert set(phases[:first_done]) == {Phase.MOVING}
    assert seen[first_done][2] == 2
    assert seen[first_done][0] == pytest.approx(1.928, abs=0.01)


def test_the_first_rollout_of_a_deployment_is_seen_to_succeed() -> None:
    phases = [judgement.phase for moment, judgement in judgements("rollout-success", 0) if moment.seconds < 1.2]
    assert phases[0] is Phase.MOVING
    assert phases[-1] is Phase.DONE
    assert Phase.FAILED not in phases


def test_going_back_is_judged_by_the_old_replica_set_that_is_used_again() -> None:
    phases = [judgement.phase for moment, judgement in judgements("rollout-success", 3) if moment.seconds > 3]
    assert phases[0] is Phase.MOVING
    assert phases[-1] is Phase.DONE


def test_a_crash_looping_pod_is_named_with_its_restarts() -> None:
    judgement = judge(scene_at("rollout-crash-loop", 1, 9.0))
    assert judgement.phase is Phase.MOVING
    assert not judgement.is_overdue
    cause = judgement.suspects[0]
    assert (cause.code, cause.certain) == (causes.CRASH, True)
    assert cause.message == "CrashLoopBackOff: container app of pod web-5749c7448c-7q4ms restarted 3 times."


def test_an_image_that_cannot_be_pulled_is_named_with_pod_and_container() -> None:
    judgement = judge(scene_at("rollout-image-pull-back-off", 1, 9.0))
    assert judgement.suspects[0].certain
    assert judgement.suspects[0].message == (
        "ImagePullBackOff: registry.example/web:2.0.0-nopull (pod web-5bdc66f658-w25j8, container app): "
        'Back-off pulling image "registry.example/web:2.0.0-nopull".'
    )


def test_a_pod_that_never_gets_ready_is_no_verdict_before_the_deadline() -> None:
    early = judge(scene_at("rollout-never-ready", 1, 5.0))
    late = judge(scene_at("rollout-never-ready", 1, 10.9))
    assert (early.phase, early.is_overdue) == (Phase.MOVING, False)
    assert not early.suspects[0].certain
    assert late.is_overdue
    assert late.suspects[0].message == (
        "Not ready: container app of pod web-58c459ffb4-q7v8j is running, but its readiness check has not passed."
    )


@pytest.mark.parametrize("scenario", FAILING)
def test_the_rollback_is_not_failed_by_the_verdict_on_the_rollout_before_it(scenario: str) -> None:
    rolled_back = list(_after_rollback(scenario))
    assert rolled_back[0].phase is Phase.MOVING
    assert not any(judgement.is_overdue for judgement in rolled_back)
    assert not any(cause.certain for judgement in rolled_back for cause in judgement.suspects)
    assert rolled_back[-1].phase is Phase.DONE


def _after_rollback(scenario: str) -> Iterator[Judgement]:
    wanted = recordings.applied(scenario, 2)
    for moment in recordings.moments(scenario):
        live = moment.objects.get(("Deployment", "web"))
        if live and live["metadata"]["generation"] == 3:
            yield judge(Scene(wanted, live, _sets(moment), moment.all("Pod")))


def test_a_deadline_condition_older_than_our_apply_does_not_count() -> None:
    scene = scene_at("rollout-never-ready", 1, 10.9)
    [ours] = [entry for entry in scene.live["metadata"]["managedFields"] if entry["manager"] == "releasemgr"]
    ours["time"] = "2026-11-22T08:26:50Z"
    assert not judge(scene).is_overdue


def test_an_image_changed_by_somebody_else_fails_the_rollout() -> None:
    scene = scene_at("rollout-success", 2, 9.0)
    judgement = judge(scene)
    assert judgement.phase is Phase.FAILED
    assert "registry.example/web:1.0.0, not for registry.example/web:1.1.0" in judgement.message


def test_a_pod_whose_image_was_replaced_fails_the_rollout() -> None:
    scene = _done()
    scene.pods[0]["spec"]["containers"][0]["image"] = "mirror.example/web:1.1.0"
    judgement = judge(scene)
    assert judgement.phase is Phase.FAILED
    assert "mirror.example/web:1.1.0" in judgement.message
    assert "admission webhook" in judgement.message


def test_a_node_that_reports_another_digest_fails_the_rollout() -> None:
    wanted_digest, other_digest = "sha256:" + "a" * 64, "sha256:" + "b" * 64
    scene = _done()
    image = f"registry.example/web@{wanted_digest}"
    for holder in (scene.wanted, scene.live, *scene.replica_sets):
        container = holder["spec"]["template"]["spec"]["containers"][0]
        if container["image"].endswith("1.1.0"):
            container["image"] = image
    for pod in scene.pods:
        pod["spec"]["containers"][0]["image"] = image
        pod["status"]["containerStatuses"][0]["imageID"] = image
    assert judge(scene).phase is Phase.DONE
    scene.pods[0]["status"]["containerStatuses"][0]["imageID"] = f"registry.example/web@{other_digest}"
    assert judge(scene).phase is Phase.FAILED


def test_a_pod_that_is_still_leaving_keeps_the_rollout_moving() -> None:
    scene = _done()
    leaving = copy.deepcopy(scene.pods[0])
    leaving["metadata"]["deletionTimestamp"] = "2026-11-22T08:26:13Z"
    judgement = judge(Scene(scene.wanted, scene.live, scene.replica_sets, [*scene.pods, leaving]))
    assert judgement.phase is Phase.MOVING
    assert "1 old to go" in judgement.message


def test_a_status_ahead_of_the_pods_is_not_believed() -> None:
    scene = _done()
    scene.pods[0]["status"]["conditions"][-1]["status"] = "False"
    assert judge(scene).phase is Phase.MOVING


def test_a_paused_deployment_says_so() -> None:
    scene = _done()
    scene.live["spec"]["paused"] = True
    judgement = judge(scene)
    assert judgement.phase is Phase.MOVING
    assert "paused" in judgement.message


def test_an_unseen_generation_is_never_done() -> None:
    scene = _done()
    scene.live["metadata"]["generation"] = 99
    assert judge(scene).phase is Phase.MOVING


def test_zero_replicas_are_done_when_nothing_runs() -> None:
    scene = _done()
    scene.live["spec"]["replicas"] = 0
    scene.live["status"] = {"observedGeneration": 2, "terminatingReplicas": 0}
    assert judge(Scene(scene.wanted, scene.live, scene.replica_sets, [])).phase is Phase.DONE


def _done() -> Scene:
    """Both new pods ready, the old ones gone."""
    scene = scene_at("rollout-success", 2, 2.5)
    wanted = copy.deepcopy(scene.wanted)
    assert judge(scene).phase is Phase.DONE
    return Scene(wanted, scene.live, scene.replica_sets, scene.pods)


@pytest.mark.parametrize(("kind", "name"), [("StatefulSet", "db"), ("DaemonSet", "agent")])
def test_other_workloads_move_until_every_pod_is_updated(kind: str, name: str) -> None:
    scenario = "statefulset-daemonset-service-configmap"
    number = {"StatefulSet": 2, "DaemonSet": 3}[kind]
    wanted = recordings.applied(scenario, number)
    seen = []
    for moment in recordings.moments(scenario):
        live = moment.objects.get((kind, name))
        if live and live["metadata"]["generation"] == 2:
            # Pods are not in this recording: those that a complete rollout must show.
            pods = _pods_of(live)
            seen.append((moment.seconds, judge(Scene(wanted, live, [], pods)).phase))
    phases = [phase for _, phase in seen]
    first_done = phases.index(Phase.DONE)
    assert set(phases[:first_done]) == {Phase.MOVING}
    status = recordings_status(scenario, kind, name, seen[first_done][0])
    assert status.get("currentRevision") == status.get("updateRevision")
    assert status.get("updatedReplicas", status.get("updatedNumberScheduled")) in {2, 3}


def recordings_status(scenario: str, kind: str, name: str, seconds: float) -> dict[str, Any]:
    for moment in recordings.moments(scenario):
        if moment.seconds >= seconds:
            found: dict[str, Any] = moment.named(kind, name)["status"]
            return found
    raise AssertionError(seconds)


def _pods_of(live: dict[str, Any]) -> list[dict[str, Any]]:
    status = live["status"]
    count = status.get("updatedReplicas", status.get("updatedNumberScheduled", 0))
    generation = live["metadata"].get("annotations", {}).get("deprecated.daemonset.template.generation")
    return [
        {
            "kind": "Pod",
            "metadata": {
                "name": f"{live['metadata']['name']}-{number}",
                "labels": {
                    "controller-revision-hash": status.get("updateRevision"),
                    "pod-template-generation": generation,
                },
                "ownerReferences": [{"uid": live["metadata"]["uid"], "controller": True}],
            },
            "spec": live["spec"]["template"]["spec"],
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        }
        for number in range(count)
    ]


def test_jobs_end_by_their_conditions_and_name_the_exit_code() -> None:
    ended: dict[str, Judgement] = {}
    for moment in recordings.moments("jobs"):
        for name in ("migrate-ok", "migrate-bad"):
            live = moment.objects.get(("Job", name))
            if live:
                judgement = judge(Scene(live, live, [], moment.all("Pod")))
                if judgement.phase is not Phase.MOVING:
                    ended.setdefault(name, judgement)
    assert ended["migrate-ok"].phase is Phase.DONE
    assert ended["migrate-bad"].phase is Phase.FAILED
    assert "BackoffLimitExceeded" in ended["migrate-bad"].message
    assert "exit code 1" in ended["migrate-bad"].message
