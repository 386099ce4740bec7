"""What every adapter of the registry promises the engine, over the sandbox cluster."""

import copy
import dataclasses
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deployments.targets.base import Errored, Failed, InvalidContent, Running, StepResult, Succeeded, Target, Work
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.registry import UnknownTargetKind, get_target
from tests.targets import works
from tests.targets.conftest import Place

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
PATIENCE_SECONDS = 10.0


# The other kinds make their objects from what is in the cluster or in a chart, and have tests of their own.
@pytest.fixture(params=["manifests"])
def target(request: pytest.FixtureRequest) -> Target:
    return get_target(request.param)


def prepared(target: Target, work: Work) -> Work:
    return dataclasses.replace(work, objects=target.render(work))


def apply(target: Target, work: Work) -> Work:
    ready = prepared(target, work)
    result = target.apply(ready)
    assert isinstance(result, Succeeded), result
    return ready


def settle(target: Target, work: Work, *, seconds_per_look: float = 0.0) -> StepResult:
    """Observes until there is a result, on a clock that moves on by so many seconds with each look."""
    checkpoint: Mapping[str, Any] = {}
    until = time.monotonic() + PATIENCE_SECONDS
    now = START
    while time.monotonic() < until:
        result = target.observe(work, checkpoint=checkpoint, now=now)
        if not isinstance(result, Running):
            return result
        checkpoint = result.checkpoint
        now += timedelta(seconds=seconds_per_look)
        time.sleep(0.02)
    raise AssertionError(f"still {result}")


def deploy(target: Target, work: Work) -> Work:
    ready = apply(target, work)
    assert isinstance(settle(target, ready), Succeeded)
    return ready


def with_image(place: Place, tag: str, sequence: int = 1, **changes: Any) -> Work:
    values: dict[str, Any] = {
        "deployment_id": f"d-{sequence}",
        "sequence": sequence,
        "version": tag,
        "images": {"app": f"registry.example/web:{tag}"},
    }
    return place.work(**(values | changes))


def live(place: Place, name: str = "web") -> dict[str, Any]:
    found: dict[str, Any] = place.request("GET", place.path("deployments", name))
    return found


def replica_sets(place: Place) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = place.request("GET", place.path("replicasets"))["items"]
    return found


def test_a_release_is_checked_applied_and_seen_to_work(target: Target, place: Place) -> None:
    work = prepared(target, place.work(manifests=(works.DEPLOYMENT, works.CONFIG_MAP, works.SECRET, works.SERVICE)))
    assert isinstance(target.preflight(work), Succeeded)
    applied = target.apply(work)
    assert isinstance(applied, Succeeded)
    assert applied.log == (
        "ConfigMap web: created",
        "Secret web: created",
        "Service web: created",
        "Deployment web: created",
    )
    result = settle(target, work)
    assert isinstance(result, Succeeded)
    assert result.message == "Deployment web: 2 pods ready on the new revision."
    assert live(place)["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/web:1.0.0"


def test_applying_again_after_a_crash_changes_nothing(target: Target, place: Place) -> None:
    work = deploy(target, place.work())
    before = live(place)
    again = target.apply(work)
    assert isinstance(again, Succeeded)
    assert again.log == ("Deployment web: unchanged",)
    assert live(place)["metadata"]["generation"] == before["metadata"]["generation"]
    assert live(place)["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert isinstance(settle(target, work), Succeeded)


def test_the_same_release_again_starts_no_rollout(target: Target, place: Place) -> None:
    deploy(target, with_image(place, "1.0.0", sequence=1))
    generation = live(place)["metadata"]["generation"]
    deploy(target, with_image(place, "1.0.0", sequence=2))
    assert live(place)["metadata"]["generation"] == generation
    assert live(place)["metadata"]["annotations"]["releasemgr.dev/sequence"] == "2"
    assert len(replica_sets(place)) == 1


def test_a_rollback_uses_the_old_replica_set_again(target: Target, place: Place) -> None:
    deploy(target, with_image(place, "1.0.0", sequence=1))
    [first] = replica_sets(place)
    deploy(target, with_image(place, "2.0.0", sequence=2))
    deploy(target, with_image(place, "1.0.0", sequence=3))
    sets = {item["metadata"]["name"]: item["spec"]["replicas"] for item in replica_sets(place)}
    assert len(sets) == 2
    assert sets[first["metadata"]["name"]] == 2


@pytest.mark.parametrize(
    ("tag", "cause"),
    [
        ("2.0.0-crash", "CrashLoopBackOff: container app of pod web-"),
        ("2.0.0-oom", "OOMKilled: container app of pod web-"),
        ("2.0.0-nopull", "ImagePullBackOff: registry.example/web:2.0.0-nopull (pod web-"),
        ("2.0.0-noconfig", "CreateContainerConfigError: "),
        ("2.0.0-nospace", "Unschedulable: "),
    ],
)
def test_a_release_that_cannot_run_fails_with_its_cause(target: Target, place: Place, tag: str, cause: str) -> None:
    deploy(target, with_image(place, "1.0.0", sequence=1))
    result = settle(target, apply(target, with_image(place, tag, sequence=2)), seconds_per_look=2.0)
    assert isinstance(result, Failed)
    assert result.message.startswith(cause)
    [pod] = result.evidence["pods"]
    assert pod["name"].startswith("web-")
    assert result.evidence["workload"]["conditions"]


def test_trouble_within_the_grace_is_no_verdict(target: Target, place: Place) -> None:
    work = apply(target, with_image(place, "2.0.0-nopull"))
    until = time.monotonic() + PATIENCE_SECONDS
    checkpoint: Mapping[str, Any] = {}
    while "since" not in checkpoint or not checkpoint["since"]:
        result = target.observe(work, checkpoint=checkpoint, now=START)
        assert isinstance(result, Running)
        checkpoint = result.checkpoint
        assert time.monotonic() < until
    soon = target.observe(work, checkpoint=checkpoint, now=START + timedelta(seconds=1))
    assert isinstance(soon, Running)
    assert "ImagePullBackOff" in soon.message
    assert 0 < soon.retry_after_seconds <= 4
    late = target.observe(work, checkpoint=soon.checkpoint, now=START + timedelta(seconds=soon.retry_after_seconds + 1))
    assert isinstance(late, Failed)


def test_a_crash_leaves_the_log_of_the_container_as_evidence(target: Target, place: Place) -> None:
    result = settle(target, apply(target, with_image(place, "2.0.0-crash")), seconds_per_look=2.0)
    assert isinstance(result, Failed)
    container = result.evidence["pods"][0]["containers"][0]
    assert container["restarts"] == 3
    assert container["log"]


def test_never_getting_ready_fails_by_the_deadline_with_the_cause(target: Target, place: Place) -> None:
    manifest = works.deployment(progressDeadlineSeconds=1)
    work = apply(target, with_image(place, "2.0.0-unready", manifests=(manifest,)))
    result = settle(target, work)
    assert isinstance(result, Failed)
    assert result.message.startswith("Not ready: container app of pod web-")


def test_the_rollback_after_a_missed_deadline_succeeds(target: Target, place: Place) -> None:
    manifest = works.deployment(progressDeadlineSeconds=1)
    deploy(target, with_image(place, "1.0.0", sequence=1, manifests=(manifest,)))
    broken = apply(target, with_image(place, "2.0.0-unready", sequence=2, manifests=(manifest,)))
    assert isinstance(settle(target, broken), Failed)
    deploy(target, with_image(place, "1.0.0", sequence=3, manifests=(manifest,)))


def test_a_dry_run_changes_nothing(target: Target, place: Place) -> None:
    writes = place.writes()
    work = prepared(target, place.work(manifests=(works.DEPLOYMENT, works.SECRET)))
    assert isinstance(target.preflight(work), Succeeded)
    assert place.writes() == writes
    assert place.request("GET", place.path("deployments"))["items"] == []


def test_missing_rights_are_all_named_at_once(target: Target, place: Place) -> None:
    work = prepared(target, place.work(user="nobody", manifests=(works.DEPLOYMENT, works.CONFIG_MAP)))
    result = target.preflight(work)
    assert isinstance(result, Failed)
    for right in ("patch deployments.apps", "patch configmaps", "list pods", "list replicasets.apps"):
        assert right in result.message
    assert place.namespace in result.message


def test_a_right_to_read_alone_is_not_enough(target: Target, place: Place) -> None:
    result = target.preflight(prepared(target, place.work(user="reader")))
    assert isinstance(result, Failed)
    assert "patch deployments.apps" in result.message
    assert "list pods" not in result.message


def test_least_privilege_is_enough(target: Target, place: Place) -> None:
    work = prepared(target, place.work(user="deployer"))
    assert isinstance(target.preflight(work), Succeeded)
    deploy(target, place.work(user="deployer"))


def test_applying_without_rights_is_a_verdict(target: Target, place: Place) -> None:
    result = target.apply(prepared(target, place.work(user="reader")))
    assert isinstance(result, Failed)
    assert "forbidden" in result.message


def test_unknown_credentials_prove_nothing_and_say_what_to_do(target: Target, place: Place) -> None:
    work = prepared(target, place.work(connection=works.connection(place.server.url, "expired-canary")))
    for result in (target.preflight(work), target.apply(work), target.observe(work, checkpoint={}, now=START)):
        assert isinstance(result, Errored)
        assert "Store a fresh kubeconfig" in result.message
        assert "canary" not in result.message


def test_an_unreachable_cluster_is_a_breakage(target: Target) -> None:
    work = prepared(target, works.work(connection=works.connection("http://127.0.0.1:9")))
    for result in (target.preflight(work), target.apply(work), target.observe(work, checkpoint={}, now=START)):
        assert isinstance(result, Errored)
        assert "http://127.0.0.1:9" in result.message


def test_a_kubeconfig_that_runs_programs_is_never_used(target: Target) -> None:
    connection = copy.deepcopy(works.connection(key="exec"))
    connection.kubeconfig["users"][0]["user"] = {"exec": {"command": "/bin/false"}}
    result = target.preflight(prepared(target, works.work(connection=connection)))
    assert isinstance(result, Failed)
    assert "runs a program" in result.message


def test_an_unknown_kind_is_named(target: Target, place: Place) -> None:
    rocket = {"apiVersion": "space.example/v1", "kind": "Rocket", "metadata": {"name": "one"}}
    guardrails = {"kinds": ["space.example/Rocket"]}
    work = place.work(manifests=(works.DEPLOYMENT, rocket), guardrails=guardrails)
    result = target.preflight(prepared(target, work))
    assert isinstance(result, Failed)
    assert "does not know Rocket in space.example/v1" in result.message


def test_a_missing_namespace_is_told_once(target: Target, place: Place) -> None:
    work = place.work(namespace="nowhere", manifests=(works.DEPLOYMENT, works.CONFIG_MAP))
    result = target.preflight(prepared(target, work))
    assert isinstance(result, Failed)
    assert result.message.count("“nowhere” does not exist") == 1


def test_every_invalid_object_is_told_at_once(target: Target, place: Place) -> None:
    bad_labels = works.deployment()
    bad_labels["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    bad_field = copy.deepcopy(works.deployment(replicaz=3))
    bad_field["metadata"]["name"] = "web2"
    result = target.preflight(prepared(target, place.work(manifests=(bad_labels, bad_field))))
    assert isinstance(result, Failed)
    assert "`selector` does not match template `labels`" in result.message
    assert "replicaz" in result.message
    assert len(result.evidence["problems"]) == 2


def test_fields_of_another_manager_are_named_and_not_taken(target: Target, place: Place) -> None:
    deploy(target, with_image(place, "1.0.0", sequence=1))
    theirs = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 5}}
    place.request("PATCH", place.path("deployments", "web"), theirs, fieldManager="autoscaler", force="true")
    work = prepared(target, with_image(place, "2.0.0", sequence=2))
    for result in (target.preflight(work), target.apply(work)):
        assert isinstance(result, Failed)
        assert "“autoscaler” owns spec.replicas" in result.message
    assert live(place)["spec"]["replicas"] == 5
    assert live(place)["spec"]["template"]["spec"]["containers"][0]["image"].endswith("1.0.0")


def test_an_older_deployment_never_overwrites_a_newer_one(target: Target, place: Place) -> None:
    zombie = prepared(target, with_image(place, "1.0.0", sequence=1))
    deploy(target, with_image(place, "2.0.0", sequence=2))
    before = live(place)
    result = target.apply(zombie)
    assert isinstance(result, Failed)
    assert "newer deployment" in result.message
    assert live(place) == before
    watched = target.observe(zombie, checkpoint={}, now=START)
    assert isinstance(watched, Failed)
    assert "newer deployment" in watched.message


def test_a_newer_deployment_that_writes_in_the_very_moment_wins(
    target: Target, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(target, with_image(place, "1.0.0", sequence=1))
    zombie = prepared(target, with_image(place, "2.0.0", sequence=2))
    newer = prepared(target, with_image(place, "3.0.0", sequence=3))
    read = Cluster.get

    def read_then_be_overtaken(self: Cluster, *args: Any) -> Any:
        found = read(self, *args)
        monkeypatch.setattr(Cluster, "get", read)
        assert isinstance(target.apply(newer), Succeeded)
        return found

    monkeypatch.setattr(Cluster, "get", read_then_be_overtaken)
    result = target.apply(zombie)
    assert isinstance(result, Failed)
    assert "newer deployment (number 3)" in result.message
    assert live(place)["spec"]["template"]["spec"]["containers"][0]["image"].endswith("3.0.0")


def test_a_status_that_changes_all_the_time_does_not_stop_the_apply(
    target: Target, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(target, with_image(place, "1.0.0", sequence=1))
    read, left = Cluster.get, [3]

    def read_then_be_touched(self: Cluster, *args: Any) -> Any:
        found = read(self, *args)
        if left[0]:
            left[0] -= 1
            mark = {"metadata": {"annotations": {"touched": str(left[0])}}}
            body = {"apiVersion": "apps/v1", "kind": "Deployment", **mark}
            body["metadata"]["name"] = "web"
            place.request("PATCH", place.path("deployments", "web"), body, fieldManager="somebody")
        return found

    monkeypatch.setattr(Cluster, "get", read_then_be_touched)
    apply(target, with_image(place, "2.0.0", sequence=2))
    assert live(place)["metadata"]["annotations"]["releasemgr.dev/sequence"] == "2"


def test_an_object_of_another_target_is_taken_over_and_said_so(target: Target, place: Place) -> None:
    deploy(target, with_image(place, "1.0.0", sequence=9, target_id="gone"))
    work = prepared(target, with_image(place, "2.0.0", sequence=1))
    checked = target.preflight(work)
    assert isinstance(checked, Succeeded)
    assert "A dry run accepted Deployment web, taken over from web 1.0.0." in checked.log
    applied = target.apply(work)
    assert isinstance(applied, Succeeded)
    assert applied.log == ("Deployment web: changed, taken over from web 1.0.0",)
    former = prepared(target, with_image(place, "1.0.0", sequence=9, target_id="gone"))
    watched = target.observe(former, checkpoint={}, now=START)
    assert isinstance(watched, Failed)
    assert "Another deployment (web 2.0.0) has taken over" in watched.message


def test_a_quota_that_stops_new_pods_is_the_cause(target: Target, place: Place) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}}
    place.request("POST", place.path("resourcequotas", api="api/v1"), quota)
    time.sleep(0.1)
    result = settle(target, apply(target, place.work()), seconds_per_look=2.0)
    assert isinstance(result, Failed)
    assert result.message.startswith("FailedCreate: ")
    assert "exceeded quota: few" in result.message
    assert any("exceeded quota: few" in event["message"] for event in result.evidence["events"])


def test_nothing_rendered_is_never_called_a_success(target: Target, place: Place) -> None:
    work = place.work()
    for result in (target.preflight(work), target.apply(work), target.observe(work, checkpoint={}, now=START)):
        assert isinstance(result, Failed)


def test_a_workload_that_somebody_deleted_fails_the_rollout(target: Target, place: Place) -> None:
    work = deploy(target, place.work())
    place.request("DELETE", place.path("deployments", "web"))
    result = target.observe(work, checkpoint={}, now=START)
    assert isinstance(result, Failed)
    assert "somebody deleted it" in result.message


def test_secrets_stay_out_of_every_message(target: Target, place: Place) -> None:
    secret = {**works.SECRET, "stringData": {"PASSWORD": ["canary-7f3a"]}}
    work = prepared(target, place.work(manifests=(works.DEPLOYMENT, secret)))
    for result in (target.preflight(work), target.apply(work)):
        assert isinstance(result, Failed)
        assert "Secret web" in result.message
        assert "canary" not in repr(result)


def test_bad_content_is_found_without_a_cluster(target: Target) -> None:
    with pytest.raises(InvalidContent):
        target.render(works.work(images={"nobody": "x:1"}))


def test_an_unknown_kind_of_target_names_the_known_ones() -> None:
    with pytest.raises(UnknownTargetKind, match="manifests"):
        get_target("floppy")
