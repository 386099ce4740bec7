"""Kinds made by definitions outlive a restart, and go with their definition."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kubernetes import client, config

from deployments.sandbox.server import SandboxServer

DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}
WIDGET = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "one"}, "spec": {"any": [1, {"a": 2}]}}


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def widgets(server: SandboxServer) -> list[dict[str, Any]] | None:
    """None while the kind is not served."""
    api = client.CustomObjectsApi(config.new_client_from_config_dict(server.kubeconfig))
    try:
        found: list[dict[str, Any]] = api.list_namespaced_custom_object("example.com", "v1", "default", "widgets")[
            "items"
        ]
        return found
    except client.ApiException as error:
        assert error.status == 404
        return None


def test_custom_objects_live_as_long_as_their_definition(tmp_path: Path) -> None:
    with SandboxServer(speed=50, state_dir=tmp_path) as server:
        api = config.new_client_from_config_dict(server.kubeconfig)
        client.ApiextensionsV1Api(api).create_custom_resource_definition(DEFINITION)
        eventually(lambda: widgets(server) == [])
        client.CustomObjectsApi(api).create_namespaced_custom_object("example.com", "v1", "default", "widgets", WIDGET)
    with SandboxServer(speed=50, state_dir=tmp_path) as server:
        assert [item["spec"] for item in widgets(server) or []] == [WIDGET["spec"]]
        api = config.new_client_from_config_dict(server.kubeconfig)
        client.ApiextensionsV1Api(api).delete_custom_resource_definition("widgets.example.com")
        eventually(lambda: widgets(server) is None)
