"""Kinds of workloads other than Deployments, over the sandbox cluster."""

import copy
import time
from datetime import timedelta
from typing import Any

import pytest

from deployments.targets.base import Failed, Running, Succeeded
from deployments.targets.kubernetes.manifests import ManifestsTarget
from tests.targets.conftest import Place
from tests.targets.test_contract import START, apply, deploy, settle, with_image

TARGET = ManifestsTarget()


def workload(kind: str) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "app", "image": "registry.example/web:0"}]},
        },
    }
    if kind == "StatefulSet":
        spec |= {"replicas": 2, "serviceName": "web"}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web"}, "spec": spec}


def job(kind: str = "Job") -> dict[str, Any]:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "app", "image": "registry.example/web:0"}]}}
    spec: dict[str, Any] = {"backoffLimit": 0, "template": template}
    if kind == "CronJob":
        spec = {"schedule": "0 3 * * *", "jobTemplate": {"spec": spec}}
    return {"apiVersion": "batch/v1", "kind": kind, "metadata": {"name": "nightly"}, "spec": spec}


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_it_rolls_out_updates_and_goes_back(place: Place, kind: str) -> None:
    manifests = (workload(kind),)
    deploy(TARGET, with_image(place, "1.0.0", sequence=1, manifests=manifests))
    deploy(TARGET, with_image(place, "2.0.0", sequence=2, manifests=manifests))
    deploy(TARGET, with_image(place, "1.0.0", sequence=3, manifests=manifests))
    pods = place.request("GET", place.path("pods", api="api/v1"))["items"]
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {"registry.example/web:1.0.0"}


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
@pytest.mark.parametrize(
    ("tag", "cause"), [("2.0.0-nopull", "ImagePullBackOff: "), ("2.0.0-crash", "CrashLoopBackOff")]
)
def test_it_fails_with_its_cause(place: Place, kind: str, tag: str, cause: str) -> None:
    manifests = (workload(kind),)
    deploy(TARGET, with_image(place, "1.0.0", sequence=1, manifests=manifests))
    broken = apply(TARGET, with_image(place, tag, sequence=2, manifests=manifests))
    result = settle(TARGET, broken, seconds_per_look=2.0)
    assert isinstance(result, Failed)
    assert result.message.startswith(cause)


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_without_a_deadline_of_its_own_never_ready_fails_by_ours(place: Place, kind: str) -> None:
    work = apply(TARGET, with_image(place, "1.0.0-unready", manifests=(workload(kind),)))
    result = settle(TARGET, work, seconds_per_look=60.0)
    assert isinstance(result, Failed)
    assert result.message.startswith("Not ready: container app of pod web-")


def test_a_job_is_awaited_to_its_end(place: Place) -> None:
    result = settle(TARGET, apply(TARGET, with_image(place, "1.0.0", manifests=(job(),))))
    assert isinstance(result, Succeeded)
    assert result.message == "Job nightly completed."


def test_a_job_that_fails_names_the_exit_code_and_leaves_its_log(place: Place) -> None:
    result = settle(TARGET, apply(TARGET, with_image(place, "1.0.0-fail", manifests=(job(),))))
    assert isinstance(result, Failed)
    assert result.message.startswith("Job nightly failed: BackoffLimitExceeded: ")
    assert "exit code 1" in result.message
    assert result.evidence["pods"][0]["containers"][0]["log"]


def test_a_cron_job_has_nothing_to_roll_out(place: Place) -> None:
    result = settle(TARGET, apply(TARGET, with_image(place, "1.0.0", manifests=(job("CronJob"),))))
    assert isinstance(result, Succeeded)


@pytest.mark.parametrize(("tag", "ending"), [("1.0.0", "completed"), ("1.0.0-fail", "failed")])
def test_a_job_that_removes_itself_is_judged_by_what_it_left(place: Place, tag: str, ending: str) -> None:
    manifest = job()
    manifest["spec"]["ttlSecondsAfterFinished"] = 0
    work = apply(TARGET, with_image(place, tag, manifests=(manifest,)))
    until = time.monotonic() + 5
    while place.request("GET", place.path("jobs", api="apis/batch/v1"))["items"] and time.monotonic() < until:
        time.sleep(0.02)
    result = settle(TARGET, work)
    assert isinstance(result, Succeeded if ending == "completed" else Failed)
    assert result.message.startswith(f"Job nightly {ending} and removed itself")


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "Job"])
def test_pods_that_a_quota_forbids_fail_it_at_once_though_only_events_tell(place: Place, kind: str) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    place.request("POST", place.path("resourcequotas", api="api/v1"), quota)
    manifest = job() if kind == "Job" else workload(kind)
    result = settle(TARGET, apply(TARGET, with_image(place, "1.0.0", manifests=(manifest,))), seconds_per_look=2.0)
    assert isinstance(result, Failed)
    assert result.message.startswith("FailedCreate: ")
    assert "exceeded quota: none" in result.message


def test_a_target_may_grant_trouble_more_or_less_time(place: Place) -> None:
    def first_verdict_after(seconds: float) -> float:
        overrides = {"grace_seconds": {"image": seconds}}
        work = apply(TARGET, with_image(place, "1.0.0-nopull", overrides=overrides))
        checkpoint: dict[str, Any] = {}
        for second in range(60):
            result = TARGET.observe(work, checkpoint=checkpoint, now=START + timedelta(seconds=second))
            if isinstance(result, Failed):
                return second
            assert isinstance(result, Running)
            checkpoint = dict(result.checkpoint)
            time.sleep(0.05)
        raise AssertionError("no verdict")

    assert first_verdict_after(40) >= 40
    assert first_verdict_after(0) < 40


def test_all_workloads_of_a_release_must_be_ready(place: Place) -> None:
    second = copy.deepcopy(workload("Deployment"))
    second["metadata"]["name"] = "worker"
    second["spec"]["selector"]["matchLabels"] = second["spec"]["template"]["metadata"]["labels"] = {"app": "worker"}
    second["spec"]["template"]["spec"]["containers"][0] = {"name": "worker", "image": "registry.example/w:1-nopull"}
    work = apply(TARGET, with_image(place, "1.0.0", manifests=(workload("StatefulSet"), second)))
    result = settle(TARGET, work, seconds_per_look=2.0)
    assert isinstance(result, Failed)
    assert "registry.example/w:1-nopull" in result.message
