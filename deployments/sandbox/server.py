"""One sandbox cluster: store, controllers and HTTP server on an event loop of their own thread."""

import asyncio
import logging
import secrets
import socket
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.sandbox import kinds
from deployments.sandbox.api import Api
from deployments.sandbox.cluster import Cluster, WriteOptions
from deployments.sandbox.controllers import all_controllers
from deployments.sandbox.controllers.runtime import Runtime
from deployments.sandbox.events import Recorder
from deployments.sandbox.http import Connection, Request, Response
from deployments.sandbox.identity import Identities, Identity, administrator, viewer
from deployments.sandbox.kubeconfig import kubeconfig
from deployments.sandbox.snapshot import Snapshot
from deployments.sandbox.store import HISTORY, Store
from deployments.sandbox.tls import kept_certificate, make_certificate, public_part, server_context
from deployments.sandbox.watch import Watches

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
_NODES = ("node-0", "node-1", "node-2")
_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
# How many answered requests the log keeps.
_LOGGED = 10_000


@dataclass(frozen=True, slots=True)
class Exchange:
    """One answered request, as tests look at it. `status` of a watch is that of its start."""

    method: str
    path: str
    query: dict[str, str]
    status: int
    user_agent: str


class SandboxServer:
    """`start()`, use `kubeconfig` or `url`, `stop()`. Also a context manager.

    speed: how many times faster than real time containers start, crash and end (deadlines of specs stay as they are).
    state_dir: where the cluster is kept between starts; None keeps nothing.
    port 0: a free one. identities: who may ask; by default an administrator and a viewer without rights.
    tls: with a certificate of its own, which the kubeconfig carries; kubectl sends its token only then.
    namespaces: made at the start where they are missing, beside those that every cluster has.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        state_dir: Path | None = None,
        speed: float = 1.0,
        history: int = HISTORY,
        identities: Sequence[Identity] = (),
        namespaces: Sequence[str] = (),
        tls: bool = False,
    ) -> None:
        self.requests: deque[Exchange] = deque(maxlen=_LOGGED)
        self._port = port
        self._speed = speed
        self._namespaces = (*_NAMESPACES, *namespaces)
        self._snapshot = Snapshot(state_dir) if state_dir else None
        token = self._snapshot.token() if self._snapshot else secrets.token_urlsafe(24)
        self.identities = tuple(identities) or (administrator(token), viewer())
        self._certificate = ""
        if tls:
            self._certificate = kept_certificate(state_dir, HOST) if state_dir else make_certificate(HOST)
        self._store = Store(history=history)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._address = ""
        self._connections: set[Connection] = set()
        self._ended: asyncio.Event | None = None
        self._failure: BaseException | None = None

    def __enter__(self) -> "SandboxServer":
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        if not self._address:
            raise RuntimeError("the sandbox cluster has not been started")
        return f"{'https' if self._certificate else 'http'}://{self._address}"

    @property
    def kubeconfig(self) -> dict[str, Any]:
        """Of the first identity, the administrator unless told otherwise."""
        return self.kubeconfig_of(self.identities[0].user)

    def kubeconfig_of(self, user: str) -> dict[str, Any]:
        identity = next(item for item in self.identities if item.user == user)
        return kubeconfig(self.url, identity, public_part(self._certificate) if self._certificate else "")

    def start(self) -> None:
        """Returns when requests are answered. Raises OSError when the port is taken."""
        listener = socket.create_server((HOST, self._port), backlog=256)
        self._address = f"{HOST}:{listener.getsockname()[1]}"
        ready = threading.Event()
        arguments = (ready, listener)
        self._thread = threading.Thread(target=self._main, args=arguments, name="sandbox-cluster", daemon=True)
        self._thread.start()
        ready.wait()
        if self._failure:
            raise self._failure

    def stop(self) -> None:
        """Ends watches and connections, writes the state, and returns when all is down."""
        loop, thread = self._loop, self._thread
        if loop and thread and thread.is_alive():
            loop.call_soon_threadsafe(self._end)
            thread.join()

    def forget_changes(self) -> None:
        """Forget the past as etcd's compaction does: a watch from an older version is answered with 410."""
        self._in_loop(self._store.forget_changes)

    def _in_loop(self, call: Any) -> None:
        if self._loop is None:
            raise RuntimeError("the sandbox cluster has not been started")
        done = threading.Event()
        self._loop.call_soon_threadsafe(call)
        self._loop.call_soon_threadsafe(done.set)
        done.wait()

    def _main(self, ready: threading.Event, listener: socket.socket) -> None:
        try:
            asyncio.run(self._serve(ready, listener))
        except BaseException as error:
            self._failure = error
            logger.exception("The sandbox cluster ended with an error")
        finally:
            listener.close()
            ready.set()

    async def _serve(self, ready: threading.Event, listener: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        if self._snapshot:
            self._snapshot.load(self._store)
        self._watches = Watches(self._store)
        cluster = Cluster(self._store)
        runtime = Runtime(cluster, Recorder(self._store), speed=self._speed)
        runtime.start(all_controllers(runtime))
        _furnish(cluster, self._namespaces)
        if self._snapshot:
            self._snapshot.follow(self._store)
        api = Api(cluster, self._watches, Identities(self.identities), self._address)
        context = server_context(self._certificate) if self._certificate else None
        server = await self._loop.create_server(lambda: self._connection(api), sock=listener, ssl=context)
        ready.set()
        await self._ended.wait()
        server.close()
        runtime.stop()
        self._watches.end_all()
        for connection in tuple(self._connections):
            connection.close()
        if self._snapshot:
            self._snapshot.write(self._store)

    def _end(self) -> None:
        if self._ended:
            self._ended.set()

    def _connection(self, api: Api) -> Connection:
        async def answer(request: Request) -> Response:
            response = await api.handle(request)
            agent = request.headers.get("user-agent", "")
            self.requests.append(Exchange(request.method, request.path, request.query, response.status, agent))
            return response

        return Connection(answer, self._connections)


def _furnish(cluster: Cluster, namespaces: Sequence[str]) -> None:
    """What every cluster has: its nodes and first namespaces."""
    options = WriteOptions(manager="kubelet")
    for name in _NODES:
        if cluster.store.get(kinds.NODE, "", name) is None:
            labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
            cluster.create(kinds.NODE, "", {"metadata": {"name": name, "labels": labels}}, options)
    for name in namespaces:
        if cluster.store.get(kinds.NAMESPACE, "", name) is None:
            cluster.create(kinds.NAMESPACE, "", {"metadata": {"name": name}}, options)
