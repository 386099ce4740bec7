"""Works and manifests that the tests of this folder share."""

import copy
from collections.abc import Mapping
from typing import Any

from deployments.targets.base import Connection, Work

DEPLOYMENT: Mapping[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "app", "image": "registry.example/web:0.0.0"}]},
        },
    },
}
CONFIG_MAP: Mapping[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "web"},
    "data": {"COLOUR": "blue"},
}
SECRET: Mapping[str, Any] = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "web"},
    "stringData": {"PASSWORD": "canary-7f3a"},
}
SERVICE: Mapping[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
}


def connection(server: str = "http://127.0.0.1:1", token: str = "test-token", key: str = "") -> Connection:
    return Connection(
        key=key or f"{server} {token}",
        kubeconfig={
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": token}}],
        },
    )


def deployment(**spec: Any) -> dict[str, Any]:
    made = copy.deepcopy(dict(DEPLOYMENT))
    made["spec"].update(spec)
    return made


def work(**changes: Any) -> Work:
    values: dict[str, Any] = {
        "deployment_id": "d-1",
        "sequence": 1,
        "target_id": "t-1",
        "application": "web",
        "version": "1.0.0",
        "environment": "staging",
        "namespace": "shop",
        "connection": connection(),
        "manifests": (DEPLOYMENT,),
        "images": {"app": "registry.example/web:1.0.0"},
    }
    return Work(**(values | changes))
