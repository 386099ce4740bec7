"""Follows one kind of object in a cluster for as long as the caller likes.

The official client's watch ends silently, turns every object into a class and blocks for ever on a silent server.
This one reads the raw stream, decodes only what a rollout shows, and comes back after every kind of interruption.
"""

import logging
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import urllib3
from msgspec import MsgspecError
from urllib3.exceptions import HTTPError

from deployments.targets.base import Connection
from deployments.targets.kubernetes.following import decoding
from deployments.targets.kubernetes.following.changes import (
    BOOKMARK,
    Change,
    Lost,
    Notice,
    Refusal,
    Relisted,
    Reported,
    Restored,
    Unreadable,
    WatchedKind,
    read_event,
    read_item,
)
from deployments.targets.kubernetes.wire.cluster import PAGE_SIZE, Cluster
from deployments.targets.kubernetes.wire.errors import ClusterError, Expired, Forbidden, Unavailable, UnknownKind
from deployments.targets.kubernetes.wording import clean

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
# An API server sends a bookmark about once a minute: silence for longer means that nobody is there.
SILENCE_SECONDS = 90.0
WATCH_SECONDS = 300
BACKOFF_FIRST_SECONDS = 0.2
BACKOFF_MOST_SECONDS = 30.0
STEADY_SECONDS = 1.0
# Somebody has to grant a right before it is worth asking again.
REFUSED_SECONDS = 30.0
CHUNK_BYTES = 65_536
GONE = 410
MOST_LINE_BYTES = 8 * 1024 * 1024


class Stop(threading.Event):
    """Set from any thread: wakes followers out of a blocking read or a pause."""

    def __init__(self) -> None:
        super().__init__()
        self._responses: set[urllib3.HTTPResponse] = set()
        self._guard = threading.Lock()

    def set(self) -> None:
        super().set()
        with self._guard:
            for response in self._responses:
                _shut_down(response)

    @contextmanager
    def reading(self, response: urllib3.HTTPResponse) -> Iterator[None]:
        """While inside, `set` ends the response."""
        with self._guard:
            self._responses.add(response)
            if self.is_set():
                # It was set while the response was on its way: nobody will end this one later.
                _shut_down(response)
        try:
            yield
        finally:
            with self._guard:
                self._responses.discard(response)
            # Unread events may be left in it, so nobody else can use this connection.
            response.close()


def _shut_down(response: urllib3.HTTPResponse) -> None:
    try:
        response.shutdown()
    except (OSError, RuntimeError, ValueError) as error:
        # It has ended by itself meanwhile.
        logger.debug("A watch was already closed: %s", type(error).__name__)


def follow(
    connection: Connection,
    watched: WatchedKind,
    *,
    stop: Stop,
    namespace: str | None = None,
    silence_seconds: float = SILENCE_SECONDS,
) -> Iterator[Notice]:
    """Notices for ever, until `stop` is set. `namespace` None follows the whole cluster.

    `silence_seconds`: how long nothing at all may come before the connection is opened anew. Raises InvalidKubeconfig;
    every other trouble is a notice.
    """
    follower = _Follower(connection, watched, namespace, stop, silence_seconds)
    troubles = 0
    while not stop.is_set():
        began = time.monotonic()
        try:
            yield from follower.watch_once()
        except Expired:
            follower.version = ""
        except (Forbidden, UnknownKind) as error:
            yield from follower.refuse(error)
            stop.wait(random.uniform(REFUSED_SECONDS / 2, REFUSED_SECONDS))  # noqa: S311 - jitter, not a secret
        except ClusterError as error:
            yield from follower.lose(error)
        # A server that ends each watch at once must not be asked in a tight loop.
        troubles = 0 if time.monotonic() - began > STEADY_SECONDS else troubles + 1
        if troubles > 1 or follower.is_lost:
            stop.wait(_backoff(troubles))


@dataclass(slots=True)
class _Follower:
    """Where a follower stands: the version up to which it has seen everything (empty: list first)."""

    connection: Connection
    watched: WatchedKind
    namespace: str | None
    stop: Stop
    silence_seconds: float
    version: str = ""
    is_lost: bool = False
    is_refused: bool = False
    has_passed_over: bool = False

    def watch_once(self) -> Iterator[Notice]:
        """One watch request from its opening to its end. Whether the cluster is away, the next request tells."""
        cluster = Cluster(self.connection)
        path: str = cluster.resource(self.watched.api_version, self.watched.kind).path(namespace=self.namespace)
        if not self.version:
            yield self._list(cluster, path)
            self.is_refused = False
        query = [
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", self.version),
            ("timeoutSeconds", str(WATCH_SECONDS)),
        ]
        timeouts = (CONNECT_SECONDS, self.silence_seconds)
        response = cluster.open_stream(f"watch {self.watched.kind}", path, query, timeouts)
        with self.stop.reading(response):
            yield from self._restored()
            for line in _lines(response):
                if self.stop.is_set():
                    return
                change = self._take(line)
                if change is not None:
                    yield change

    def lose(self, error: ClusterError) -> Iterator[Notice]:
        if not self.is_lost:
            self.is_lost = True
            yield Lost(str(error))

    def refuse(self, error: ClusterError) -> Iterator[Notice]:
        # What happens until the right is back goes unseen.
        self.version = ""
        if not self.is_refused:
            self.is_refused = True
            yield Refusal(str(error))

    def _restored(self) -> Iterator[Notice]:
        if self.is_lost:
            self.is_lost = False
            yield Restored(self.watched.kind)

    def _take(self, line: bytes) -> Change | None:
        try:
            change = read_event(self.watched.kind, line)
        except Reported as error:
            told = f"Could not watch {self.watched.kind}: {clean(str(error))}"
            raise Expired(told) if error.code == GONE else Unavailable(told) from None
        except Unreadable as error:
            self._pass_over(error)
            return None
        self.version = change.version or self.version
        return None if change.type == BOOKMARK else change

    def _list(self, cluster: Cluster, path: str) -> Relisted:
        found: list[Change] = []
        query = [("limit", str(PAGE_SIZE))]
        while True:
            page = self._page(cluster.read_bytes(f"list {self.watched.kind}", path, query))
            for raw in page.items or ():
                try:
                    found.append(read_item(self.watched.kind, raw))
                except Unreadable as error:
                    self._pass_over(error)
            if not page.metadata.next_page or self.stop.is_set():
                self.version = page.metadata.resource_version
                return Relisted(self.watched.kind, tuple(found))
            query = [("limit", str(PAGE_SIZE)), ("continue", page.metadata.next_page)]

    def _page(self, data: bytes) -> decoding.Page:
        try:
            return decoding.page(data)
        except (MsgspecError, RecursionError):
            raise Unavailable(f"Could not list {self.watched.kind}: the cluster's answer is no list.") from None

    def _pass_over(self, error: Unreadable) -> None:
        """Told once: a server that sends much of it must not fill the log."""
        if not self.has_passed_over:
            self.has_passed_over = True
            logger.warning("Passed over an unreadable %s: %s", self.watched.kind, clean(str(error)))


def _lines(response: urllib3.HTTPResponse) -> Iterator[bytes]:
    rest = b""
    while True:
        try:
            chunk = response.read1(CHUNK_BYTES)
        except (HTTPError, OSError, ValueError, AttributeError) as error:
            # Silence, a cut connection, or `Stop` closing it under our hands: all mean the same, this stream is over.
            logger.debug("A watch ended: %s", type(error).__name__)
            return
        if not chunk:
            return
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line.strip())
        if len(rest) > MOST_LINE_BYTES:
            raise Unavailable(f"A watch sent more than {MOST_LINE_BYTES} bytes without a line break.")


def _backoff(troubles: int) -> float:
    longest = min(BACKOFF_MOST_SECONDS, BACKOFF_FIRST_SECONDS * 2.0 ** min(troubles, 16))
    return random.uniform(longest / 2, longest)  # noqa: S311 - jitter, not a secret
