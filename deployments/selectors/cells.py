"""The cells of the board: what runs, moves and waits in one place."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from deployments.models import Deployment, Environment, Target
from deployments.selectors.waves import names_of
from deployments.statuses import DeploymentStatus

Place = tuple[UUID, UUID]


@dataclass
class Cell:
    """One application in one environment, or in one of several targets there.

    `current` is what runs, as far as we brought it; `latest` the last one that started; `moving` is under way now;
    `waiting` asked for its turn. Of several targets the cell is the first one's, and `further` holds the others';
    `name` is then what the target is called.
    """

    environment: Environment
    is_set_up: bool = False
    name: str = ""
    current: Deployment | None = None
    latest: Deployment | None = None
    moving: Deployment | None = None
    waiting: list[Deployment] = field(default_factory=list)
    further: list["Cell"] = field(default_factory=list)

    @property
    def targets(self) -> list["Cell"]:
        """The cells of all targets, in the order in which they are served."""
        return [self, *self.further]

    @property
    def is_mixed(self) -> bool:
        """Several targets that are not all alike: each is shown for itself."""
        versions = {each.current.release_id if each.current else None for each in self.targets}
        restless = any(each.moving or each.failed or each.waiting for each in self.targets)
        return bool(self.further) and (len(versions) > 1 or restless)

    @property
    def failed(self) -> Deployment | None:
        """The last attempt, when it left the place in doubt."""
        bad = (DeploymentStatus.FAILED, DeploymentStatus.CANCELLED)
        return self.latest if self.latest is not None and self.latest.status in bad else None

    @property
    def taken_back(self) -> str:
        """What runs came back with a rollback of this version."""
        current: Any = self.current
        if current is None or self.latest is None or current.pk != self.latest.pk:
            return ""
        return current.taken_back_version or ""

    @property
    def health(self) -> str:
        """A word of `releasemgr.core.looks`."""
        if self.current is None:
            return "unhealthy" if self.failed else "unknown"
        return "degraded" if self.failed else "healthy"

    @property
    def shown(self) -> Deployment | None:
        """Where the cell leads."""
        return self.moving or self.failed or self.current or (self.waiting[0] if self.waiting else None)


def cells_of(
    environments: Iterable[Environment], targets: Iterable[Target], deployments: Iterable[Deployment]
) -> dict[Place, Cell]:
    """(application id, environment id) → its cell. `targets` come in the order in which they are served."""
    by_id = {each.pk: each for each in deployments}
    by_environment = {each.pk: each for each in environments}
    cells: dict[Place, Cell] = {}
    by_target: dict[UUID, Cell] = {}
    rows: list[Any] = list(targets)
    for target in rows:
        cell = by_target[target.pk] = Cell(
            by_environment[target.environment_id],
            is_set_up=True,
            current=by_id.get(target.current_id),
            latest=by_id.get(target.latest_id),
        )
        first = cells.setdefault((target.application_id, target.environment_id), cell)
        if first is not cell:
            first.further.append(cell)
    _name(rows, by_target)
    for each in sorted(by_id.values(), key=asked_at):
        found = by_target.get(each.target_id)
        if found is not None and each.status == DeploymentStatus.IN_PROGRESS:
            found.moving = each
        elif found is not None and each.status == DeploymentStatus.PENDING:
            found.waiting.append(each)
    return cells


def _name(targets: Iterable[Target], cells: Mapping[UUID, Cell]) -> None:
    """Those that share their place with others."""
    together: dict[Place, list[Target]] = {}
    for target in targets:
        together.setdefault((target.application_id, target.environment_id), []).append(target)
    for group in together.values():
        for pk, name in names_of(group).items() if len(group) > 1 else ():
            cells[pk].name = name


def asked_at(deployment: Deployment) -> tuple[datetime, UUID]:
    return deployment.created_at, deployment.pk
