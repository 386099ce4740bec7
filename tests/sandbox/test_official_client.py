"""The official Python client finds in the sandbox cluster what it expects of a cluster."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import ConflictError, ForbiddenError, NotFoundError, UnprocessibleEntityError

from deployments.sandbox.server import SandboxServer
from tests.sandbox.fixtures import sandbox_cluster
from tests.sandbox.manifests import deployment
from tests.sandbox.waiting import eventually

__all__ = ["sandbox_cluster"]


def api_client(server: SandboxServer, user: str = "admin") -> client.ApiClient:
    configuration = client.Configuration()
    configuration.retries = 0
    config.load_kube_config_from_dict(server.kubeconfig_of(user), client_configuration=configuration)
    return client.ApiClient(configuration)


@pytest.fixture
def api(sandbox_cluster: SandboxServer) -> Iterator[client.ApiClient]:
    with api_client(sandbox_cluster) as connected:
        yield connected


@pytest.fixture
def deployments(api: client.ApiClient, tmp_path: Path) -> Any:
    found = dynamic.DynamicClient(api, cache_file=str(tmp_path / "discovery"))
    return found.resources.get(api_version="apps/v1", kind="Deployment")


def apply(deployments: Any, body: dict[str, Any], **options: Any) -> Any:
    options = {"field_manager": "releasemgr", **options}
    return deployments.server_side_apply(body=body, namespace="default", **options)


def test_server_side_apply_rolls_out_and_a_typed_read_sees_it(api: client.ApiClient, deployments: Any) -> None:
    apply(deployments, deployment("registry.example/web:1.0.0"))

    apps = client.AppsV1Api(api)
    done = eventually(lambda: apps.read_namespaced_deployment("web", "default").status.available_replicas == 2)

    assert done
    pods = client.CoreV1Api(api).list_namespaced_pod("default", label_selector="app=web").items
    assert {pod.status.phase for pod in pods} == {"Running"}
    assert all(pod.status.container_statuses[0].image_id.startswith("registry.example/web@sha256:") for pod in pods)


def test_a_field_of_another_manager_is_a_conflict_that_names_it(deployments: Any) -> None:
    apply(deployments, deployment("registry.example/web:1.0.0"))

    with pytest.raises(ConflictError) as refused:
        apply(deployments, deployment("registry.example/web:2.0.0"), field_manager="someone-else")

    path = '.spec.template.spec.containers[name="app"].image'
    assert f'conflict with "releasemgr": {path}' in refused.value.summary()


def test_a_dry_run_changes_nothing(sandbox_cluster: SandboxServer, deployments: Any) -> None:
    created = apply(deployments, deployment("registry.example/web:1.0.0"), dry_run="All")
    assert created.metadata.uid
    with pytest.raises(NotFoundError):
        deployments.get(name="web", namespace="default")

    apply(deployments, deployment("registry.example/web:1.0.0"))
    before = deployments.get(name="web", namespace="default").spec.to_dict()
    answered = apply(deployments, deployment("registry.example/web:2.0.0"), dry_run="All")

    assert answered.spec.template.spec.containers[0].image == "registry.example/web:2.0.0"
    assert deployments.get(name="web", namespace="default").spec.to_dict() == before


def test_applying_the_same_again_leaves_the_generation(deployments: Any) -> None:
    first = apply(deployments, deployment("registry.example/web:1.0.0"))
    again = apply(deployments, deployment("registry.example/web:1.0.0"))

    assert (first.metadata.generation, again.metadata.generation) == (1, 1)


def test_what_a_manager_no_longer_applies_goes(api: client.ApiClient, tmp_path: Path) -> None:
    found = dynamic.DynamicClient(api, cache_file=str(tmp_path / "discovery"))
    maps = found.resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"A": "1", "B": "2"}}
    maps.server_side_apply(body=body, namespace="default", field_manager="releasemgr")
    other = {**body, "data": {"C": "3"}}
    maps.server_side_apply(body=other, namespace="default", field_manager="someone-else")

    maps.server_side_apply(body={**body, "data": {"A": "1"}}, namespace="default", field_manager="releasemgr")

    assert maps.get(name="web", namespace="default").data.to_dict() == {"A": "1", "C": "3"}


def test_a_watch_goes_on_from_a_version_and_relists_after_410(
    sandbox_cluster: SandboxServer, api: client.ApiClient, deployments: Any
) -> None:
    apps = client.AppsV1Api(api)
    listed = apps.list_namespaced_deployment("default")
    version = listed.metadata.resource_version
    apply(deployments, deployment("registry.example/web:1.0.0"))

    stream = watch.Watch().stream(
        apps.list_namespaced_deployment, "default", resource_version=version, timeout_seconds=1
    )
    types = [event["type"] for event in stream]
    sandbox_cluster.forget_changes()

    assert types[0] == "ADDED"
    assert set(types[1:]) == {"MODIFIED"}
    with pytest.raises(ApiException) as expired:
        list(deployments.watch(namespace="default", resource_version=version, timeout=1))
    assert expired.value.status == 410
    fresh = apps.list_namespaced_deployment("default").metadata.resource_version
    assert not list(deployments.watch(namespace="default", resource_version=fresh, timeout=1))


def test_a_viewer_is_refused_and_told_what_was_missing(sandbox_cluster: SandboxServer, tmp_path: Path) -> None:
    with api_client(sandbox_cluster, "viewer") as api:
        found = dynamic.DynamicClient(api, cache_file=str(tmp_path / "discovery"))
        kind = found.resources.get(api_version="apps/v1", kind="Deployment")
        with pytest.raises(ForbiddenError) as refused:
            apply(kind, deployment("registry.example/web:1.0.0"))

    assert 'User \\"viewer\\" cannot patch resource \\"deployments\\"' in refused.value.body


def test_an_invalid_object_is_refused_with_the_field(deployments: Any) -> None:
    body = deployment("registry.example/web:1.0.0")
    del body["spec"]["template"]["spec"]["containers"][0]["image"]

    with pytest.raises(UnprocessibleEntityError) as refused:
        apply(deployments, body)

    assert "spec.template.spec.containers[0].image: Required value" in refused.value.body


def test_deleting_a_deployment_takes_its_pods_with_it(api: client.ApiClient, deployments: Any) -> None:
    apply(deployments, deployment("registry.example/web:1.0.0"))
    core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
    assert eventually(lambda: len(core.list_namespaced_pod("default").items) == 2)

    apps.delete_namespaced_deployment("web", "default", propagation_policy="Foreground")

    assert eventually(lambda: not core.list_namespaced_pod("default").items)
    assert eventually(lambda: not apps.list_namespaced_deployment("default").items)


def test_a_stale_version_is_a_conflict(api: client.ApiClient, deployments: Any) -> None:
    apply(deployments, deployment("registry.example/web:1.0.0"))
    apps = client.AppsV1Api(api)
    read = apps.read_namespaced_deployment("web", "default")
    read.metadata.resource_version = "1"

    with pytest.raises(ApiException) as refused:
        apps.replace_namespaced_deployment("web", "default", read)

    assert refused.value.status == 409


def test_scale_patch_and_log_work(api: client.ApiClient, deployments: Any) -> None:
    apply(deployments, deployment("registry.example/web:1.0.0"))
    apps, core = client.AppsV1Api(api), client.CoreV1Api(api)
    apps.patch_namespaced_deployment_scale("web", "default", {"spec": {"replicas": 3}})

    assert eventually(lambda: apps.read_namespaced_deployment("web", "default").status.ready_replicas == 3)
    pod = core.list_namespaced_pod("default").items[0].metadata.name
    assert "registry.example/web:1.0.0: started" in core.read_namespaced_pod_log(pod, "default")


def test_lists_come_in_pages(api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    for name in ("a", "b", "c"):
        core.create_namespaced_secret("default", {"metadata": {"name": name}, "stringData": {"k": name}})

    first = core.list_namespaced_secret("default", limit=2)
    rest = core.list_namespaced_secret("default", limit=2, _continue=first.metadata._continue)

    assert [item.metadata.name for item in (*first.items, *rest.items)] == ["a", "b", "c"]
    assert not rest.metadata._continue
