import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import pytest

from deployments.targets.base import InvalidContent
from deployments.targets.kubernetes.rendering.render import render, stamp
from tests.targets.works import CONFIG_MAP, DEPLOYMENT, SECRET, SERVICE, deployment, work


def problems(**changes: Any) -> str:
    with pytest.raises(InvalidContent) as caught:
        render(work(**changes))
    return " ".join(caught.value.problems)


def test_images_are_set_by_container_name_in_every_workload_that_has_it() -> None:
    job: dict[str, Any] = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "nightly"},
        "spec": {
            "jobTemplate": {
                "spec": {
                    "template": {
                        "spec": {
                            "initContainers": [{"name": "app", "image": "old"}],
                            "containers": [{"name": "sidecar", "image": "kept:1"}],
                        }
                    }
                }
            }
        },
    }
    first, second = render(work(manifests=(DEPLOYMENT, job)))
    assert first["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/web:1.0.0"
    pod = second["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["initContainers"][0]["image"] == "registry.example/web:1.0.0"
    assert pod["containers"][0]["image"] == "kept:1"


def test_inputs_are_never_changed() -> None:
    manifests = (copy.deepcopy(DEPLOYMENT), copy.deepcopy(CONFIG_MAP))
    before = copy.deepcopy(manifests)
    render(work(manifests=manifests, overrides={"replicas": 5, "env": {"A": "1"}}))
    assert manifests == before


def test_our_metadata_stays_off_the_pod_template_so_that_a_rollback_reuses_the_old_replica_set() -> None:
    one = render(work(sequence=1, deployment_id="d-1", version="1.0.0"))[0]
    two = render(work(sequence=2, deployment_id="d-2", version="1.0.0"))[0]
    assert one["spec"] == two["spec"]
    assert one["spec"]["template"]["metadata"] == DEPLOYMENT["spec"]["template"]["metadata"]
    assert one["metadata"]["labels"] == {"app": "web", "app.kubernetes.io/managed-by": "releasemgr"}
    assert two["metadata"]["annotations"] == {
        "releasemgr.dev/deployment": "d-2",
        "releasemgr.dev/sequence": "2",
        "releasemgr.dev/release": "web 1.0.0",
        "releasemgr.dev/target": "t-1",
    }


def test_objects_come_in_the_order_in_which_they_depend_on_each_other() -> None:
    ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web"}}
    kinds = [
        item["kind"] for item in render(work(manifests=(ingress, DEPLOYMENT, SERVICE, SECRET, CONFIG_MAP, account)))
    ]
    assert kinds == ["ServiceAccount", "Secret", "ConfigMap", "Service", "Deployment", "Ingress"]


def test_what_a_server_filled_in_is_dropped() -> None:
    copied = deployment()
    copied["status"] = {"replicas": 2}
    copied["metadata"] |= {
        "uid": "u",
        "resourceVersion": "7",
        "managedFields": [{}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "kept": "yes"},
    }
    [item] = render(work(manifests=(copied,)))
    assert "status" not in item
    assert set(item["metadata"]) == {"name", "namespace", "labels", "annotations"}
    assert item["metadata"]["annotations"]["kept"] == "yes"
    assert "kubectl.kubernetes.io/last-applied-configuration" not in item["metadata"]["annotations"]


def test_an_image_that_no_container_uses_is_named() -> None:
    assert "“worker”" in problems(images={"app": "a:1", "worker": "b:1"})


def test_a_container_without_any_image_is_named() -> None:
    manifest = deployment()
    del manifest["spec"]["template"]["spec"]["containers"][0]["image"]
    assert "container “app” has no image" in problems(manifests=(manifest,), images={})


def test_another_namespace_than_the_targets_is_refused_and_the_same_is_fine() -> None:
    foreign, same = deployment(), deployment()
    foreign["metadata"]["namespace"] = "kube-system"
    same["metadata"]["namespace"] = "shop"
    assert "“kube-system”, but this target is “shop”" in problems(manifests=(foreign,))
    assert render(work(manifests=(same,)))[0]["metadata"]["namespace"] == "shop"


NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "planets.example.com"},
    "spec": {"group": "example.com", "scope": "Cluster", "names": {"kind": "Planet", "plural": "planets"}},
}
PLANET = {"apiVersion": "example.com/v1", "kind": "Planet", "metadata": {"name": "earth"}}
EVERYTHING = {"kinds": ["Namespace", "apiextensions.k8s.io/CustomResourceDefinition", "example.com/Planet"]}


@pytest.mark.parametrize("manifest", [NAMESPACE, DEFINITION], ids=["namespace", "definition"])
def test_cluster_scoped_kinds_are_refused(manifest: Any) -> None:
    assert "belongs to the whole cluster" in problems(manifests=(DEPLOYMENT, manifest))


def test_cluster_scoped_objects_get_no_namespace_and_come_before_what_needs_them() -> None:
    found = render(work(manifests=(PLANET, DEPLOYMENT, CONFIG_MAP, DEFINITION, NAMESPACE), guardrails=EVERYTHING))
    assert [item["kind"] for item in found] == [
        "Namespace",
        "CustomResourceDefinition",
        "ConfigMap",
        "Deployment",
        "Planet",
    ]
    assert [item["metadata"].get("namespace") for item in found] == [None, None, "shop", "shop", None]
    assert found == tuple(stamp(work(objects=found, guardrails=EVERYTHING)))


def test_where_the_release_brings_an_autoscaler_replicas_are_left_open() -> None:
    scaler = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"}}
    scaler["spec"] = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}  # type: ignore[assignment]
    item = render(work(manifests=(DEPLOYMENT, scaler), overrides={"replicas": 7}))[0]
    assert item["kind"] == "Deployment" and "replicas" not in item["spec"]
    scaler["spec"]["scaleTargetRef"]["name"] = "other"  # type: ignore[index]
    assert render(work(manifests=(DEPLOYMENT, scaler)))[0]["spec"]["replicas"] == 2


def test_the_same_object_twice_is_refused_even_in_two_api_versions() -> None:
    beta = deployment()
    beta["apiVersion"] = "apps/v1beta1"
    assert "Deployment web is in the release twice" in problems(manifests=(DEPLOYMENT, beta))


@pytest.mark.parametrize("name", ["", "../../secrets/x", "a/b", "..", "%2e", "a b", 5, None])
def test_a_name_that_could_leave_its_path_is_refused(name: object) -> None:
    manifest = deployment()
    manifest["metadata"]["name"] = name
    assert "metadata.name" in problems(manifests=(manifest,), images={})


@pytest.mark.parametrize(
    "manifest", [{}, {"kind": "Deployment"}, {"apiVersion": "v1", "kind": "X", "metadata": 3}, "x"]
)
def test_what_is_no_kubernetes_object_is_refused(manifest: Any) -> None:
    assert "Document 1 is no Kubernetes object" in problems(manifests=(manifest,), images={})


def test_all_problems_are_told_at_once() -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}
    with pytest.raises(InvalidContent) as caught:
        render(work(manifests=(DEPLOYMENT, namespace), images={"nobody": "x:1"}, overrides={"size": 3}))
    assert len(caught.value.problems) == 3


def test_overrides_set_replicas_for_all_or_by_name() -> None:
    assert render(work(overrides={"replicas": 7}))[0]["spec"]["replicas"] == 7
    assert render(work(overrides={"replicas": {"web": 0}}))[0]["spec"]["replicas"] == 0
    assert "no such workload" in problems(overrides={"replicas": {"nobody": 1}})
    assert "whole numbers" in problems(overrides={"replicas": -1})


def test_overrides_add_and_replace_environment_variables() -> None:
    manifest = deployment()
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "B", "value": "b"},
    ]
    [item] = render(work(manifests=(manifest,), overrides={"env": {"A": 1, "app": {"C": True}}}))
    assert item["spec"]["template"]["spec"]["containers"][0]["env"] == [
        {"name": "B", "value": "b"},
        {"name": "A", "value": "1"},
        {"name": "C", "value": "true"},
    ]
    assert "container “nobody”" in problems(overrides={"env": {"nobody": {"C": "1"}}})


def patched(*operations: Any, name: str = "web", kind: str = "Deployment") -> dict[str, Any]:
    return {"patches": [{"kind": kind, "name": name, "patch": list(operations)}]}


def test_patches_change_any_field_after_the_other_overrides() -> None:
    overrides = {"replicas": 3} | patched(
        {"op": "test", "path": "/spec/replicas", "value": 3},
        {"op": "replace", "path": "/spec/replicas", "value": 4},
        {"op": "add", "path": "/metadata/annotations/example.com~1team", "value": "web"},
    )
    [item] = render(work(overrides=overrides))
    assert item["spec"]["replicas"] == 4
    assert item["metadata"]["annotations"]["example.com/team"] == "web"


@pytest.mark.parametrize(
    ("operation", "sentence"),
    [
        ({"op": "replace", "path": "/metadata/name", "value": "other"}, "must not change apiVersion, kind, name"),
        ({"op": "replace", "path": "/metadata/namespace", "value": "other"}, "must not change apiVersion, kind, name"),
        ({"op": "replace", "path": "/kind", "value": "Job"}, "must not change apiVersion, kind, name"),
        ({"op": "replace", "path": "", "value": []}, "must not change apiVersion, kind, name"),
        ({"op": "remove", "path": "/spec/nothing"}, "operation 1 (remove /spec/nothing) does not fit the object"),
        ({"op": "test", "path": "/spec/replicas", "value": 99}, "operation 1 (test /spec/replicas) does not fit"),
        ({"op": "add", "path": "/spec/x", "value": "y" * 600_000}, "too large"),
        ({"op": "add", "path": "spec", "value": 1}, "operation 1 needs a path"),
        ({"op": "add", "path": "/spec/x"}, "operation 1 needs a value"),
        ({"op": "move", "path": "/spec/x"}, "operation 1 needs a from"),
        ({"op": "explode", "path": "/spec"}, "operation 1 needs an op"),
    ],
)
def test_patches_that_do_not_fit_are_told(operation: Any, sentence: str) -> None:
    assert sentence in problems(overrides=patched(operation))


def test_a_patch_that_copies_the_object_into_itself_again_and_again_ends_early() -> None:
    bomb = [{"op": "copy", "from": "", "path": "/spec/x"}] * 100
    assert "too large, or nested too deeply" in problems(overrides=patched(*bomb))


def test_patches_of_what_is_not_there_and_of_secrets_are_refused_without_a_word_of_what_they_hold() -> None:
    add = {"op": "add", "path": "/data/PASSWORD", "value": "canary-7f3a"}
    assert "release has no such object" in problems(overrides=patched(add, name="nobody"))
    told = problems(manifests=(DEPLOYMENT, SECRET), overrides=patched(add, kind="Secret"))
    assert "would change a Secret" in told
    assert "canary" not in told


ODD: tuple[Any, ...] = (None, "x", 5, True, [], ["x"], [None], {}, {"x": 1}, [{}], [{"name": []}])
SCALER: dict[str, Any] = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "web", "labels": {}, "annotations": {}},
    "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*path, key))


def with_odd(item: Any, path: tuple[Any, ...], odd: Any) -> Any:
    made = copy.deepcopy(item)
    place = made
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = copy.deepcopy(odd)
    return made


def full_deployment() -> dict[str, Any]:
    made = deployment()
    made["metadata"]["annotations"] = {"a": "b"}
    spec = made["spec"]["template"]["spec"]
    spec |= {
        "initContainers": [{"name": "i", "image": "i:1"}],
        "volumes": [{"name": "v", "projected": {"sources": [{}]}}],
    }
    spec["securityContext"] = {"sysctls": [{"name": "x"}], "seLinuxOptions": {"type": ""}}
    spec["containers"][0] |= {
        "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s"}}}],
        "envFrom": [{"prefix": "x"}],
        "ports": [{"containerPort": 80}],
        "livenessProbe": {"httpGet": {"port": 80}},
        "lifecycle": {"preStop": {"exec": {}}},
        "securityContext": {"capabilities": {"add": ["CHOWN"]}},
    }
    return made


@pytest.mark.parametrize("item", [full_deployment(), DEFINITION, SCALER, dict(SERVICE)], ids=lambda item: item["kind"])
def test_objects_of_any_shape_are_rendered_or_refused_and_never_break_anything(item: dict[str, Any]) -> None:
    overrides = {"replicas": {"web": 3}, "env": {"A": "1", "app": {"B": "2"}}}
    for path in places(item):
        for odd in ODD:
            made = with_odd(item, path, odd)
            manifests = (made, SCALER) if made["kind"] == "Deployment" else (full_deployment(), made)
            with contextlib.suppress(InvalidContent):
                render(work(manifests=manifests, overrides=overrides, guardrails=EVERYTHING))
            with contextlib.suppress(InvalidContent):
                stamp(work(objects=render(work(manifests=manifests, guardrails=EVERYTHING))))


def test_the_texts_of_a_secret_are_sent_where_the_server_keeps_them() -> None:
    secret = SECRET | {"data": {"KEPT": "eA=="}, "stringData": {"PASSWORD": "hunter2"}}
    (rendered,) = (item for item in render(work(manifests=(DEPLOYMENT, secret))) if item["kind"] == "Secret")
    assert rendered["data"] == {"KEPT": "eA==", "PASSWORD": "aHVudGVyMg=="}
    assert "stringData" not in rendered
