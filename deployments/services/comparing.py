"""What the cluster says: about a release before it goes out, and about what others changed in what runs there.

Asked by people who wait and may look before they are allowed to do: nothing is changed, what Secrets hold is hidden
from everybody, and what was never ours is shown only to those who may deploy there. The network is asked, so none of
this belongs into a transaction.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from deployments.models import Deployment, Environment, Target
from deployments.models.places import TargetKind
from deployments.policies import can_deploy
from deployments.selectors import get_target, target_of
from deployments.services.clusters import connection_to
from deployments.services.planning import adapter_of, render_release, stamp, work_of
from deployments.services.pruning import left_behind
from deployments.statuses import StepName
from deployments.targets.base import Comparing, Connection, Manifest
from deployments.targets.comparison import RESULTS, ComparedObject, Comparison, Drift, DriftReport
from deployments.targets.kubernetes.comparing.compare import compare_stored
from releasemgr.core.actors import Actor
from releasemgr.core.errors import Invalid, TooManyAttempts
from releases.models import Release
from releases.statuses import DEPLOYABLE

__all__ = [
    "RESULTS",
    "Comparison",
    "Diff",
    "Drifted",
    "compare_release",
    "compare_with_former",
    "compare_with_stored",
    "drift_of",
    "sentences_of",
]

# "DIFF" in ASCII: one comparison at a time for each person.
LOCK = 0x44494646
TURN_SECONDS = 3.0
# A template may look up anything that the cluster's credentials may read, and write it where it is shown.
CHART_FOR_FEW = "A chart is compared for those who may deploy it here, once its release is approved."
NO_COMPARISON = "Targets of this kind can't be compared with the cluster beforehand; the preflight tells."


@dataclass(frozen=True)
class Diff:
    """What bringing `release` to `target` would change there, and what others have changed since our last apply."""

    release: Release
    target: Target
    objects: Sequence[ComparedObject] = ()
    drift: Sequence[Drift] = ()
    left_behind: Sequence[dict[str, str]] = ()
    problems: Sequence[str] = ()

    @property
    def conflicts(self) -> dict[str, list[str]]:
        """Field manager → what it holds and the release would change, in words."""
        held: dict[str, list[str]] = {}
        for each in self.objects:
            for conflict in each.conflicts:
                held.setdefault(conflict.manager, []).append(f"{each.kind} {each.name}: {', '.join(conflict.fields)}")
        return held


@dataclass(frozen=True)
class Drifted:
    """`since` is the deployment that applied last; nothing can have drifted without one."""

    target: Target
    since: Deployment | None
    found: Sequence[Drift] = ()
    problems: Sequence[str] = ()


def compare_release(*, actor: Actor, release: Release, environment: Environment) -> Diff:
    """Raises Invalid when the application has no target there, NotFound when the actor does not see it."""
    target = get_target(actor, target_of(release.application, environment).pk)
    try:
        imagined = _imagined(release, target)
    except Invalid as error:
        return Diff(release, target, problems=sentences_of(error))
    with _one_at_a_time(actor):
        compared, drift = _compare(actor, imagined), _drift(last_applied(target))
    return Diff(
        release=release,
        target=target,
        objects=[_for(actor, target, each) for each in compared.objects],
        drift=drift.found,
        left_behind=compared.left_behind,
        problems=list(dict.fromkeys([*compared.problems, *drift.problems])),
    )


def drift_of(*, actor: Actor, target: Target) -> Drifted:
    """`target` as the actor sees it."""
    since = last_applied(target)
    with _one_at_a_time(actor):
        report = _drift(since)
    return Drifted(target, since, report.found, report.problems)


def compare_with_former(deployment: Deployment) -> tuple[Deployment | None, Comparison]:
    """The deployment that applied to the same target before, and what changed since then, as it was stored."""
    former = last_applied(deployment.target, before=deployment)
    return former, compare_with_stored(former, deployment.manifests)


def compare_with_stored(former: Deployment | None, manifests: Sequence[Manifest]) -> Comparison:
    """As far as it can be known without the cluster; nothing where only the cluster knows the objects."""
    if not manifests:
        return Comparison()
    return compare_stored(former.manifests if former else [], manifests)


def sentences_of(error: Invalid) -> list[str]:
    """Why content does not fit a target, each problem for itself."""
    found = error.details.get("manifests")
    return [str(each) for each in found] if isinstance(found, list) else [error.message]


def last_applied(target: Target, *, before: Deployment | None = None) -> Deployment | None:
    """The newest deployment whose apply has begun, before that of `before`: the cluster should hold what it stored."""
    found = Deployment.objects.filter(
        target=target, sequence__isnull=False, steps__name=StepName.APPLY, steps__started_at__isnull=False
    )
    if before is not None and before.sequence is not None:
        found = found.filter(sequence__lt=before.sequence)
    elif before is not None:
        found = found.filter(created_at__lt=before.created_at)
    return found.select_related("release__application").order_by("-sequence").first()


def _imagined(release: Release, target: Target) -> Deployment:
    """The deployment that would start next; never saved. Raises Invalid for content that does not fit."""
    made = Deployment(
        target=target, application=release.application, environment=target.environment, release=release,
        overrides=target.overrides, strategy=target.strategy, manifests=render_release(release, target),
        sequence=target.deployment_sequence + 1,
    )  # fmt: skip
    made.prune = left_behind(target, made.manifests)
    made.manifests = stamp(made)
    return made


def _compare(actor: Actor, imagined: Deployment) -> Comparison:
    adapter = adapter_of(imagined)
    if not isinstance(adapter, Comparing):
        return Comparison(problems=(NO_COMPARISON,))
    is_trusted = imagined.release.status in DEPLOYABLE and can_deploy(actor, imagined.target)
    if imagined.target.kind == TargetKind.HELM and not is_trusted:
        return Comparison(problems=(CHART_FOR_FEW,))
    to = _connection(imagined.target)
    return Comparison(problems=(to,)) if isinstance(to, str) else adapter.compare(work_of(imagined, to))


def _drift(since: Deployment | None) -> DriftReport:
    if since is None or not since.manifests:
        return DriftReport()
    adapter = adapter_of(since)
    if not isinstance(adapter, Comparing):
        return DriftReport(problems=(NO_COMPARISON,))
    to = _connection(since.target)
    return DriftReport(problems=(to,)) if isinstance(to, str) else adapter.find_drift(work_of(since, to))


def _connection(target: Target) -> Connection | str:
    """The way to the cluster, or the sentence that says why there is none."""
    try:
        return connection_to(target.cluster)
    except Invalid as error:
        return error.message
    except ImproperlyConfigured as error:
        return str(error)


def _for(actor: Actor, target: Target, each: ComparedObject) -> ComparedObject:
    """A release may name any object of the namespace: what is not ours is no business of who only looks."""
    if each.is_ours or can_deploy(actor, target):
        return each
    return replace(each, changes=())


@contextmanager
def _one_at_a_time(actor: Actor) -> Iterator[None]:
    """Clusters are asked for one page of a person at a time. Raises TooManyAttempts when the turn does not come."""
    person = int.from_bytes(actor.user_id.bytes[:4], "big", signed=True) if actor.user_id else 0
    ends = time.monotonic() + TURN_SECONDS
    while not _ask("SELECT pg_try_advisory_lock(%s, %s)", person):
        if time.monotonic() > ends:
            raise TooManyAttempts(
                "The cluster is still being asked for you, in another window perhaps. Try again in a few seconds.",
                details={"retry_after_seconds": 5},
            )
        time.sleep(0.1)
    try:
        yield
    finally:
        _ask("SELECT pg_advisory_unlock(%s, %s)", person)


def _ask(sql: str, person: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(sql, [LOCK, person])
        row = cursor.fetchone()
    return bool(row and row[0])
