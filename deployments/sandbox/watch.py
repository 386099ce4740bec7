"""Watches: what is there, what changed since, and what changes, one JSON object a line."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from deployments.sandbox.errors import ApiError
from deployments.sandbox.kinds import Kind
from deployments.sandbox.objects import Object, namespace_of
from deployments.sandbox.selectors import Predicate
from deployments.sandbox.store import Change, Store, event_line

# How long a quiet watch waits before it tells the version it has reached.
BOOKMARK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class WatchQuestion:
    """What a watch asks for. `version` None: start with the objects as they are."""

    kind: Kind
    namespace: str
    selects: Predicate
    version: int | None
    bookmarks: bool
    timeout: float
    initial_events: bool = False


class _Pause:
    """In a watch's queue: time to tell the version, or to end."""


_PAUSE = _Pause()
_Queue = asyncio.Queue[Change | _Pause | None]


class Watches:
    """All open watches of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: set[_Queue] = set()
        store.listeners.append(self._publish)

    @property
    def count(self) -> int:
        return len(self._open)

    def end_all(self) -> None:
        """Let every watch end as if its time were over."""
        for queue in self._open:
            queue.put_nowait(None)

    async def stream(self, question: WatchQuestion) -> AsyncIterator[bytes]:
        queue: _Queue = asyncio.Queue()
        try:
            first = self._first_lines(question)
        except ApiError as error:
            yield event_line("ERROR", error.status())
            return
        self._open.add(queue)
        try:
            if first:
                yield first
            async for line in self._live(question, queue):
                yield line
        finally:
            self._open.discard(queue)

    def _first_lines(self, question: WatchQuestion) -> bytes:
        store, kind = self._store, question.kind
        if question.version is not None and not question.initial_events:
            past = store.changes_after(kind, question.version)
            return b"".join(line for change in past if (line := _line(change, question)))
        objects = [obj for obj in store.listed(kind, question.namespace) if question.selects(obj)]
        lines = [event_line("ADDED", obj) for obj in objects]
        if question.bookmarks:
            lines.append(_bookmark(kind, store.version, ends_initial_events=True))
        return b"".join(lines)

    async def _live(self, question: WatchQuestion, queue: _Queue) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        end, told = loop.time() + question.timeout, self._store.version
        timer = loop.call_at(min(end, loop.time() + BOOKMARK_SECONDS), queue.put_nowait, _PAUSE)
        try:
            while (change := await queue.get()) is not None:
                if not isinstance(change, _Pause):
                    if line := _line(change, question):
                        yield line
                    continue
                if loop.time() >= end:
                    return
                if question.bookmarks and told != self._store.version:
                    told = self._store.version
                    yield _bookmark(question.kind, told)
                timer = loop.call_at(min(end, loop.time() + BOOKMARK_SECONDS), queue.put_nowait, _PAUSE)
        finally:
            timer.cancel()

    def _publish(self, change: Change) -> None:
        for queue in self._open:
            queue.put_nowait(change)


def _line(change: Change, question: WatchQuestion) -> bytes | None:
    """The change as this watch sees it: an object that stops matching its selector is gone, and the other way round."""
    if change.kind is not question.kind or (question.namespace and namespace_of(change.object) != question.namespace):
        return None
    now = change.type != "DELETED" and question.selects(change.object)
    before = change.previous is not None and question.selects(change.previous)
    if now:
        return change.line("MODIFIED" if before else "ADDED")
    return change.line("DELETED") if before else None


def _bookmark(kind: Kind, version: int, *, ends_initial_events: bool = False) -> bytes:
    metadata: Object = {"resourceVersion": str(version)}
    if ends_initial_events:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    return event_line("BOOKMARK", {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata})
