"""The database goes away under workers and observers, and comes back."""

from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection

from audit.models import Event
from deployments.engine import claims
from deployments.engine.runner import Outcome, tick
from tests.engine.conftest import Crew, ScriptedTarget
from tests.engine.racing import Racers
from tests.engine.test_leases import Pause, held_by_another_worker

pytestmark = pytest.mark.django_db(transaction=True)


def cut_all_other_connections() -> None:
    """What a restart of the server, or a fail-over, does to its clients."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.mark.parametrize("step", ["preflight", "apply", "rollout"])
def test_a_worker_that_loses_its_connection_in_a_step_leaves_the_work_to_the_next(
    crew: Crew, world: ScriptedTarget, racers: Racers, step: str
) -> None:
    deployment, pause = crew.deploy("1.0.0"), Pause(world, step)
    with suppress(DatabaseError), held_by_another_worker(racers, deployment, pause):
        cut_all_other_connections()

    crew.wait(deployment)
    assert crew.run(deployment).status == "succeeded"
    assert world.changes == ["1.0.0"]
    assert Event.objects.filter(action="deployment.succeeded", resource_id=str(deployment.pk)).count() == 1


def test_a_lease_is_renewed_over_a_cut_connection(
    crew: Crew, world: ScriptedTarget, racers: Racers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "LEASE", timedelta(seconds=1.2))
    deployment, pause = crew.deploy("1.0.0"), Pause(world, "apply")
    with suppress(DatabaseError), held_by_another_worker(racers, deployment, pause):
        sleep(0.6)
        cut_all_other_connections()
        for _ in range(3):
            sleep(0.6)
            assert tick(deployment.pk) is Outcome.LEFT, "its worker lives, so it keeps the lease"


def sleep(seconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [seconds])
