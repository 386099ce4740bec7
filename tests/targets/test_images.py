"""Targets that set the images of workloads which somebody else made, over the sandbox cluster."""

import copy
import dataclasses
from typing import Any

import pytest

from deployments.targets.base import Errored, Failed, InvalidContent, Succeeded, Target, Work
from deployments.targets.registry import get_target
from tests.targets import works
from tests.targets.conftest import Place
from tests.targets.test_contract import live, replica_sets, settle


@pytest.fixture
def target() -> Target:
    return get_target("images")


def workload(kind: str = "Deployment", name: str = "web", containers: tuple[str, ...] = ("app",)) -> dict[str, Any]:
    made = copy.deepcopy(dict(works.DEPLOYMENT)) | {"kind": kind, "metadata": {"name": name}}
    made["spec"] = dict(made["spec"]) | {"selector": {"matchLabels": {"app": name}}}
    if kind == "DaemonSet":
        del made["spec"]["replicas"]
    made["spec"]["template"] = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": each, "image": "registry.example/old:1"} for each in containers]},
    }
    return made


def cron_job(name: str, container: str) -> dict[str, Any]:
    template = {
        "spec": {"restartPolicy": "Never", "containers": [{"name": container, "image": "registry.example/old:1"}]}
    }
    spec = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": spec}


def given(place: Place, *manifests: dict[str, Any]) -> None:
    for item in manifests:
        place.request("POST", place.path(f"{item['kind'].lower()}s", api=f"apis/{item['apiVersion']}"), item)


def prepared(target: Target, work: Work) -> Work:
    result = target.preflight(work)
    assert isinstance(result, Succeeded), result
    assert result.objects is not None
    return dataclasses.replace(work, objects=result.objects)


def deployed(target: Target, work: Work) -> Work:
    ready = prepared(target, work)
    assert isinstance(target.apply(ready), Succeeded)
    assert isinstance(settle(target, ready), Succeeded)
    return ready


def image_of(item: dict[str, Any], number: int = 0) -> str:
    return str(item["spec"]["template"]["spec"]["containers"][number]["image"])


def test_only_the_named_container_changes(target: Target, place: Place) -> None:
    given(place, workload(containers=("app", "sidecar")))
    work = deployed(target, place.work(manifests=()))
    after = live(place)
    assert (image_of(after), image_of(after, 1)) == ("registry.example/web:1.0.0", "registry.example/old:1")
    assert after["spec"]["replicas"] == 2
    assert "app.kubernetes.io/managed-by" not in after["metadata"].get("labels", {})
    [stored] = work.objects
    assert stored["spec"] == {
        "template": {"spec": {"containers": [{"name": "app", "image": "registry.example/web:1.0.0"}]}}
    }


def test_who_scales_the_workload_is_left_alone(target: Target, place: Place) -> None:
    given(place, workload())
    work = prepared(target, place.work(manifests=()))
    place.request("PATCH", place.path("deployments", "web"), _scaled(4), fieldManager="hpa", force="true")
    assert isinstance(target.apply(work), Succeeded)
    assert isinstance(settle(target, work), Succeeded)
    assert live(place)["spec"]["replicas"] == 4


def _scaled(replicas: int) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": replicas}}


def test_replicas_and_env_of_the_target_go_along(target: Target, place: Place) -> None:
    given(place, workload())
    deployed(target, place.work(manifests=(), overrides={"replicas": 1, "env": {"COLOUR": "blue"}}))
    spec = live(place)["spec"]
    assert spec["replicas"] == 1
    assert spec["template"]["spec"]["containers"][0]["env"] == [{"name": "COLOUR", "value": "blue"}]


def test_applying_again_after_a_crash_changes_nothing(target: Target, place: Place) -> None:
    given(place, workload())
    work = deployed(target, place.work(manifests=()))
    before = live(place)["metadata"]["resourceVersion"]
    again = target.apply(work)
    assert isinstance(again, Succeeded)
    assert again.log == ("Deployment web: unchanged",)
    assert live(place)["metadata"]["resourceVersion"] == before


def test_the_stored_objects_bring_the_old_images_back(target: Target, place: Place) -> None:
    given(place, workload())
    first = deployed(target, place.work(manifests=()))
    images = {"app": "registry.example/web:2.0.0"}
    deployed(target, place.work(manifests=(), images=images, deployment_id="d-2", sequence=2))
    back = dataclasses.replace(first, deployment_id="d-3", sequence=3, is_rollback=True)
    back = dataclasses.replace(back, objects=target.stamp(back))
    deployed(target, back)
    assert image_of(live(place)) == "registry.example/web:1.0.0"
    assert len(replica_sets(place)) == 3


def test_what_ran_before_is_told(target: Target, place: Place) -> None:
    given(place, workload())
    result = target.preflight(place.work(manifests=()))
    assert isinstance(result, Succeeded)
    assert (
        "Deployment web, container app: registry.example/old:1 until now, becomes registry.example/web:1.0.0."
        in result.log
    )
    assert place.writes() == [written for written in place.writes() if written.startswith("POST")]


def test_a_newer_deployment_is_never_overwritten(target: Target, place: Place) -> None:
    given(place, workload())
    stale = prepared(target, place.work(manifests=()))
    deployed(
        target, place.work(manifests=(), deployment_id="d-2", sequence=2, images={"app": "registry.example/web:2"})
    )
    result = target.apply(stale)
    assert isinstance(result, Failed)
    assert "newer deployment (number 2)" in result.message
    assert image_of(live(place)) == "registry.example/web:2"


def test_every_kind_and_several_workloads_at_once(target: Target, place: Place) -> None:
    given(
        place,
        workload("StatefulSet", "store", ("db",)),
        workload("DaemonSet", "agent", ("agent",)),
        cron_job("nightly", "report"),
    )
    images = {"db": "registry.example/db:2", "agent": "registry.example/agent:2", "report": "registry.example/report:2"}
    work = deployed(target, place.work(manifests=(), images=images))
    assert [item["kind"] for item in work.objects] == ["StatefulSet", "DaemonSet", "CronJob"]
    found = place.request("GET", place.path("cronjobs", "nightly", api="apis/batch/v1"))
    template = found["spec"]["jobTemplate"]["spec"]["template"]
    assert template["spec"]["containers"][0]["image"] == "registry.example/report:2"


def test_a_crash_loop_is_seen(target: Target, place: Place) -> None:
    given(place, workload())
    work = prepared(target, place.work(manifests=(), images={"app": "registry.example/web:2-crash"}))
    assert isinstance(target.apply(work), Succeeded)
    result = settle(target, work, seconds_per_look=5.0)
    assert isinstance(result, Failed)
    assert "CrashLoopBackOff" in result.message


def test_several_candidates_the_application_s_own_is_taken(target: Target, place: Place) -> None:
    given(place, workload(name="web"), workload(name="other"))
    work = prepared(target, place.work(manifests=()))
    assert [item["metadata"]["name"] for item in work.objects] == ["web"]


def test_an_open_choice_is_left_to_a_person(target: Target, place: Place) -> None:
    given(place, workload(name="blue"), workload(name="green"))
    result = target.preflight(place.work(manifests=()))
    assert isinstance(result, Failed)
    assert "Deployment blue, Deployment green" in result.message
    assert '{"workloads": ["blue"]}' in result.message
    chosen = prepared(target, place.work(manifests=(), overrides={"workloads": ["green"]}))
    assert [item["metadata"]["name"] for item in chosen.objects] == ["green"]


def test_a_container_that_is_nowhere_is_named_with_those_that_are(target: Target, place: Place) -> None:
    given(place, workload(containers=("front", "back")))
    result = target.preflight(place.work(manifests=()))
    assert isinstance(result, Failed)
    assert "“app”" in result.message
    assert "Containers there: back, front." in result.message


def test_a_workload_that_is_gone_is_not_made_anew(target: Target, place: Place) -> None:
    given(place, workload())
    work = prepared(target, place.work(manifests=()))
    place.request("DELETE", place.path("deployments", "web"))
    result = target.apply(work)
    assert isinstance(result, Failed)
    assert "not found" in result.message
    assert isinstance(target.preflight(work), Failed)


def test_missing_rights_are_named(target: Target, place: Place) -> None:
    given(place, workload())
    result = target.preflight(place.work(user="nobody", manifests=()))
    assert isinstance(result, Failed)
    assert "list deployments.apps" in result.message
    result = target.preflight(place.work(user="reader", manifests=()))
    assert isinstance(result, Failed)
    assert "patch" in result.message


def test_a_cluster_that_is_away_is_asked_again(target: Target) -> None:
    assert isinstance(target.preflight(works.work(manifests=())), Errored)


def test_a_release_without_images_is_refused(target: Target) -> None:
    with pytest.raises(InvalidContent, match="names no images"):
        target.render(works.work(images={}, manifests=()))
