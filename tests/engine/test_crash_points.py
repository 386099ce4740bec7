"""A kill before every write of a tick: the next worker finishes the work, once.

A kill after a write is one of these too: inside a transaction it is the kill before the transaction's first write,
and after an autocommitted write it is the kill before the next.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from audit.models import Event
from deployments.models import Deployment
from deployments.targets.base import Failed, Running, Succeeded
from tests.engine.conftest import Crew, ScriptedTarget

WRITES = ("INSERT", "UPDATE", "DELETE")
# Each part takes every fourth write, so that test workers share them.
PARTS = 4


class Killed(BaseException):
    """What kill -9 is to the code above it: no `except Exception` sees it."""


@contextmanager
def killed_before(write: int) -> Iterator[None]:
    """Raise Killed at the given write. An open transaction rolls back, as the server does for a lost client."""
    seen = 0

    def wrapper(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        nonlocal seen
        seen += sql.lstrip().upper().startswith(WRITES)
        if seen == write:
            seen += 1
            raise Killed
        return execute(sql, params, many, context)

    with connection.execute_wrapper(wrapper):
        yield


def run_with_one_kill(crew: Crew, version: str, write: int) -> tuple[Deployment, bool]:
    deployment = crew.deploy(version)
    killed = False
    try:
        with killed_before(write):
            crew.run_all()
    except Killed:
        killed = True
    crew.run_all(rounds=30)
    deployment.refresh_from_db()
    return deployment, killed


def assert_told_once(deployment: Deployment) -> None:
    events = list(Event.objects.filter(resource_id=str(deployment.pk)).values_list("action", "data__step"))
    once = [event for event in events if event[0] != "deployment.requested"]
    assert len(once) == len(set(once)), once


@pytest.mark.parametrize("part", range(PARTS))
def test_a_kill_at_any_write_of_a_success_ends_in_one_success(crew: Crew, world: ScriptedTarget, part: int) -> None:
    for write in range(part + 1, 200, PARTS):
        world.answers["rollout"] = [Running("1 of 2"), Succeeded("2 of 2")]
        world.changes.clear()
        deployment, killed = run_with_one_kill(crew, f"1.0.{write}", write)

        assert deployment.status == "succeeded", write
        assert world.changes == [f"1.0.{write}"]
        assert_told_once(deployment)
        if not killed:
            break
    assert write > 25, "the kill must have met every write of the whole run"


@pytest.mark.parametrize("part", range(PARTS))
def test_a_kill_at_any_write_of_a_failure_ends_in_one_rollback(crew: Crew, world: ScriptedTarget, part: int) -> None:
    crew.run(crew.deploy("1.0.0"))
    for write in range(part + 1, 300, PARTS):
        world.answers["rollout"] = [Failed("CrashLoopBackOff"), Succeeded("back")]
        world.changes.clear()
        bad, killed = run_with_one_kill(crew, f"2.0.{write}", write)
        if world.answers["rollout"] == [Succeeded("back")] and bad.status == "succeeded":
            # Killed after the verdict, before it was saved: the second look found the workload well.
            assert world.changes == [f"2.0.{write}"]
            crew.run(crew.deploy(f"1.1.{write}"))
            continue

        assert bad.status == "rolled_back", write
        assert bad.rollbacks.count() == 1
        assert world.changes[:1] == [f"2.0.{write}"]
        assert len(world.changes) == 2
        assert_told_once(bad)
        assert_told_once(bad.rollbacks.get())
        if not killed:
            break
    assert write > 40
