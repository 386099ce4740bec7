"""What a deployment would change, as the cluster itself sees it: a dry run of each write against the live object.

Nothing is changed. Where others hold fields, the dry run is repeated as if they were taken, so that there is something
to show; whether they really are is for a person to say.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deployments.targets import comparison
from deployments.targets.base import InvalidContent, Manifest, Work
from deployments.targets.comparison import ComparedObject, Comparison, Conflict
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.applying import fence, prune
from deployments.targets.kubernetes.applying.preflight import may_pass
from deployments.targets.kubernetes.applying.writing import Writing, Written
from deployments.targets.kubernetes.comparing import differences
from deployments.targets.kubernetes.comparing.owners import OUR_MANAGERS
from deployments.targets.kubernetes.secrecy import HIDDEN, is_secret
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wire.errors import ClusterError, NotFound, OwnedByOthers, OwnedField, Refused
from deployments.targets.kubernetes.wire.kubeconfig import InvalidKubeconfig
from deployments.targets.kubernetes.wire.parallel import Inquiry
from deployments.targets.kubernetes.wording import clean

# Of the whole comparison, and of each request (to connect, to answer): a person waits for it.
SECONDS = 5.0
REQUEST_TIMEOUTS = (3.0, 5.0)
MOST_CHANGES = 80
MOST_CHANGES_IN_ALL = 800
# Path of a field in a Secret: its names, not what a list of values may hold.
PLAIN_FIELDS = ("data", "stringData", "metadata", "type", "immutable")

# Tries the write of one object of the work, as the apply would do it. Raises a ClusterError.
Try = Callable[[Manifest], Written]
Writer = Callable[[Cluster, Work], Try]
# The work with its objects, where only the cluster or the chart knows them. Raises a ClusterError or InvalidContent.
Prepare = Callable[[Cluster, Work], Work]


def by_apply(cluster: Cluster, work: Work) -> Try:
    """As `apply` writes: by server-side apply, what others hold only where `work.take_over` names them."""
    writing = Writing(cluster, work)
    return lambda item: writing.write(item, dry_run=True)


def as_it_is(cluster: Cluster, work: Work) -> Work:
    """The objects are known."""
    return work


def compare(
    work: Work, writer: Writer = by_apply, prepare: Prepare = as_it_is, *, seconds: float = SECONDS
) -> Comparison:
    """`work.objects` against the cluster. Raises nothing of its own: what can't be told is a problem."""
    try:
        with Inquiry(seconds) as inquiry:
            cluster = inquiry.ask(lambda: Cluster(work.connection, timeouts=REQUEST_TIMEOUTS))
            ready = inquiry.ask(lambda: prepare(cluster, work))
            write = inquiry.ask(lambda: writer(cluster, ready))
            found = inquiry.ask_all(lambda item: _try(cluster, ready, item, write, writer), ready.objects)
            candidates = work.prune[: prune.MOST_OBJECTS]
            removable = inquiry.ask_all(lambda each: prune.is_removable(cluster, each, work), candidates)
    except (InvalidKubeconfig, ClusterError) as error:
        return Comparison(problems=(str(error),))
    except InvalidContent as error:
        return Comparison(problems=error.problems)
    tried = list(zip(ready.objects, found, strict=True))
    compared, shortened = _bounded([_told(item, each, ready) for item, each in tried])
    left = tuple(dict(each) for each, goes in zip(candidates, removable, strict=True) if goes is True)
    return Comparison(compared, left, (*_problems(tried, ready), *shortened))


def compare_stored(before: Sequence[Manifest], after: Sequence[Manifest]) -> Comparison:
    """The objects of one deployment against those of another. Pure: without the cluster."""
    was = {_identity(item): item for item in before}
    will = {_identity(item): item for item in after}
    kept, shortened = _bounded([_told_stored(was.get(key), will.get(key)) for key in {**will, **was}])
    return Comparison(kept, problems=tuple(shortened))


@dataclass(frozen=True, slots=True)
class _Tried:
    """`before` is what the object replaces: itself, or the variant that runs beside it."""

    before: Manifest | None
    after: Manifest
    conflicts: tuple[OwnedField, ...] = ()


def _try(cluster: Cluster, work: Work, item: Manifest, write: Try, writer: Writer) -> _Tried:
    conflicts: tuple[OwnedField, ...] = ()
    try:
        written = write(item)
    except OwnedByOthers as error:
        conflicts = tuple(owned for owned in error.fields if owned.manager not in OUR_MANAGERS)
        everybody = (*work.take_over, *(owned.manager for owned in error.fields))
        written = writer(cluster, replace(work, take_over=everybody))(item)
    if written.before is None:
        # Of a new object only what was asked for is told, not all that the server fills in.
        variant = _running_variant(cluster, work, item)
        return _Tried(variant, written.after if variant else item, conflicts)
    return _Tried(written.before, written.after, conflicts)


def _running_variant(cluster: Cluster, work: Work, item: Manifest) -> Manifest | None:
    """What a blue/green workload comes up beside: the newest of this target that was made from the same name."""
    name = objects.annotation(item, objects.VARIANT_OF)
    if not name:
        return None
    variants = cluster.list(str(item["apiVersion"]), str(item["kind"]), work.namespace, labels=objects.VARIANT)
    ours = [each for each in variants if fence.is_ours(each, work)]
    same = [each for each in ours if objects.annotation(each, objects.VARIANT_OF) == name]
    return max(same, key=objects.sequence_of, default=None)


def _told(item: Manifest, found: "_Tried | ClusterError", work: Work) -> ComparedObject:
    kind, name = str(item["kind"]), objects.name_of(item)
    if isinstance(found, ClusterError):
        if may_pass(item, found, work.objects):
            return _compared(kind, name, None, item)
        return ComparedObject(kind, name, comparison.REFUSED if isinstance(found, Refused) else comparison.UNKNOWN)
    return replace(
        _compared(kind, name, found.before, found.after),
        conflicts=_conflicts(item, found.conflicts),
        is_ours=found.before is None or fence.is_ours(found.before, work),
    )


def _told_stored(before: Manifest | None, after: Manifest | None) -> ComparedObject:
    item = after or before or {}
    kind, name = clean(item.get("kind"), limit=100), clean(objects.name_of(item), limit=253)
    return _compared(kind, name, before, after) if after is not None else ComparedObject(kind, name, comparison.GONE)


def _compared(kind: str, name: str, before: Manifest | None, after: Manifest) -> ComparedObject:
    try:
        changes = tuple(differences.changes(_under_its_name(before, after), after))
    except RecursionError:
        return ComparedObject(kind, name, comparison.UNKNOWN)
    result = comparison.CREATED if before is None else comparison.CHANGED if changes else comparison.UNCHANGED
    return ComparedObject(kind, name, result, changes)


def _under_its_name(before: Manifest | None, after: Manifest) -> Manifest | None:
    """A variant and the one before it differ by name in any case."""
    if before is None or objects.name_of(before) == objects.name_of(after):
        return before
    return {**before, "metadata": {**objects.metadata(before), "name": objects.name_of(after)}}


def _identity(item: Manifest) -> tuple[str, str, str]:
    return objects.group_of(item), str(item.get("kind")), objects.base_name(item)


def _conflicts(item: Manifest, fields: Sequence[OwnedField]) -> tuple[Conflict, ...]:
    shown = [(owned.manager, _field_of_secret(owned.field) if is_secret(item) else owned.field) for owned in fields]
    managers = dict.fromkeys(manager for manager, _ in shown)
    return tuple(
        Conflict(manager, tuple(dict.fromkeys(field for who, field in shown if who == manager))) for manager in managers
    )


def _field_of_secret(path: str) -> str:
    return path if path.split(".")[0] in PLAIN_FIELDS and not set('[]="') & set(path) else HIDDEN


def _problems(tried: Sequence[tuple[Manifest, Any]], work: Work) -> list[str]:
    errors = [
        found for item, found in tried if isinstance(found, ClusterError) and not may_pass(item, found, work.objects)
    ]
    if any(isinstance(error, NotFound) and error.missing_namespace for error in errors):
        return [f"The namespace “{work.namespace}” does not exist on the cluster. Create it, or change the target."]
    return list(dict.fromkeys(map(str, errors)))


def _bounded(compared: Sequence[ComparedObject]) -> tuple[tuple[ComparedObject, ...], list[str]]:
    """No more changes than a person reads, and a sentence about those left out."""
    left, kept, shortened = MOST_CHANGES_IN_ALL, [], []
    for each in compared:
        most = min(MOST_CHANGES, left)
        left -= min(most, len(each.changes))
        kept.append(replace(each, changes=each.changes[:most]))
        if len(each.changes) > most:
            shortened.append(f"Of {each.kind} {each.name} only {most} of {len(each.changes)} changes are shown.")
    return tuple(kept), shortened
