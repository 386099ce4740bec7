"""What an apply would change, as the cluster itself sees it: a server-side dry run against each live object.

Nothing is changed. Where others hold fields, the dry run is repeated as if they were taken, so that there is something
to show; whether they really are is for a person to say.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deployments.targets import comparison
from deployments.targets.base import Manifest, Work
from deployments.targets.comparison import ComparedObject, Comparison, Conflict, FieldChange
from deployments.targets.kubernetes import differences, objects
from deployments.targets.kubernetes.cluster import Cluster
from deployments.targets.kubernetes.errors import ClusterError, NotFound, OwnedByOthers, OwnedField, Unavailable
from deployments.targets.kubernetes.kubeconfig import InvalidKubeconfig
from deployments.targets.kubernetes.parallel import Inquiry
from deployments.targets.kubernetes.secrecy import HIDDEN, is_secret
from deployments.targets.kubernetes.wording import clean

# Of the whole comparison, and of each request (to connect, to answer): a person waits for it.
SECONDS = 5.0
REQUEST_TIMEOUTS = (3.0, 5.0)
MOST_CHANGES = 80
MOST_CHANGES_IN_ALL = 800
MOST_LEFT_BEHIND = 100
# Path of a field in a Secret: its names, not what a list of values may hold.
PLAIN_FIELDS = ("data", "stringData", "metadata", "type", "immutable")

# An object as it would be after the apply; `force` as if every field of others were taken.
DryRun = Callable[[Cluster, Manifest, bool], dict[str, Any]]


def by_apply(cluster: Cluster, item: Manifest, force: bool) -> dict[str, Any]:  # noqa: FBT001 - one signature for all
    """What a server-side apply would make of it."""
    return cluster.apply(item, dry_run=True, force=force)


def compare(work: Work, dry_run: DryRun = by_apply, *, seconds: float = SECONDS) -> Comparison:
    """`work.objects` against the cluster. Raises nothing of its own: what can't be told is a problem."""
    try:
        with Inquiry(seconds) as inquiry:
            cluster = inquiry.ask(lambda: Cluster(work.connection, timeouts=REQUEST_TIMEOUTS))
            found = inquiry.ask_all(lambda item: _compare_one(cluster, item, work, dry_run), work.objects)
            left = inquiry.ask_all(lambda each: _is_ours(cluster, each, work), work.prune[:MOST_LEFT_BEHIND])
    except (InvalidKubeconfig, ClusterError) as error:
        return Comparison(problems=(str(error),))
    compared, shortened = _bounded([_told(item, each) for item, each in zip(work.objects, found, strict=True)])
    problems = [*_problems(found, work.namespace), *shortened]
    kept = tuple(dict(each) for each, ours in zip(work.prune, left, strict=False) if ours is True)
    return Comparison(compared, kept, tuple(problems))


def compare_stored(before: Sequence[Manifest], after: Sequence[Manifest]) -> Comparison:
    """The objects of one deployment against those of another. Pure: without the cluster."""
    was = {_identity(item): item for item in before}
    will = {_identity(item): item for item in after}
    compared = [_told_stored(was.get(key), will.get(key)) for key in {**will, **was}]
    kept, shortened = _bounded(compared)
    return Comparison(kept, problems=tuple(shortened))


@dataclass(frozen=True, slots=True)
class _Tried:
    live: Mapping[str, Any] | None
    after: Mapping[str, Any] | None = None
    conflicts: tuple[OwnedField, ...] = ()
    refusal: ClusterError | None = None


def _compare_one(cluster: Cluster, item: Manifest, work: Work, dry_run: DryRun) -> _Tried:
    live = cluster.get(str(item["apiVersion"]), str(item["kind"]), work.namespace, objects.name_of(item))
    try:
        try:
            return _Tried(live, dry_run(cluster, item, False))  # noqa: FBT003 - see DryRun
        except OwnedByOthers as error:
            return _Tried(live, dry_run(cluster, item, True), error.fields)  # noqa: FBT003 - see DryRun
    except Unavailable:
        raise
    except ClusterError as error:
        return _Tried(live, refusal=error)


def _is_ours(cluster: Cluster, identity: Mapping[str, Any], work: Work) -> bool:
    live = cluster.get(identity["apiVersion"], identity["kind"], work.namespace, identity["name"])
    return live is not None and objects.annotation(live, objects.TARGET) == work.target_id


def _told(item: Manifest, found: "_Tried | ClusterError") -> ComparedObject:
    kind, name = str(item["kind"]), objects.name_of(item)
    if isinstance(found, ClusterError):
        return ComparedObject(kind, name, comparison.UNKNOWN)
    live, after = found.live, found.after
    is_ours = live is None or objects.annotation(live, objects.TARGET) == objects.annotation(item, objects.TARGET)
    if after is None:
        return ComparedObject(kind, name, comparison.REFUSED, is_ours=is_ours)
    try:
        # Of a new object only what was asked for is told, not all that the server fills in.
        changes = tuple(differences.changes(live, after if live is not None else item))
    except RecursionError:
        return ComparedObject(kind, name, comparison.UNKNOWN, is_ours=is_ours)
    result = comparison.CREATED if live is None else comparison.CHANGED if changes else comparison.UNCHANGED
    return ComparedObject(kind, name, result, changes, _conflicts(item, found.conflicts), is_ours)


def _told_stored(before: Manifest | None, after: Manifest | None) -> ComparedObject:
    item = after or before or {}
    kind, name = clean(item.get("kind"), limit=100), clean(objects.name_of(item), limit=253)
    if after is None:
        return ComparedObject(kind, name, comparison.GONE)
    try:
        changes = tuple(differences.changes(before, after))
    except RecursionError:
        return ComparedObject(kind, name, comparison.UNKNOWN)
    result = comparison.CREATED if before is None else comparison.CHANGED if changes else comparison.UNCHANGED
    return ComparedObject(kind, name, result, changes)


def _identity(item: Manifest) -> tuple[str, str, str]:
    return objects.group_of(item), str(item.get("kind")), objects.name_of(item)


def _conflicts(item: Manifest, fields: Sequence[OwnedField]) -> tuple[Conflict, ...]:
    shown = [(owned.manager, _field_of_secret(owned.field) if is_secret(item) else owned.field) for owned in fields]
    managers = dict.fromkeys(manager for manager, _ in shown)
    return tuple(
        Conflict(manager, tuple(dict.fromkeys(field for who, field in shown if who == manager))) for manager in managers
    )


def _field_of_secret(path: str) -> str:
    return path if path.split(".")[0] in PLAIN_FIELDS and not set('[]="') & set(path) else HIDDEN


def _problems(found: Sequence["_Tried | ClusterError"], namespace: str) -> list[str]:
    errors = [each if isinstance(each, ClusterError) else each.refusal for each in found]
    told = [error for error in errors if error is not None]
    if any(isinstance(error, NotFound) and error.missing_namespace for error in told):
        return [f"The namespace “{namespace}” does not exist on the cluster. Create it, or change the target."]
    return list(dict.fromkeys(map(str, told)))


def _bounded(compared: Sequence[ComparedObject]) -> tuple[tuple[ComparedObject, ...], list[str]]:
    """No more changes than a person reads, and a sentence about those left out."""
    left, kept, shortened = MOST_CHANGES_IN_ALL, [], []
    for each in compared:
        most = min(MOST_CHANGES, left)
        left -= min(most, len(each.changes))
        kept.append(_with_changes(each, each.changes[:most]))
        if len(each.changes) > most:
            shortened.append(f"Of {each.kind} {each.name} only {most} of {len(each.changes)} changes are shown.")
    return tuple(kept), shortened


def _with_changes(each: ComparedObject, changes: tuple[FieldChange, ...]) -> ComparedObject:
    return ComparedObject(each.kind, each.name, each.result, changes, each.conflicts, each.is_ours)
