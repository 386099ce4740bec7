"""What runs the controllers: a queue of keys for each, filled by changes, drained on the event loop."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

from deployments.sandbox.cluster import Cluster
from deployments.sandbox.events import Recorder
from deployments.sandbox.store import Change, Store

logger = logging.getLogger(__name__)

Key = tuple[str, str]

# How many syncs run before requests get their turn.
_BATCH = 20


class Controller(Protocol):
    def keys_for(self, change: Change) -> Iterable[Key]:
        """The (namespace, name) keys to look at again after a change."""

    def sync(self, namespace: str, name: str) -> None:
        """Bring one object closer to its spec. Called again after each change it causes."""


class Runtime:
    """Time, events and the cluster for controllers. Delays are divided by `speed`."""

    def __init__(self, cluster: Cluster, recorder: Recorder, *, speed: float) -> None:
        self.cluster = cluster
        self.recorder = recorder
        self.speed = speed
        self._queues: dict[Controller, dict[Key, None]] = {}
        self._timers: dict[tuple[Controller, Key], asyncio.TimerHandle] = {}
        self._scheduled = False
        self._stopped = False

    @property
    def store(self) -> Store:
        return self.cluster.store

    def start(self, controllers: Sequence[Controller]) -> None:
        """Controllers earlier in the sequence are served first."""
        self._queues = {controller: {} for controller in controllers}
        self.store.listeners.append(self._notice)
        for change in self.store.snapshot():
            self._notice(change)

    def stop(self) -> None:
        self._stopped = True
        for timer in self._timers.values():
            timer.cancel()

    def later(self, controller: Controller, key: Key, seconds: float) -> None:
        """Sync a key after a while of real time; the earliest of several askings counts."""
        known = self._timers.get((controller, key))
        loop = asyncio.get_running_loop()
        when = loop.time() + seconds
        if known and known.when() <= when:
            return
        if known:
            known.cancel()
        self._timers[controller, key] = loop.call_at(when, self._due, controller, key)

    def _due(self, controller: Controller, key: Key) -> None:
        del self._timers[controller, key]
        self._add(controller, key)

    def _notice(self, change: Change) -> None:
        for controller in self._queues:
            for key in controller.keys_for(change):
                self._add(controller, key)

    def _add(self, controller: Controller, key: Key) -> None:
        # To the end, also when it waits already: what it depends on may have been added since.
        self._queues[controller].pop(key, None)
        self._queues[controller][key] = None
        if not self._scheduled and not self._stopped:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._drain)

    def _drain(self) -> None:
        self._scheduled = False
        for _ in range(_BATCH):
            waiting = next(((controller, queue) for controller, queue in self._queues.items() if queue), None)
            if waiting is None or self._stopped:
                return
            controller, queue = waiting
            key = next(iter(queue))
            del queue[key]
            try:
                controller.sync(*key)
            except Exception:
                logger.exception("%s could not sync %s/%s", type(controller).__name__, *key)
        self._scheduled = True
        asyncio.get_running_loop().call_soon(self._drain)
