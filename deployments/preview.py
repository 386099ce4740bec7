"""What would happen, asked before it is asked for: what changes, and what would hold it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deployments.engine.gates import Gate, ask_gates
from deployments.masking import masked
from deployments.models import Deployment, Environment, Target
from deployments.policies import why_not_deploy
from deployments.selectors import running_now, target_of
from deployments.services.comparing import Comparison, compare_with_stored, sentences_of
from deployments.services.planning import render_release
from deployments.statuses import DeploymentStatus
from releasemgr.core.actors import Actor
from releasemgr.core.errors import Invalid
from releases.models import Release


@dataclass(frozen=True)
class ImageChange:
    """`now` is what runs, as far as we brought it; empty for a container that is new (or, in `then`, gone)."""

    container: str
    now: str
    then: str

    @property
    def changes(self) -> bool:
        return self.now != self.then


@dataclass(frozen=True)
class Preview:
    """`manifests` are masked, `stored` is what changes against what runs there as far as we brought it.

    `blocked_by` are the closed gates, a missing right among them.
    """

    release: Release
    target: Target
    running: Deployment | None
    images: list[ImageChange]
    manifests: list[dict[str, Any]]
    stored: Comparison
    blocked_by: list[Gate]

    @property
    def is_impossible(self) -> bool:
        """A right is missing, or a gate is closed for good: asking would be refused."""
        return any(gate.final for gate in self.blocked_by)


def preview(actor: Actor, release: Release, environment: Environment, *, now: datetime) -> Preview:
    """As far as it can be known without the cluster. Raises Invalid when the application has no target there."""
    target = target_of(release.application, environment)
    running = running_now([target]).get(target.pk)
    blocked = _missing_right(actor, target)
    try:
        manifests = render_release(release, target)
    except Invalid as exc:
        manifests = []
        blocked += [Gate("content", open=False, sentence=each, final=True) for each in sentences_of(exc)]
    blocked += [gate for gate in ask_gates(_imagined(actor, release, target, now), now) if not gate.open]
    return Preview(
        release=release,
        target=target,
        running=running,
        images=image_changes(running.release.images if running else {}, release.images),
        manifests=masked(manifests),
        stored=compare_with_stored(running, manifests),
        blocked_by=blocked,
    )


def stored_changes(release: Release, target: Target) -> Comparison:
    """What changes against what runs there, as far as we brought it. Empty for content that does not fit."""
    try:
        manifests = render_release(release, target)
    except Invalid:
        manifests = []
    return compare_with_stored(running_now([target]).get(target.pk), manifests)


def image_changes(now: Mapping[str, str], then: Mapping[str, str]) -> list[ImageChange]:
    return [ImageChange(name, now.get(name, ""), then.get(name, "")) for name in sorted({*now, *then})]


def _missing_right(actor: Actor, target: Target) -> list[Gate]:
    sentence = why_not_deploy(actor, target)
    if not sentence:
        return []
    return [Gate("permission", open=False, sentence=sentence, can_open=[target.application.team.name], final=True)]


def _imagined(actor: Actor, release: Release, target: Target, now: datetime) -> Deployment:
    """The deployment that would be asked for; never saved."""
    return Deployment(
        target=target,
        application=target.application,
        environment=target.environment,
        release=release,
        release_digest=release.digest,
        deployed_by=actor.user,
        created_at=now,
    )


def gates_of(deployment: Deployment, now: datetime) -> list[Gate]:
    """Asked anew while it waits; afterwards what they said last."""
    if deployment.status == DeploymentStatus.PENDING:
        return ask_gates(deployment, now)
    return [stored_gate(row) for row in deployment.gates]


def stored_gate(row: Mapping[str, Any]) -> Gate:
    opens_at = row.get("opens_at")
    return Gate(
        kind=row["kind"],
        open=row["open"],
        sentence=row["sentence"],
        opens_at=datetime.fromisoformat(opens_at) if opens_at else None,
        can_open=list(row.get("can_open") or []),
        final=bool(row.get("final")),
    )
