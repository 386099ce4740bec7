"""What brings a deployment to a worker."""

from django_q.models import OrmQ

from deployments.services import waking
from tests.engine.conftest import Crew, ScriptedTarget


def test_sweeps_without_workers_do_not_fill_the_queue_for_ever(crew: Crew, world: ScriptedTarget) -> None:
    for number in range(3):
        crew.deploy(f"1.0.{number}")
    for _ in range(150):
        waking.wake_due()

    assert OrmQ.objects.count() < waking.LONG_QUEUE + 3


def test_a_sweep_finds_work_whose_task_was_lost(crew: Crew, world: ScriptedTarget) -> None:
    crew.deploy("1.0.0")
    OrmQ.objects.all().delete()

    assert waking.wake_due() == 1
    assert OrmQ.objects.count() == 1
