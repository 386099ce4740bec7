"""Tells open pages that a rollout got further: seldom for each deployment, and not too many at once."""

import time
from collections.abc import Iterable
from uuid import UUID

from releasemgr.core import live

# For each deployment.
SECONDS_BETWEEN = 0.5
ROUND_SECONDS = 0.2
MOST_A_SECOND = 400


class Announcements:
    def __init__(self) -> None:
        # In order of arrival, so that nobody starves.
        self._waiting: dict[UUID, None] = {}
        self._sent: dict[UUID, float] = {}
        self._budget, self._at = float(MOST_A_SECOND), time.monotonic() - ROUND_SECONDS

    def send(self, moved: Iterable[UUID]) -> None:
        """Call often, also with nothing: what had to wait goes out as soon as it may."""
        self._waiting.update(dict.fromkeys(moved))
        now = time.monotonic()
        if not self._waiting or now - self._at < ROUND_SECONDS:
            return
        self._budget = min(self._budget + (now - self._at) * MOST_A_SECOND, MOST_A_SECOND)
        self._at = now
        self._sent = {each: at for each, at in self._sent.items() if now - at < SECONDS_BETWEEN}
        ripe = [each for each in self._waiting if each not in self._sent][: int(self._budget)]
        live.changed_all(f"workloads.{each}" for each in ripe)
        self._budget -= len(ripe)
        for each in ripe:
            del self._waiting[each]
            self._sent[each] = now
