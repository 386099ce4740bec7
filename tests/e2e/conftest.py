"""The product as it runs, with the demo company in it, and people who look at it in browsers of their own."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, expect

from deployments.demo.content import PASSWORD
from releasemgr.embedded import running_url
from releasemgr.up.programs import DEMO_NAMESPACES
from tests.browser import chromium
from tests.e2e.places import Place
from tests.e2e.rest import Rest
from tests.e2e.visitors import Visitor
from tests.stack import Stack, own_database

__all__ = ["chromium"]

# What a busy machine needs; an expectation that holds is met at once.
expect.set_options(timeout=15_000)

SANDBOX = ["deployments.sandbox", *(f"--namespace={name}" for name in DEMO_NAMESPACES)]
# Pods come and go this many times faster than in the demo.
SPEED = "2"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Its own database, cluster and processes; the demo's releases are on their way while the tests run."""
    folder = tmp_path_factory.mktemp("stack")
    url = os.environ.get("DATABASE_URL") or running_url(settings.STATE_DIR / "pg18")
    assert url, "No database server is known: run `make test`, or set DATABASE_URL."
    with own_database(url, f"releasemgr_e2e_{os.getpid()}") as own_url:
        environment = os.environ | {"DATABASE_URL": own_url, "ENVIRONMENT": "development", "REDIS_URL": ""}
        sandbox = [*SANDBOX, "--speed", SPEED, "--state-dir", str(folder / "cluster")]
        with Stack.start(folder, environment=environment, sandbox=sandbox, prepare=_furnish) as running:
            yield running


def _furnish(stack: Stack) -> None:
    stack.run_once("furnish", "-m", "tests.e2e.furnish", str(stack.kubeconfig))


@pytest.fixture(scope="session")
def rest(stack: Stack) -> Callable[[str], Rest]:
    """The API as a person of the demo uses it."""
    known: dict[str, Rest] = {}

    def of(username: str) -> Rest:
        if username not in known:
            known[username] = Rest.log_in(stack.web, username, PASSWORD)
        return known[username]

    return of


@pytest.fixture
def place(rest: Callable[[str], Rest]) -> Place:
    """An application of this test's own, in the team of Maya and Jonas, with a target in development."""
    return Place.make(rest)


@pytest.fixture(scope="session")
def sessions() -> dict[str, Any]:
    """Cookies of those who have logged in."""
    return {}


@pytest.fixture
def visit(stack: Stack, chromium: Browser, sessions: dict[str, Any]) -> Iterator[Callable[..., Visitor]]:
    """`visit("maya")`: Maya, logged in, with a browser of her own; `visit()`: a stranger.

    Whoever came must have had nothing to complain about: errors of scripts, refused content, failed requests.
    """
    came: list[Visitor] = []

    def arrive(username: str = "", **context: Any) -> Visitor:
        if username and username not in sessions:
            sessions[username] = _log_in(chromium, stack.web, username)
        state = sessions.get(username)
        visitor = Visitor(chromium.new_context(base_url=stack.web, storage_state=state, **context))
        came.append(visitor)
        return visitor

    yield arrive
    complaints = [complaint for visitor in came for complaint in visitor.leave()]
    assert not complaints, "\n".join(complaints)


def _log_in(chromium: Browser, web: str, username: str) -> Any:
    visitor = Visitor(chromium.new_context(base_url=web))
    visitor.sign_in(username, PASSWORD)
    state = visitor.context.storage_state()
    assert not visitor.leave()
    return state
