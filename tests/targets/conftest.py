"""A cluster to talk to, over HTTP, as the product does."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from deployments.sandbox.identity import Identity, Rule, administrator
from deployments.sandbox.server import SandboxServer
from deployments.targets.base import Connection, Work
from deployments.targets.kubernetes.wire.connections import get_client
from tests.targets import works

SPEED = 20.0
_numbers = itertools.count(1)
DEPLOYER = Rule(
    frozenset({"get", "list", "watch", "create", "patch"}),
    resources=frozenset(
        {"deployments", "replicasets", "pods", "events", "services", "configmaps", "secrets", "pods/log"}
    ),
)
READER = Rule(frozenset({"get", "list", "watch"}))


@dataclass
class Place:
    """A namespace of the sandbox cluster, and works that go there."""

    server: SandboxServer
    namespace: str

    def connection(self, user: str = "admin") -> Connection:
        return Connection(key=f"{self.server.url} {user}", kubeconfig=self.server.kubeconfig_of(user))

    def work(self, *, user: str = "admin", **changes: Any) -> Work:
        values = {"namespace": self.namespace, "connection": self.connection(user)}
        return works.work(**(values | changes))

    def request(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """As an administrator, past the adapter."""
        content = "application/apply-patch+yaml" if method == "PATCH" else "application/json"
        client = get_client(self.connection())
        answer = client.request(method, path, body=body, query_params=list(query.items()), content_type=content)
        return answer.to_dict()

    def path(self, plural: str, name: str = "", api: str = "apis/apps/v1") -> str:
        return f"/{api}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    def writes(self) -> list[str]:
        """The changing requests to this namespace so far that were no dry runs or reviews."""
        return [
            f"{asked.method} {asked.path}"
            for asked in self.server.requests
            if asked.method != "GET" and "dryRun" not in asked.query and f"/namespaces/{self.namespace}/" in asked.path
        ]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    identities = [administrator(), Identity("deployer", (DEPLOYER,)), Identity("reader", (READER,)), Identity("nobody")]
    with SandboxServer(speed=SPEED, identities=identities) as server:
        yield server


@pytest.fixture
def place(sandbox: SandboxServer) -> Place:
    """A namespace of its own for each test."""
    made = Place(sandbox, f"shop-{next(_numbers)}")
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": made.namespace}}
    made.request("POST", "/api/v1/namespaces", body)
    return made
