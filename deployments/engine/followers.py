"""Follows one cluster: a thread per kind reads changes, one thread turns them into wake-ups."""

import logging
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection
from django.utils import timezone

from deployments.models import Cluster, Deployment
from deployments.services.clusters import connection_to
from deployments.services.waking import wake
from deployments.statuses import DeploymentStatus
from deployments.targets.base import Connection
from deployments.targets.kubernetes.changes import (
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    PODS,
    STATEFUL_SETS,
    Change,
    Lost,
    Notice,
    Refusal,
    Relisted,
    Restored,
    WatchedKind,
)
from deployments.targets.kubernetes.kubeconfig import InvalidKubeconfig
from deployments.targets.kubernetes.watch import Stop, follow

logger = logging.getLogger(__name__)

WATCHED = (DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS, JOBS, PODS)
# A rollout brings bursts of events; one look per workload in this time is enough.
QUIET_SECONDS = 0.02


@dataclass
class ClusterFollower:
    cluster_id: UUID
    credentials_version: int
    stop: Stop = field(default_factory=Stop)
    notices: "queue.SimpleQueue[Notice | None]" = field(default_factory=queue.SimpleQueue)
    threads: list[threading.Thread] = field(default_factory=list)
    broken: bool = False

    @classmethod
    def start(cls, cluster: Cluster) -> "ClusterFollower":
        follower = cls(cluster.pk, cluster.credentials_version)
        to = connection_to(cluster)
        follower._spawn("wake", follower._wake_loop)
        for watched in WATCHED:
            follower._spawn(watched.kind, follower._follow, to, watched, None)
        logger.info("Follows a cluster", extra={"cluster": cluster.name})
        return follower

    @property
    def alive(self) -> bool:
        """A watch that was refused may have ended, one that broke may not: its changes would go unseen."""
        return self.threads[0].is_alive() and not self.broken

    def end(self) -> None:
        self.stop.set()
        self.notices.put(None)
        for thread in self.threads:
            thread.join(timeout=5)

    def _spawn(self, name: str, run: Any, *args: Any) -> None:
        thread = threading.Thread(target=run, args=args, name=f"{self.cluster_id}-{name}", daemon=True)
        self.threads.append(thread)
        thread.start()

    def _follow(self, to: Connection, watched: WatchedKind, namespace: str | None) -> None:
        """Without the right to watch the whole cluster, each of our namespaces is followed for itself."""
        try:
            for notice in follow(to, watched, stop=self.stop, namespace=namespace):
                if isinstance(notice, Refusal) and namespace is None:
                    self._follow_namespaces(to, watched)
                self.notices.put(notice)
        except InvalidKubeconfig as error:
            self.notices.put(Refusal(str(error)))
        except Exception:
            logger.exception("A watch broke", extra={"kind": watched.kind})
            self.broken = True
        finally:
            connection.close()

    def _follow_namespaces(self, to: Connection, watched: WatchedKind) -> None:
        rows = Deployment.objects.filter(target__cluster=self.cluster_id).values_list("target__namespace", flat=True)
        for namespace in rows.order_by("target__namespace").distinct():
            self._spawn(f"{watched.kind}-{namespace}", self._follow, to, watched, namespace)

    def _wake_loop(self) -> None:
        try:
            while (notice := self.notices.get()) is not None:
                batch = [notice, *self._drain()]
                try:
                    self._react(batch)
                except DatabaseError:
                    # Nothing is lost: the sweep finds what is due once the database is back.
                    logger.warning("Could not wake deployments; the timers will", exc_info=True)
                    connection.close()
                time.sleep(QUIET_SECONDS)
        finally:
            connection.close()

    def _drain(self) -> list[Notice]:
        batch: list[Notice] = []
        while not self.notices.empty():
            notice = self.notices.get()
            if notice is None:
                self.notices.put(None)
                break
            batch.append(notice)
        return batch

    def _react(self, batch: list[Notice]) -> None:
        self._note_health(batch)
        relisted = any(isinstance(notice, Relisted) for notice in batch)
        changed = {(notice.namespace, notice.workload) for notice in batch if isinstance(notice, Change)}
        if not relisted and not changed:
            return
        rows = Deployment.objects.filter(
            target__cluster=self.cluster_id, status=DeploymentStatus.IN_PROGRESS
        ).values_list("pk", "target__namespace", "manifests")
        if not relisted:
            rows = rows.filter(target__namespace__in={namespace for namespace, _ in changed})
        due = [pk for pk, namespace, manifests in rows if relisted or changed & workloads(namespace, manifests)]
        if due:
            wake(*due)

    def _note_health(self, batch: list[Notice]) -> None:
        for notice in batch:
            if isinstance(notice, Lost | Refusal):
                Cluster.objects.filter(pk=self.cluster_id).update(problem=notice.message)
            elif isinstance(notice, Relisted | Restored):
                Cluster.objects.filter(pk=self.cluster_id).update(problem="", checked_at=timezone.now())


def workloads(namespace: str, manifests: list[Mapping[str, Any]]) -> set[tuple[str, tuple[str, str]]]:
    return {(namespace, (item["kind"], item["metadata"]["name"])) for item in manifests}
