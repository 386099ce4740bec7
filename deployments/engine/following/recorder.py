"""The one thread that holds a cluster's picture: takes what the watches tell, writes it down, and wakes deployments."""

import logging
import queue
import time
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from msgspec import Struct

from deployments.engine.following import rows
from deployments.engine.following.announcements import Announcements
from deployments.engine.following.picture import Picture, Scope
from deployments.services.waking import wake_under_way, wake_unheld
from deployments.targets.kubernetes.following.changes import Change, Lost, Notice, Refusal, Relisted, Restored
from deployments.targets.kubernetes.following.decoding import POD

logger = logging.getLogger(__name__)

# A rollout brings bursts of events; one look per workload in this time is enough.
QUIET_SECONDS = 0.02
# Without a notice for so long, what is done by the clock is looked at.
IDLE_SECONDS = 1.0
HEARTBEAT_SECONDS = 3.0
ENDED_SECONDS = 5.0
# Nothing is lost while the database is away: what is due stays due, once for each workload.
DATABASE_PAUSE_SECONDS = 0.5


class Beginning(Struct, frozen=True):
    """A watch starts; until its first list, nobody may rely on being told."""


class Narrowed(Struct, frozen=True):
    """This watch was given up for some of smaller scope."""


class NewRows(Struct, frozen=True):
    """The deployment has rows that were not there before; None: any may have."""

    deployment: UUID | None = None


Told = tuple[Scope, Notice | Beginning | Narrowed] | NewRows
STARTING = None


class Recorder:
    def __init__(self, cluster_id: UUID) -> None:
        # None ends it.
        self.notices: queue.SimpleQueue[Told | None] = queue.SimpleQueue()
        self._cluster_id = cluster_id
        self._picture = Picture()
        self._announcements = Announcements()
        # What each watch suffers from, in a sentence; empty when it stands.
        self._troubles: dict[Scope, str | None] = {}
        self._noted: str | None = STARTING
        self._new: set[UUID] = set()
        self._reads_all = True
        self._has_begun = False
        self._due_to_wake: set[UUID] = set()
        self._not_before = self._beat_at = self._dropped_at = 0.0

    def run(self) -> None:
        """Until None comes."""
        try:
            while self._take_all():
                if time.monotonic() >= self._not_before:
                    self._record()
                time.sleep(QUIET_SECONDS)
            rows.note_following(self._cluster_id, problem=STARTING)
        except DatabaseError:
            logger.info("Could not note that a cluster is no longer followed; that shows by itself soon")
        finally:
            connection.close()

    def _take_all(self) -> bool:
        """Everything that waits, or the end of an idle time. False at the end."""
        try:
            told = self.notices.get(timeout=IDLE_SECONDS)
            while told is not None:
                self._take(told)
                told = self.notices.get_nowait()
        except queue.Empty:
            return True
        return False

    def _take(self, told: Told) -> None:
        if isinstance(told, NewRows):
            self._reads_all = self._reads_all or told.deployment is None
            self._new |= {told.deployment} if told.deployment else set()
            return
        (kind, namespace), notice = scope, _ = told
        if isinstance(notice, Change):
            self._picture.take(notice)
        elif isinstance(notice, Relisted):
            self._picture.replace(kind, namespace, notice.objects)
            self._troubles[scope] = ""
        elif isinstance(notice, Restored):
            self._troubles[scope] = ""
        elif isinstance(notice, Narrowed):
            self._troubles.pop(scope, None)
        elif isinstance(notice, Lost | Refusal):
            self._troubles[scope] = notice.message
            if isinstance(notice, Refusal) and kind == POD:
                self._picture.do_without(kind, namespace)
        else:
            self._troubles[scope] = STARTING

    def _record(self) -> None:
        try:
            self._read_rows()
            findings = self._picture.findings()
            self._due_to_wake |= {followed.deployment for followed, finding in findings if finding.wakes}
            # Together, so that nothing is written down whose waking a kill could undo.
            with transaction.atomic():
                still_due = wake_unheld(self._due_to_wake) if self._due_to_wake else set()
                rows.write_findings(findings)
                self._announcements.send({followed.deployment for followed, _ in findings})
            self._picture.wrote(findings)
            self._due_to_wake = still_due
            self._note()
        except DatabaseError:
            logger.warning("Could not write down what a cluster shows; trying again", exc_info=True)
            connection.close()
            self._not_before = time.monotonic() + DATABASE_PAUSE_SECONDS

    def _read_rows(self) -> None:
        if self._reads_all:
            found = rows.read_rows(self._cluster_id)
            self._picture.forget(self._picture.rows() - {each.row for each in found})
            self._picture.follow(found)
            if not self._has_begun:
                # Whoever followed before us may have died with some still to be woken.
                self._due_to_wake |= self._picture.telling()
                self._has_begun = True
            self._reads_all = False
            self._new.clear()
        elif self._new:
            self._picture.follow(rows.read_rows(self._cluster_id, deployments=self._new))
            self._new.clear()
        if time.monotonic() - self._dropped_at >= ENDED_SECONDS:
            self._dropped_at = time.monotonic()
            self._picture.forget(rows.drop_ended(self._cluster_id))

    def _note(self) -> None:
        """The heartbeat: only while every watch stands, and after all that they told has been written."""
        told = [trouble for trouble in self._troubles.values() if trouble]
        problem = told[0] if told else (STARTING if STARTING in self._troubles.values() else "")
        is_due = time.monotonic() - self._beat_at >= HEARTBEAT_SECONDS
        if problem != self._noted or (problem == "" and is_due):
            rows.note_following(self._cluster_id, problem=problem)
            if self._noted and not problem:
                # It answers again: what backs off from it need not wait for its timer.
                wake_under_way(self._cluster_id)
            self._noted, self._beat_at = problem, time.monotonic()
