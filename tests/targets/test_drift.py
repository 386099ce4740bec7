"""What others changed in a live cluster since our last apply; who, when; and what is no drift."""

import copy
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deployments.targets.comparison import Drift
from deployments.targets.kubernetes.comparing.drift import find_drift
from tests.targets.conftest import Place
from tests.targets.test_compare import applied, edit, with_env
from tests.targets.works import CONFIG_MAP, DEPLOYMENT, SECRET, SERVICE, connection


def in_container(**fields: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "app", **fields}]}}}}


def test_nothing_drifts_by_itself(place: Place) -> None:
    odd = with_env(EMPTY="")
    odd["spec"]["template"]["spec"]["containers"][0] |= {
        "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}}, "ports": [{"containerPort": 80}], "args": [],
    }  # fmt: skip
    odd["metadata"]["annotations"] = {}
    work = applied(place, manifests=(odd, CONFIG_MAP, SECRET, SERVICE))

    report = find_drift(work)

    assert (report.found, report.problems) == ((), ())


def test_a_changed_field_names_its_manager_and_the_time(place: Place) -> None:
    work = applied(place)
    edit(place, in_container(image="registry.example/web:hotfix"))

    (found,) = find_drift(work).found

    assert (found.kind, found.name, found.path) == ("Deployment", "web", "image of container app")
    assert (found.applied, found.live) == ("registry.example/web:1.0.0", "registry.example/web:hotfix")
    assert found.manager == "kubectl-edit"
    assert found.at is not None
    assert abs(found.at - datetime.now(UTC)) < timedelta(seconds=30)


def test_a_removed_field_and_a_removed_object_are_told(place: Place) -> None:
    work = applied(place, manifests=(with_env(A="1", B="2"), CONFIG_MAP))
    edit(place, in_container(env=[{"name": "B", "$patch": "delete"}]))
    place.request("DELETE", place.path("configmaps", "web", api="api/v1"))

    found = find_drift(work).found

    assert Drift("Deployment", "web", "env B of container app", "2", None) in found
    assert Drift("ConfigMap", "web", "", None, None) in found
    assert len(found) == 2


def test_an_added_field_is_drift_when_a_person_added_it_after_us(place: Place) -> None:
    place.request("POST", place.path("configmaps", api="api/v1"), CONFIG_MAP | {"data": {"THEIRS": "1"}})
    # Times of ownership are told in seconds.
    time.sleep(1.05)
    work = applied(place, manifests=(DEPLOYMENT, CONFIG_MAP))
    time.sleep(1.05)
    edit(place, in_container(env=[{"name": "DEBUG", "value": "1"}]), manager="kubectl-set")

    (found,) = find_drift(work).found

    assert (found.path, found.applied, found.live) == ("env DEBUG of container app", None, "1")
    assert found.manager == "kubectl-set"


@pytest.mark.parametrize(("manager", "drifts"), [("kube-controller-manager", 0), ("kubectl", 1)])
def test_replicas_of_an_autoscaler_are_no_drift_those_of_a_person_are(place: Place, manager: str, drifts: int) -> None:
    work = applied(place)
    edit(place, {"spec": {"replicas": 5}}, manager=manager)

    assert [each.path for each in find_drift(work).found] == ["replicas"] * drifts


def test_replicas_are_no_drift_where_the_release_holds_an_autoscaler(place: Place) -> None:
    scaler = {
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 9},
    }  # fmt: skip
    work = applied(place, manifests=(DEPLOYMENT, scaler))
    edit(place, {"spec": {"replicas": 5}})

    assert find_drift(work).found == ()


def test_what_a_secret_holds_drifts_without_being_shown(place: Place) -> None:
    work = applied(place, manifests=(SECRET,), images={})
    edit(place, {"stringData": {"PASSWORD": "canary-7f3b"}}, "secrets")

    (found,) = find_drift(work).found

    assert (found.path, found.applied, found.live, found.manager) == (
        "data.PASSWORD", "•••", "••• (differs)", "kubectl-edit",
    )  # fmt: skip


def test_what_another_deployment_wrote_since_is_a_sentence_no_drift(place: Place) -> None:
    work = applied(place)
    wanted = copy.deepcopy(dict(DEPLOYMENT)) | {"spec": DEPLOYMENT["spec"] | {"replicas": 4}}
    applied(place, manifests=(wanted,), deployment_id="d-2", sequence=2, version="2.0.0")

    report = find_drift(work)

    assert report.found == ()
    assert report.problems == ("Deployment web has been written by another deployment since (web 2.0.0).",)


def test_a_cluster_that_is_away_is_a_sentence(place: Place) -> None:
    report = find_drift(replace(applied(place), connection=connection("http://127.0.0.1:1")))

    assert report.found == ()
    assert report.problems == ("Could not reach the cluster: http://127.0.0.1:1 refuses connections.",)
