"""The tables of legal moves: `transitions` makes every legal one, refuses every other, and nobody else writes one."""

import ast
from itertools import product
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from audit.models import Event
from deployments.models import Bake, Deployment, Step
from deployments.statuses import (
    BAKE_MOVES,
    DEPLOYMENT_MOVES,
    ENDED,
    STEP_MOVES,
    BakeStatus,
    DeploymentStatus,
    StepStatus,
)
from deployments.transitions import BAKE_EVENTS, DEPLOYMENT_EVENTS, STEP_EVENTS, move_bake, move_deployment, move_step
from releasemgr.core.actors import SYSTEM
from releasemgr.core.errors import WrongState
from releases.models import Release
from releases.statuses import RELEASE_MOVES, ReleaseStatus
from releases.transitions import EVENTS, move_release
from tests.architecture.world import World, build

RELEASES = [(a, b) for a, b in product(ReleaseStatus, repeat=2)]
DEPLOYMENTS = [(a, b) for a, b in product(DeploymentStatus, repeat=2)]
STEPS = [(a, b) for a, b in product(StepStatus, repeat=2)]


@pytest.fixture
def world(db: None) -> World:
    return build()


def events() -> int:
    return Event.objects.count()


def test_every_move_of_a_release(world: World) -> None:
    for source, to in RELEASES:
        Release.objects.filter(pk=world.draft.pk).update(status=source)
        release, told = Release.objects.get(pk=world.draft.pk), events()
        if RELEASE_MOVES.allows(source, to):
            move_release(release, to=to, actor=SYSTEM)
            newest = Event.objects.order_by("-sequence")[0]
            assert (newest.action, newest.changes["status"]) == (EVENTS[to], [source, to])
        else:
            with pytest.raises(WrongState):
                move_release(release, to=to, actor=SYSTEM)
            assert events() == told
        release.refresh_from_db()
        assert release.status == (to if RELEASE_MOVES.allows(source, to) else source)


def test_every_move_of_a_deployment(world: World) -> None:
    for source, to in DEPLOYMENTS:
        Deployment.objects.filter(pk=world.deployment.pk).update(status=source)
        deployment, told = Deployment.objects.get(pk=world.deployment.pk), events()
        if DEPLOYMENT_MOVES.allows(source, to):
            move_deployment(deployment, to=to)
            newest = Event.objects.order_by("-sequence")[0]
            assert (newest.action, newest.changes["status"]) == (DEPLOYMENT_EVENTS[to], [source, to])
        else:
            with pytest.raises(WrongState):
                move_deployment(deployment, to=to)
            assert events() == told
        deployment.refresh_from_db()
        assert deployment.status == (to if DEPLOYMENT_MOVES.allows(source, to) else source)


def test_every_move_of_a_step(world: World) -> None:
    row = world.deployment.steps.first()
    assert row is not None
    for source, to in STEPS:
        Step.objects.filter(pk=row.pk).update(status=source)
        step, told = Step.objects.select_related("deployment__environment").get(pk=row.pk), events()
        if STEP_MOVES.allows(source, to):
            move_step(step, to=to)
            newest = Event.objects.order_by("-sequence")[0]
            assert (newest.action, newest.changes[f"step.{step.name}"]) == (STEP_EVENTS[to], [source, to])
        else:
            with pytest.raises(WrongState):
                move_step(step, to=to)
            assert events() == told
        step.refresh_from_db()
        assert step.status == (to if STEP_MOVES.allows(source, to) else source)


def test_every_move_of_a_bake(world: World) -> None:
    bake = Bake.objects.create(deployment=world.deployment, until=timezone.now())
    for source, to in product(BakeStatus, repeat=2):
        Bake.objects.filter(pk=bake.pk).update(status=source)
        bake, told = Bake.objects.select_related("deployment__environment").get(pk=bake.pk), events()
        if BAKE_MOVES.allows(source, to):
            move_bake(bake, to=to, message="Because.")
            newest = Event.objects.order_by("-sequence")[0]
            assert (newest.action, newest.changes["bake"]) == (BAKE_EVENTS[to], [source, to])
        else:
            with pytest.raises(WrongState):
                move_bake(bake, to=to, message="Because.")
            assert events() == told
        bake.refresh_from_db()
        assert bake.status == (to if BAKE_MOVES.allows(source, to) else source)


def test_a_move_that_somebody_else_made_first_is_refused(world: World) -> None:
    mine, theirs = (Release.objects.get(pk=world.release.pk) for _ in range(2))
    move_release(theirs, to=ReleaseStatus.CANCELLED, actor=SYSTEM)

    with pytest.raises(WrongState):
        move_release(mine, to=ReleaseStatus.APPROVED, actor=SYSTEM)
    assert mine.status == "cancelled", "brought up to date, so that the page shows it"


def test_an_end_is_an_end() -> None:
    for status in ENDED:
        assert all(to == DeploymentStatus.ROLLED_BACK for to in DEPLOYMENT_MOVES.moves[status])
    assert set(RELEASE_MOVES.moves) == set(ReleaseStatus)
    assert set(DEPLOYMENT_MOVES.moves) == set(DeploymentStatus)
    assert set(STEP_MOVES.moves) == set(StepStatus)


APPS = ("accounts", "audit", "releases", "deployments", "releasemgr")
MAY_WRITE = {"releasemgr/core/statuses.py"}
# Brings a row that another worker may have moved up to date; nothing is saved.
MAY_COPY = {"deployments/services/control.py"}
# They know nothing of our rows: their `status` is a Kubernetes object's or an HTTP answer's.
STRANGERS = ("deployments/sandbox/", "deployments/targets/", "releasemgr/up/", "releasemgr/embedded/")


def sources() -> list[Path]:
    root = Path(settings.BASE_DIR)
    found = [path for app in APPS for path in (root / app).rglob("*.py") if "migrations" not in path.parts]
    return [path for path in found if not path.relative_to(root).as_posix().startswith(STRANGERS)]


def writes_of_status(tree: ast.AST) -> list[int]:
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            flat = [leaf for target in targets for leaf in ast.walk(target) if isinstance(leaf, ast.Attribute)]
            lines += [node.lineno for leaf in flat if leaf.attr == "status" and isinstance(leaf.ctx, ast.Store)]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            named = any(keyword.arg == "status" for keyword in node.keywords)
            if node.func.attr in ("update", "bulk_update", "update_or_create") and named:
                lines.append(node.lineno)
            texts = [leaf.value for leaf in ast.walk(node) if isinstance(leaf, ast.Constant)]
            if node.func.attr in ("save", "bulk_update") and "status" in texts:
                lines.append(node.lineno)
    return lines


def test_no_other_code_writes_a_status() -> None:
    root = Path(settings.BASE_DIR)
    found = []
    for path in sources():
        name = path.relative_to(root).as_posix()
        if name in MAY_WRITE | MAY_COPY:
            continue
        found += [f"{name}:{line}" for line in writes_of_status(ast.parse(path.read_text()))]
    assert found == [], "statuses are written by transitions.py alone"


@pytest.mark.parametrize(
    "code",
    ["release.status = 'x'", "a, b.status = 1, 2", "rows.update(status='x')", "obj.save(update_fields=['status'])"],
)
def test_the_search_finds_every_way_to_write_one(code: str) -> None:
    assert writes_of_status(ast.parse(code)) == [1]


def test_compare_and_set_is_called_by_transitions_alone() -> None:
    root = Path(settings.BASE_DIR)
    callers = {path.relative_to(root).as_posix() for path in sources() if "compare_and_set(" in path.read_text()}
    assert callers == {"releasemgr/core/statuses.py", "releases/transitions.py", "deployments/transitions.py"}
