"""Fixtures around the sandbox cluster: import them in a conftest."""

from collections.abc import Iterator
from typing import Any

import pytest

from deployments.sandbox.server import SandboxServer

# Containers start and end this many times faster than in the demo; progress deadlines stay in real seconds.
TEST_SPEED = 10.0


@pytest.fixture
def sandbox_cluster() -> Iterator[SandboxServer]:
    """A cluster of its own for one test: empty but for `default`, quick, gone afterwards (about 30 ms)."""
    with SandboxServer(speed=TEST_SPEED) as server:
        yield server


@pytest.fixture
def sandbox_kubeconfig(sandbox_cluster: SandboxServer) -> dict[str, Any]:
    """The administrator's kubeconfig, as a parsed document."""
    return sandbox_cluster.kubeconfig
