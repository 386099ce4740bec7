"""One API client for each cluster and process.

Clients hold sockets and locks, so they are never shared across a fork: a forked child starts with an empty cache.
"""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import urllib3
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.rest import RESTResponse
from kubernetes.dynamic import DynamicClient, LazyDiscoverer

from deployments.targets.base import Connection
from deployments.targets.kubernetes.wire.certificates import client_context
from deployments.targets.kubernetes.wire.errors import TooLarge, ask
from deployments.targets.kubernetes.wire.kubeconfig import Credentials, read_kubeconfig

MOST_CLIENTS = 32
POOL_SIZE = 16
CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 30.0
TOTAL_SECONDS = 60.0
CHUNK_BYTES = 65_536
# A page of 500 of the largest objects that etcd keeps would be larger; nobody has those.
MOST_BYTES = 64 * 1024 * 1024
USER_AGENT = "releasemgr"


class Timing(NamedTuple):
    """How long a request may take, in seconds. `total` None leaves the body to the caller, who reads it as it comes."""

    connect: float
    silence: float
    total: float | None


class MemoryDiscoverer(LazyDiscoverer):  # type: ignore[misc]
    """Discovery without the cache file.

    The client writes that file without a lock, with mode 644, and believes whatever it finds in it. Asking anew costs
    each process two requests and one more for each API group it uses.
    """

    def __init__(self, client: Any, cache_file: str | None) -> None:
        # One thread that drops the cache would pull it away under another one's search.
        self._searching = threading.RLock()
        super().__init__(client, cache_file)

    def search(self, **wanted: Any) -> Any:
        with self._searching:
            return super().search(**wanted)

    def _write_cache(self) -> None:
        """Nothing is written: the cache lives as long as the client."""


class _Clients:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.by_key: OrderedDict[tuple[int, str], DynamicClient] = OrderedDict()

    def get(self, connection: Connection) -> DynamicClient:
        key = (os.getpid(), connection.key)
        with self.lock:
            found = self.by_key.get(key)
            if found is not None:
                self.by_key.move_to_end(key)
                return found
        # Connecting happens outside the lock: one cluster that does not answer must not hold up the others.
        made = _connect(connection)
        with self.lock:
            kept = self.by_key.setdefault(key, made)
            while len(self.by_key) > MOST_CLIENTS:
                self.by_key.popitem(last=False)
        return kept

    def forget(self, key: str) -> None:
        with self.lock:
            self.by_key.pop((os.getpid(), key), None)


_clients = _Clients()


def _start_afresh() -> None:
    # The parent's lock may be held and its sockets are in use: drop both unused.
    global _clients
    _clients = _Clients()


os.register_at_fork(after_in_child=_start_afresh)


def get_client(connection: Connection) -> DynamicClient:
    """The client for this cluster, made on first use. Raises InvalidKubeconfig or a ClusterError."""
    return _clients.get(connection)


def forget_client(connection: Connection) -> None:
    """Drops the cached client, for instance after its credentials were refused."""
    _clients.forget(connection.key)


def _open(connection: Connection) -> ApiClient:
    credentials = read_kubeconfig(connection.kubeconfig)
    client = ApiClient(_configuration(credentials))
    client.user_agent = USER_AGENT
    if credentials.client_certificate:
        client.rest_client.pool_manager.connection_pool_kw["ssl_context"] = client_context(credentials)
    return client


def _connect(connection: Connection) -> DynamicClient:
    client = _open(connection)
    server = client.configuration.host
    # The path never exists, so nothing is read either.
    return ask(
        "reach the cluster",
        server,
        lambda: DynamicClient(_WithTimeouts(client), cache_file=os.devnull + "/none", discoverer=MemoryDiscoverer),
    )


class _WithTimeouts:
    """An ApiClient whose every answer is read here, in time and up to a size; discovery offers no way to ask for it."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def call_api(self, *args: Any, _request_timeout: Sequence[float] | None = None, **kwargs: Any) -> RESTResponse:
        usual = (CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS, TOTAL_SECONDS)
        given = tuple(_request_timeout or ())
        timing = Timing(*given, *usual[len(given) :])
        # A refused stream has a body to read as well.
        until = time.monotonic() + (timing.total or TOTAL_SECONDS)
        answer = self._client.call_api(*args, _request_timeout=(timing.connect, timing.silence), **kwargs)
        is_stream = timing.total is None and 200 <= answer.status <= 299
        return answer if is_stream else _whole(answer.response, until)


def _whole(response: urllib3.HTTPResponse, until: float) -> RESTResponse:
    """The answer with its body read. A server that drips is given up at `until`, one that never ends at MOST_BYTES."""
    body = bytearray()
    try:
        while chunk := response.read1(CHUNK_BYTES):
            body += chunk
            if len(body) > MOST_BYTES:
                raise TooLarge
            if time.monotonic() > until:
                raise TimeoutError
    except BaseException:
        # Its connection is in the middle of a body: nobody else can use it.
        response.close()
        raise
    response.release_conn()
    read = urllib3.HTTPResponse(bytes(body), response.headers, response.status, reason=response.reason)
    return RESTResponse(read)


def _configuration(credentials: Credentials) -> Configuration:
    configuration = Configuration(host=credentials.server, proxy=credentials.proxy_url or None)
    configuration.verify_ssl = credentials.verify_tls
    configuration.ca_cert_data = credentials.ca_data or None
    configuration.tls_server_name = credentials.tls_server_name or None
    configuration.connection_pool_maxsize = POOL_SIZE
    configuration.keep_alive = True
    # The client's default silently repeats each read three times; retries belong to the engine.
    configuration.retries = False
    if credentials.token:
        configuration.api_key["BearerToken"] = f"Bearer {credentials.token}"
    return configuration
