"""Fields of others: conflicts, taking over on purpose, autoscaled replicas, accounts that were there before."""

import copy
import dataclasses
from typing import Any

from deployments.targets.base import Failed, Succeeded
from deployments.targets.kubernetes.manifests import ManifestsTarget
from tests.targets import works
from tests.targets.conftest import Place
from tests.targets.test_contract import apply, deploy, live, prepared, settle, with_image

TARGET = ManifestsTarget()
ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web"}}
SCALER: dict[str, Any] = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "web"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 1,
        "maxReplicas": 9,
    },
}


def applied_by(place: Place, manager: str, **spec: Any) -> None:
    """Somebody else takes fields of the Deployment."""
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    place.request("PATCH", place.path("deployments", "web"), body, fieldManager=manager, force="true")


def scaled(place: Place, replicas: int, manager: str = "kube-controller-manager", name: str = "web") -> None:
    """As an autoscaler or `kubectl scale` does it."""
    path = place.path("deployments", name) + "/scale"
    scale = place.request("GET", path)
    scale["spec"]["replicas"] = replicas
    # Whatever the controllers write meanwhile.
    del scale["metadata"]["resourceVersion"]
    place.request("PUT", path, scale, fieldManager=manager)


def without_replicas() -> dict[str, Any]:
    made = works.deployment()
    del made["spec"]["replicas"]
    return made


def replicas(place: Place) -> int:
    return int(live(place)["spec"]["replicas"])


def test_a_conflict_names_who_what_and_the_way_out_and_is_never_forced(place: Place) -> None:
    deploy(TARGET, with_image(place, "1.0.0", sequence=1))
    applied_by(place, "kubectl", replicas=5)
    work = prepared(TARGET, with_image(place, "2.0.0", sequence=2))
    for result in (TARGET.preflight(work), TARGET.apply(work)):
        assert isinstance(result, Failed)
        assert "“kubectl” owns spec.replicas" in result.message
        assert "Deploy again and choose to take them over from “kubectl”" in result.message
        assert result.evidence["conflicts"] == [
            {"object": "Deployment web", "manager": "kubectl", "fields": ["spec.replicas"]}
        ]
    assert replicas(place) == 5


def test_what_a_person_chose_to_take_over_is_taken_and_said_so(place: Place) -> None:
    deploy(TARGET, with_image(place, "1.0.0", sequence=1))
    applied_by(place, "kubectl", replicas=5)
    work = prepared(TARGET, with_image(place, "2.0.0", sequence=2, take_over=("kubectl",)))
    checked = TARGET.preflight(work)
    assert isinstance(checked, Succeeded)
    assert "A dry run accepted Deployment web, took spec.replicas over from “kubectl”." in checked.log
    assert replicas(place) == 5
    applied = TARGET.apply(work)
    assert isinstance(applied, Succeeded)
    assert applied.log == ("Deployment web: changed, took spec.replicas over from “kubectl”",)
    assert replicas(place) == 2
    assert isinstance(settle(TARGET, work), Succeeded)


def test_choosing_one_manager_does_not_take_from_another(place: Place) -> None:
    deploy(TARGET, with_image(place, "1.0.0", sequence=1))
    applied_by(place, "kubectl", replicas=5)
    containers = [{"name": "app", "image": "registry.example/web:hot"}]
    applied_by(place, "operator", template={"spec": {"containers": containers}})
    work = prepared(TARGET, with_image(place, "2.0.0", sequence=2, take_over=("kubectl",)))
    result = TARGET.apply(work)
    assert isinstance(result, Failed)
    assert {entry["manager"] for entry in result.evidence["conflicts"]} == {"kubectl", "operator"}
    assert replicas(place) == 5


def test_a_forced_apply_is_fenced_as_any_other(place: Place) -> None:
    deploy(TARGET, with_image(place, "2.0.0", sequence=5))
    applied_by(place, "kubectl", replicas=5)
    result = TARGET.apply(prepared(TARGET, with_image(place, "1.0.0", sequence=4, take_over=("kubectl",))))
    assert isinstance(result, Failed)
    assert "A newer deployment (number 5)" in result.message
    assert replicas(place) == 5


def test_replicas_of_an_autoscaler_in_the_cluster_are_left_alone(place: Place) -> None:
    deploy(TARGET, with_image(place, "1.0.0", sequence=1))
    path = place.path("horizontalpodautoscalers", api="apis/autoscaling/v2")
    place.request("POST", path, SCALER)
    scaled(place, 4)
    work = prepared(TARGET, with_image(place, "2.0.0", sequence=2))
    checked = TARGET.preflight(work)
    assert isinstance(checked, Succeeded)
    assert any("replicas are left to HorizontalPodAutoscaler web" in line for line in checked.log)
    assert isinstance(TARGET.apply(work), Succeeded)
    assert replicas(place) == 4
    assert isinstance(settle(TARGET, work), Succeeded)
    assert replicas(place) == 4


def test_who_may_not_see_autoscalers_is_told_what_that_means(place: Place) -> None:
    checked = TARGET.preflight(prepared(TARGET, place.work(user="deployer")))
    assert isinstance(checked, Succeeded)
    assert any("list horizontalpodautoscalers.autoscaling, replicas are applied as written" in e for e in checked.log)


def test_an_autoscaler_may_scale_while_the_rollout_runs(place: Place) -> None:
    work = apply(TARGET, with_image(place, "1.0.0", manifests=(works.DEPLOYMENT, SCALER)))
    scaled(place, 3)
    result = settle(TARGET, work)
    assert isinstance(result, Succeeded)
    assert "3 pods ready" in result.message


def test_a_new_workload_of_an_autoscaler_begins_with_its_least(place: Place) -> None:
    scaler = copy.deepcopy(SCALER)
    scaler["spec"]["minReplicas"] = 3
    deploy(TARGET, with_image(place, "1.0.0", manifests=(works.DEPLOYMENT, scaler)))
    assert replicas(place) == 3


def test_a_variant_begins_with_what_the_autoscaler_gave_the_one_before(place: Place) -> None:
    def variant(sequence: int) -> Any:
        values = {"sequence": sequence, "manifests": (works.DEPLOYMENT, SCALER), "strategy": {"type": "blue_green"}}
        work = prepared(TARGET, with_image(place, f"{sequence}.0.0", **values))
        applied = TARGET.apply(dataclasses.replace(work, objects=TARGET.stamp(work)))
        assert isinstance(applied, Succeeded), applied
        return live(place, f"web-{sequence}")["spec"]["replicas"]

    assert variant(1) == 1
    scaled(place, 5, name="web-1")
    assert variant(2) == 5


def test_replicas_that_we_set_stay_when_an_autoscaler_comes(place: Place) -> None:
    deploy(TARGET, with_image(place, "1.0.0", sequence=1))
    assert replicas(place) == 2
    deploy(TARGET, with_image(place, "2.0.0", sequence=2, manifests=(works.DEPLOYMENT, SCALER)))
    # Left out of the apply, the server would have gone back to its default, 1.
    assert replicas(place) == 2


def test_replicas_that_a_release_no_longer_names_stay_as_they_are(place: Place) -> None:
    deploy(TARGET, with_image(place, "1.0.0", sequence=1))
    work = prepared(TARGET, with_image(place, "2.0.0", sequence=2, manifests=(without_replicas(),)))
    applied = TARGET.apply(work)
    assert isinstance(applied, Succeeded)
    assert applied.log == ("Deployment web: changed, replicas stay at 2",)
    assert replicas(place) == 2
    scaled(place, 6, manager="kubectl")
    deploy(TARGET, with_image(place, "3.0.0", sequence=3, manifests=(without_replicas(),)))
    assert replicas(place) == 6


def test_an_account_that_was_there_before_lends_its_rights_to_nobody(place: Place) -> None:
    place.request("POST", place.path("serviceaccounts", api="api/v1"), ACCOUNT)
    pod = works.deployment()
    pod["spec"]["template"]["spec"]["serviceAccountName"] = "web"
    work = prepared(TARGET, place.work(manifests=(pod, ACCOUNT)))
    for result in (TARGET.preflight(work), TARGET.apply(work)):
        assert isinstance(result, Failed)
        assert "ServiceAccount web was there before and is not this target's" in result.message
    listed = {"service_accounts": ["web"]}
    deploy(TARGET, place.work(manifests=(pod, ACCOUNT), guardrails=listed))
    # Now it carries our mark.
    deploy(TARGET, place.work(manifests=(pod, ACCOUNT), sequence=2, deployment_id="d-2"))


def test_an_account_is_not_adopted_by_a_release_that_does_not_use_it(place: Place) -> None:
    place.request("POST", place.path("serviceaccounts", api="api/v1"), ACCOUNT)
    work = prepared(TARGET, place.work(manifests=(works.DEPLOYMENT, ACCOUNT)))
    for result in (TARGET.preflight(work), TARGET.apply(work)):
        assert isinstance(result, Failed)
        assert "ServiceAccount web was there before and is not this target's" in result.message


def test_an_account_of_its_own_is_fine(place: Place) -> None:
    pod = works.deployment()
    pod["spec"]["template"]["spec"]["serviceAccountName"] = "web"
    deploy(TARGET, place.work(manifests=(pod, ACCOUNT)))
    deploy(TARGET, place.work(manifests=(pod, ACCOUNT), sequence=2, deployment_id="d-2"))


def test_secrets_stay_out_of_every_word_about_a_conflict(place: Place) -> None:
    apply(TARGET, place.work(manifests=(works.DEPLOYMENT, works.SECRET)))
    body = copy.deepcopy(dict(works.SECRET)) | {"stringData": {"PASSWORD": "canary-9c1e"}}
    path = place.path("secrets", "web", api="api/v1")
    place.request("PATCH", path, body, fieldManager="kubectl", force="true")
    secret = works.SECRET | {"stringData": {"PASSWORD": "canary-1d2f"}}
    result = TARGET.preflight(prepared(TARGET, place.work(manifests=(works.DEPLOYMENT, secret), sequence=2)))
    assert "canary" not in repr(result)
