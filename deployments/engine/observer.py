"""The long-lived process that wakes deployments: one watch per cluster and kind, and the timers.

It decides nothing and writes no status. Several may run: a PostgreSQL advisory lock per cluster picks who follows it.
Followers have threads of their own, so timers and chores wait for no batch of theirs.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection

from deployments.engine.following.follower import ClusterFollower
from deployments.engine.following.news import tell_of_new_rows
from deployments.models import Cluster
from deployments.services.waking import wake_due
from releasemgr.core.errors import DomainError

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 0.5
# Clusters that were added, changed or given up by another observer are looked for this often.
ROSTER_SECONDS = 5.0

Chore = Callable[[], object]


@dataclass
class Observer:
    """`chores` run once a sweep beside the timers (the audit log's sealer, for one)."""

    stop: threading.Event
    chores: tuple[Chore, ...] = ()
    followers: dict[UUID, ClusterFollower] = field(default_factory=dict)
    # The connection that holds the locks; with another one they are gone.
    _session: object = field(default=None, init=False, repr=False)

    def run(self) -> None:
        """Until `stop` is set. Losing the database is waited out: the rows remember everything."""
        news = threading.Thread(
            target=tell_of_new_rows, args=(self._followers_now, self.stop), name="news", daemon=True
        )
        news.start()
        roster_due = 0.0
        while not self.stop.is_set():
            try:
                if time.monotonic() >= roster_due:
                    self._update_roster()
                    roster_due = time.monotonic() + ROSTER_SECONDS
                wake_due()
                self._do_chores()
            except DatabaseError:
                logger.warning("The database does not answer; waiting for it")
                self._let_go_of_all()
                connection.close()
                roster_due = 0.0
            self.stop.wait(SWEEP_SECONDS)
        self._let_go_of_all()
        news.join(timeout=5)

    def _do_chores(self) -> None:
        for chore in self.chores:
            try:
                chore()
            except DatabaseError:
                raise
            except Exception:
                # One that breaks keeps neither the timers nor the others from their turn.
                logger.exception("A chore broke; it has its turn again")

    def _followers_now(self) -> dict[UUID, ClusterFollower]:
        return dict(self.followers)

    def _update_roster(self) -> None:
        self._check_session()
        clusters = {cluster.pk: cluster for cluster in Cluster.objects.defer("kubeconfig")}
        for cluster_id, follower in list(self.followers.items()):
            cluster = clusters.get(cluster_id)
            if cluster is None or cluster.credentials_version != follower.credentials_version or not follower.alive:
                self._let_go(cluster_id)
            else:
                follower.follow_new_namespaces()
        for cluster_id, cluster in clusters.items():
            if cluster_id not in self.followers and _try_lock(cluster_id):
                self._follow(cluster)

    def _check_session(self) -> None:
        connection.ensure_connection()
        if connection.connection is not self._session:
            self._let_go_of_all()
            self._session = connection.connection

    def _follow(self, cluster: Cluster) -> None:
        try:
            follower = self.followers[cluster.pk] = ClusterFollower.start(cluster)
            # Rows that came between its first look and its being known here were told to nobody.
            follower.tell_of_rows()
        except (DomainError, ImproperlyConfigured) as error:
            # Its deployments are polled; the other clusters are none the worse.
            Cluster.objects.filter(pk=cluster.pk).update(problem=str(error))
            _unlock(cluster.pk)

    def _let_go(self, cluster_id: UUID) -> None:
        self.followers.pop(cluster_id).end()
        _unlock(cluster_id)

    def _let_go_of_all(self) -> None:
        """The locks go with the connection, or with the process."""
        while self.followers:
            _, follower = self.followers.popitem()
            follower.end()


def _try_lock(cluster_id: UUID) -> bool:
    """Held by this connection until it closes: a killed observer's clusters are free at once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_lock_key(cluster_id)])
        row = cursor.fetchone()
    return bool(row and row[0])


def _unlock(cluster_id: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [_lock_key(cluster_id)])


def _lock_key(cluster_id: UUID) -> int:
    return int.from_bytes(cluster_id.bytes[:8], "big", signed=True)
