"""Removing what a release no longer contains, over the sandbox cluster."""

from typing import Any

import pytest

from deployments.targets.base import Errored, Failed, StepResult, Succeeded, Work
from deployments.targets.kubernetes.manifests import ManifestsTarget
from tests.targets import works
from tests.targets.conftest import Place
from tests.targets.test_contract import apply, prepared

TARGET = ManifestsTarget()
OLD = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "old"}, "data": {"A": "1"}}
CLAIM: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def named(*items: Any) -> tuple[dict[str, str], ...]:
    return tuple({"apiVersion": i["apiVersion"], "kind": i["kind"], "name": i["metadata"]["name"]} for i in items)


def next_one(place: Place, *gone: Any, **changes: Any) -> Work:
    """The deployment after one that brought `gone`, without them."""
    values = {"sequence": 2, "deployment_id": "d-2", "manifests": (works.DEPLOYMENT,), "prune": named(*gone)}
    return prepared(TARGET, place.work(**(values | changes)))


def bring(place: Place, *items: Any, **changes: Any) -> None:
    apply(TARGET, place.work(manifests=(works.DEPLOYMENT, *items), **changes))


def is_there(place: Place, item: Any) -> bool:
    plural = {"ConfigMap": "configmaps", "PersistentVolumeClaim": "persistentvolumeclaims", "Secret": "secrets"}
    found = place.request("GET", place.path(plural[item["kind"]], api="api/v1"))["items"]
    return any(each["metadata"]["name"] == item["metadata"]["name"] for each in found)


def said(result: StepResult) -> str:
    assert isinstance(result, Succeeded), result
    return " ".join((*result.log, result.message))


def test_what_is_ours_goes_and_again_after_a_crash_there_is_nothing_left_to_do(place: Place) -> None:
    bring(place, OLD, works.SECRET)
    work = next_one(place, OLD, works.SECRET)
    told = said(TARGET.preflight(work))
    assert "ConfigMap old will be removed after the rollout." in told
    assert is_there(place, OLD)
    result = TARGET.prune(work)
    assert said(result) == "ConfigMap old: removed. Secret web: removed. Removed 2 of 2 objects." or (
        said(result) == "Secret web: removed. ConfigMap old: removed. Removed 2 of 2 objects."
    )
    assert not is_there(place, OLD) and not is_there(place, works.SECRET)
    assert "ConfigMap old is gone already." in said(TARGET.prune(work))


@pytest.mark.parametrize(
    ("first", "why"),
    [
        ({"target_id": "t-2"}, "does not carry this target's mark"),
        ({"sequence": 3}, "A newer deployment (number 3)"),
    ],
)
def test_what_is_another_ones_stays(place: Place, first: dict[str, Any], why: str) -> None:
    apply(TARGET, place.work(manifests=(OLD,), images={}, **first))
    work = next_one(place, OLD)
    assert why in said(TARGET.prune(work))
    assert "stays" in said(TARGET.prune(work))
    assert is_there(place, OLD)


def test_what_people_made_under_the_same_name_stays(place: Place) -> None:
    bring(place)
    place.request("POST", place.path("configmaps", api="api/v1"), OLD)
    assert "stays" in said(TARGET.prune(next_one(place, OLD)))
    assert is_there(place, OLD)


def test_what_the_release_contains_stays_also_under_another_api_version(place: Place) -> None:
    bring(place)
    other = {**works.DEPLOYMENT, "apiVersion": "apps/v1beta1"}
    assert "the release contains it" in said(TARGET.prune(next_one(place, other)))
    assert place.request("GET", place.path("deployments", "web"))


def test_claims_go_only_where_an_operator_lists_them(place: Place) -> None:
    bring(place, CLAIM)
    assert "what it holds would be lost" in said(TARGET.prune(next_one(place, CLAIM)))
    assert is_there(place, CLAIM)
    TARGET.prune(next_one(place, CLAIM, guardrails={"prune": ["PersistentVolumeClaim"]}))
    assert not is_there(place, CLAIM)


def test_a_change_between_looking_and_removing_is_looked_at_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(place, OLD)
    work = next_one(place, OLD)
    from deployments.targets.kubernetes.wire.cluster import Cluster

    delete = Cluster.delete

    def taken_meanwhile(self: Cluster, live: Any, namespace: str) -> None:
        monkeypatch.setattr(Cluster, "delete", delete)
        newer = place.work(manifests=(OLD,), images={}, sequence=7, deployment_id="d-7")
        apply(TARGET, newer)
        delete(self, live, namespace)

    monkeypatch.setattr(Cluster, "delete", taken_meanwhile)
    assert "A newer deployment (number 7)" in said(TARGET.prune(work))
    assert is_there(place, OLD)


def test_too_many_at_once_are_refused_and_nothing_is_touched(place: Place) -> None:
    bring(place, OLD)
    many = [{**OLD, "metadata": {"name": f"old-{number}"}} for number in range(101)]
    assert isinstance(TARGET.prune(next_one(place, *many)), Failed)
    assert is_there(place, OLD)


def test_the_right_to_delete_is_asked_for_before_anything_happens(place: Place) -> None:
    bring(place, OLD)
    result = TARGET.preflight(next_one(place, OLD, connection=place.connection("deployer")))
    assert isinstance(result, Failed)
    assert "delete configmaps" in result.message


def test_a_cluster_that_is_away_is_a_breakage(place: Place) -> None:
    work = next_one(place, OLD, connection=works.connection("http://127.0.0.1:9"))
    assert isinstance(TARGET.prune(work), Errored)
