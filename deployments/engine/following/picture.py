"""What one cluster's workloads and pods show now, and which of them are followed. In memory, of one thread.

Workloads that nobody follows are kept as well: one that settled before its row arrived would never be heard of again.
"""

from collections.abc import Iterable, Iterator
from uuid import UUID

from msgspec import Struct

from deployments.engine.following.phases import TELLING, Finding, Followed, Key, find
from deployments.targets.kubernetes.following.changes import DELETED, Change
from deployments.targets.kubernetes.following.decoding import POD
from deployments.targets.kubernetes.following.sightings import PodSight, Sight, WorkloadSight

# Older versions of objects that are gone may still arrive for a moment; nobody needs to remember them for long.
MOST_GRAVES = 10_000
Scope = tuple[str, str | None]
Findings = list[tuple[Followed, Finding]]


class Known(Struct, frozen=True, gc=False):
    version: str
    sight: Sight | None


class Picture:
    def __init__(self) -> None:
        self._workloads: dict[Key, Known] = {}
        self._pods: dict[Key, dict[str, Known]] = {}
        self._graves: dict[Key, str] = {}
        self._followed: dict[int, Followed] = {}
        self._by_key: dict[Key, list[Followed]] = {}
        # Kinds (in a namespace; None: everywhere) whose absence means something.
        self._complete: set[Scope] = set()
        # Keys to look at, and whether the workload itself changed rather than one of its pods.
        self._due: dict[Key, bool] = {}

    def take(self, change: Change) -> None:
        """One event of a watch. What is older than what we know is passed over."""
        key, grave = _workload_key(change), (change.namespace, change.kind, change.name)
        known = self._known(change, key)
        if _is_older(change.version, known.version if known else self._graves.get(grave, "")):
            return
        if change.type == DELETED:
            self._bury(change, key, grave)
        else:
            self._put(change, key)
        if key in self._by_key and not _is_same(change, known):
            self._due[key] = self._due.get(key, False) or change.kind != POD

    def replace(self, kind: str, namespace: str | None, found: Iterable[Change]) -> None:
        """Everything of the kind (in the namespace) as a list has found it."""
        self._graves.clear()
        if kind == POD:
            self._pods = {key: pods for key, pods in self._pods.items() if namespace not in (None, key[0])}
        else:
            for key in [key for key in self._workloads if key[1] == kind and namespace in (None, key[0])]:
                del self._workloads[key]
        for change in found:
            self._put(change, _workload_key(change))
        self.do_without(kind, namespace)

    def do_without(self, kind: str, namespace: str | None) -> None:
        """There will be no more of this kind than what we have: judge the workloads by that."""
        self._complete.add((kind, namespace))
        self._due |= {key: True for key in self._by_key if namespace in (None, key[0])}

    def follow(self, rows: Iterable[Followed]) -> None:
        for followed in rows:
            if followed.row not in self._followed:
                self._followed[followed.row] = followed
                self._by_key.setdefault(followed.key, []).append(followed)
                self._due[followed.key] = True

    def forget(self, rows: Iterable[int]) -> None:
        for row in rows:
            followed = self._followed.pop(row, None)
            if followed is not None:
                self._by_key[followed.key].remove(followed)
                if not self._by_key[followed.key]:
                    del self._by_key[followed.key]
                    self._due.pop(followed.key, None)

    def rows(self) -> set[int]:
        return set(self._followed)

    def telling(self) -> set[UUID]:
        """The deployments of all workloads that are not simply on their way: who begins to follow wakes them."""
        return {each.deployment for each in self._followed.values() if each.phase in TELLING}

    def findings(self) -> Findings:
        """What has to be written. It stays due until `wrote` says that it stands."""
        return [each for key in self._due if self._can_judge(key) for each in self._find(key)]

    def wrote(self, findings: Findings) -> None:
        """These, all that were found, stand in their rows. Call before the next `take`."""
        self._due = {key: is_news for key, is_news in self._due.items() if not self._can_judge(key)}
        for followed, finding in findings:
            followed.phase, followed.known = finding.phase, followed.known | finding.troubles
            followed.wanted, followed.updated, followed.ready = finding.wanted, finding.updated, finding.ready

    def _find(self, key: Key) -> Iterator[tuple[Followed, Finding]]:
        known = self._workloads.get(key)
        sight = known.sight if known and isinstance(known.sight, WorkloadSight) else None
        pods = [pod.sight for pod in self._pods.get(key, {}).values() if isinstance(pod.sight, PodSight)]
        for followed in self._by_key[key]:
            finding = find(followed, sight, pods, is_there=known is not None, is_news=self._due[key])
            if finding is not None:
                yield followed, finding

    def _can_judge(self, key: Key) -> bool:
        namespace, kind, _ = key
        return self._has_all(kind, namespace) and self._has_all(POD, namespace)

    def _has_all(self, kind: str, namespace: str) -> bool:
        return (kind, None) in self._complete or (kind, namespace) in self._complete

    def _known(self, change: Change, key: Key) -> Known | None:
        return self._pods.get(key, {}).get(change.name) if change.kind == POD else self._workloads.get(key)

    def _put(self, change: Change, key: Key) -> None:
        known = Known(change.version, change.sight)
        if change.kind == POD:
            self._pods.setdefault(key, {})[change.name] = known
        else:
            self._workloads[key] = known

    def _bury(self, change: Change, key: Key, grave: Key) -> None:
        if change.kind == POD:
            pods = self._pods.get(key, {})
            pods.pop(change.name, None)
            if not pods:
                self._pods.pop(key, None)
        else:
            self._workloads.pop(key, None)
        self._graves[grave] = change.version
        if len(self._graves) > MOST_GRAVES:
            del self._graves[next(iter(self._graves))]


def _workload_key(change: Change) -> Key:
    return (change.namespace, *change.workload)


def _is_same(change: Change, known: Known | None) -> bool:
    """Whether it shows what we knew, as most events of pods do."""
    return known is not None and change.type != DELETED and change.sight is not None and change.sight == known.sight


def _is_older(version: str, known: str) -> bool:
    """Versions are opaque unless both are plain numbers, as every API server has written them so far."""
    return version.isdecimal() and known.isdecimal() and int(version) <= int(known)
