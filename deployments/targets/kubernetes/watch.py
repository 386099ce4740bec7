"""Follows one kind of object in a cluster for as long as the caller likes.

The official client's watch ends silently, turns every object into a class and blocks for ever on a silent server.
This one reads the raw stream, decodes only each object's metadata, and comes back after every kind of interruption.
"""

import json
import logging
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import urllib3
from urllib3.exceptions import HTTPError

from deployments.targets.base import Connection
from deployments.targets.kubernetes.changes import (
    Change,
    Lost,
    Notice,
    Refusal,
    Relisted,
    Restored,
    WatchedKind,
    change_of,
    decode,
)
from deployments.targets.kubernetes.cluster import Cluster
from deployments.targets.kubernetes.errors import ClusterError, Expired, Forbidden, Unavailable, UnknownKind
from deployments.targets.kubernetes.objects import metadata
from deployments.targets.kubernetes.wording import clean

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
# An API server sends a bookmark about once a minute: silence for longer means that nobody is there.
SILENCE_SECONDS = 90.0
WATCH_SECONDS = 300
BACKOFF_FIRST_SECONDS = 0.2
BACKOFF_MOST_SECONDS = 30.0
STEADY_SECONDS = 1.0
CHUNK_BYTES = 65_536
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
    """Notices for ever, until `stop` is set or the cluster refuses. `namespace` None follows the whole cluster.

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
            yield Refusal(str(error))
            return
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

    def watch_once(self) -> Iterator[Notice]:
        """One watch request from its opening to its end. Whether the cluster is away, the next request tells."""
        cluster = Cluster(self.connection)
        path: str = cluster.resource(self.watched.api_version, self.watched.kind).path(namespace=self.namespace)
        if not self.version:
            self.version = self._list_version(cluster, path)
            yield Relisted(self.watched.kind)
        query = [
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", self.version),
            ("timeoutSeconds", str(WATCH_SECONDS)),
            *_selector(self.watched),
        ]
        timeouts = (CONNECT_SECONDS, self.silence_seconds)
        response = cluster.open_stream(f"watch {self.watched.kind}", path, query, timeouts)
        with self.stop.reading(response):
            yield from self._restored()
            for line in _lines(response):
                if self.stop.is_set():
                    return
                yield from self._take(line)

    def lose(self, error: ClusterError) -> Iterator[Notice]:
        if not self.is_lost:
            self.is_lost = True
            yield Lost(str(error))

    def _restored(self) -> Iterator[Notice]:
        if self.is_lost:
            self.is_lost = False
            yield Restored(self.watched.kind)

    def _take(self, line: bytes) -> Iterator[Change]:
        event_type, meta = decode(line)
        if event_type == "ERROR":
            raise _reported(self.watched, line)
        self.version = str(meta.get("resourceVersion", self.version))
        if event_type != "BOOKMARK":
            yield change_of(self.watched.kind, event_type, meta)

    def _list_version(self, cluster: Cluster, path: str) -> str:
        # One object is enough: the list's resourceVersion is that of the whole, and the caller looks at the objects.
        answer = cluster.read(f"list {self.watched.kind}", path, [("limit", "1"), *_selector(self.watched)])
        return str(metadata(answer).get("resourceVersion", ""))


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


def _reported(watched: WatchedKind, line: bytes) -> ClusterError:
    status = json.loads(line)["object"]
    told = f"Could not watch {watched.kind}: {clean(status.get('message'))}"
    return Expired(told) if status.get("code") == 410 else Unavailable(told)


def _selector(watched: WatchedKind) -> list[tuple[str, str]]:
    return [("labelSelector", watched.labels)] if watched.labels else []


def _backoff(troubles: int) -> float:
    longest = min(BACKOFF_MOST_SECONDS, BACKOFF_FIRST_SECONDS * 2.0 ** min(troubles, 16))
    return random.uniform(longest / 2, longest)  # noqa: S311 - jitter, not a secret
