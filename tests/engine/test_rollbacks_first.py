"""Whose turn it is when something has to be taken back."""

import pytest

from deployments import services
from deployments.targets.base import Failed, Running, Succeeded
from releasemgr.core.errors import WrongState
from tests.engine.conftest import Crew, ScriptedTarget
from tests.factories import actor


def test_an_automatic_rollback_goes_before_what_was_queued_earlier(crew: Crew, world: ScriptedTarget) -> None:
    """Otherwise it would run after the queued release, and take that away."""
    crew.run(crew.deploy("1.0.0"))
    world.answers["rollout"] = [Running("1 of 2"), Failed("CrashLoopBackOff"), Succeeded("2 of 2")]
    bad = crew.run(crew.deploy("2.0.0"))
    queued = crew.run(crew.deploy("3.0.0"))
    crew.wait(bad)
    crew.run(bad)
    crew.wait(queued)
    crew.run(queued)
    crew.run_all()

    assert world.changes == ["1.0.0", "2.0.0", "1.0.0", "3.0.0"]
    queued.refresh_from_db()
    assert queued.status == "succeeded"


def test_a_second_rollback_of_the_same_deployment_is_refused(crew: Crew, world: ScriptedTarget) -> None:
    crew.run(crew.deploy("1.0.0"))
    bad = crew.run(crew.deploy("2.0.0"))
    person = actor(crew.deployer)
    services.rollback_deployment(actor=person, deployment=bad, reason="Carts are empty")

    with pytest.raises(WrongState, match="already being rolled back"):
        services.rollback_deployment(actor=person, deployment=bad, reason="Carts are empty")
