"""Follows one cluster: a thread per kind (and namespace, where rights end there) reads, the recorder's writes."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection

from deployments.engine.following.picture import Scope
from deployments.engine.following.recorder import Beginning, Narrowed, NewRows, Recorder
from deployments.models import Cluster, Target
from deployments.services.clusters import connection_to
from deployments.targets.base import Connection
from deployments.targets.kubernetes.following.changes import (
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    PODS,
    STATEFUL_SETS,
    Notice,
    Refusal,
    WatchedKind,
)
from deployments.targets.kubernetes.following.watch import Stop, follow
from deployments.targets.kubernetes.wire.kubeconfig import InvalidKubeconfig

logger = logging.getLogger(__name__)

WATCHED = (DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS, JOBS, PODS)
# With so many notices unread a watch is left unread too: the cluster holds its events, or ends it and we list anew.
MOST_UNREAD = 20_000


@dataclass
class ClusterFollower:
    cluster_id: UUID
    credentials_version: int
    to: Connection
    recorder: Recorder
    stop: Stop = field(default_factory=Stop)
    broken: bool = False
    _threads: list[threading.Thread] = field(default_factory=list)
    # Kinds that we may only follow in namespaces, and which of those are followed.
    _narrowed: set[WatchedKind] = field(default_factory=set)
    _scopes: set[Scope] = field(default_factory=set)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def start(cls, cluster: Cluster) -> "ClusterFollower":
        """Raises Invalid or ImproperlyConfigured when the cluster's credentials are of no use."""
        follower = cls(cluster.pk, cluster.credentials_version, connection_to(cluster), Recorder(cluster.pk))
        follower._spawn("record", follower.recorder.run)
        for watched in WATCHED:
            follower._watch(watched, None)
        logger.info("Follows a cluster", extra={"cluster": cluster.name})
        return follower

    @property
    def alive(self) -> bool:
        """A watch that broke may not have ended: its changes would go unseen."""
        return self._threads[0].is_alive() and not self.broken

    def tell_of_rows(self, deployment: UUID | None = None) -> None:
        """There are new rows to follow, of this deployment or of any."""
        self.recorder.notices.put(NewRows(deployment))

    def follow_new_namespaces(self) -> None:
        """Namespaces that had no target of ours before. Only where we may not follow the whole cluster."""
        if not self._narrowed:
            return
        targets = Target.objects.filter(cluster=self.cluster_id).order_by("namespace")
        namespaces = list(targets.values_list("namespace", flat=True).distinct())
        for watched in list(self._narrowed):
            for namespace in namespaces:
                self._watch(watched, namespace)

    def end(self) -> None:
        self.stop.set()
        self.recorder.notices.put(None)
        for thread in list(self._threads):
            thread.join(timeout=5)

    def _watch(self, watched: WatchedKind, namespace: str | None) -> None:
        scope = (watched.kind, namespace)
        with self._guard:
            if scope in self._scopes or self.stop.is_set():
                return
            self._scopes.add(scope)
        self.recorder.notices.put((scope, Beginning()))
        self._spawn(f"{watched.kind}-{namespace or 'all'}", self._follow, watched, namespace)

    def _spawn(self, name: str, run: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=run, args=args, name=f"{self.cluster_id}-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _follow(self, watched: WatchedKind, namespace: str | None) -> None:
        """Without the right to watch the whole cluster, each of our namespaces is followed for itself."""
        scope = (watched.kind, namespace)
        try:
            for notice in follow(self.to, watched, stop=self.stop, namespace=namespace):
                if isinstance(notice, Refusal) and namespace is None:
                    self._narrowed.add(watched)
                    self.follow_new_namespaces()
                    self.recorder.notices.put((scope, Narrowed()))
                    return
                self._tell(scope, notice)
        except InvalidKubeconfig as error:
            self._tell(scope, Refusal(str(error)))
        except Exception:
            logger.exception("A watch broke", extra={"kind": watched.kind})
            self.broken = True
        finally:
            connection.close()

    def _tell(self, scope: Scope, notice: Notice) -> None:
        while self.recorder.notices.qsize() > MOST_UNREAD and not self.stop.is_set():
            self.stop.wait(0.05)
        self.recorder.notices.put((scope, notice))
