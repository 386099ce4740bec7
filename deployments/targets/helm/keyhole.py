"""What a chart's templates may see of a cluster: kinds, versions, and the objects of their own namespace.

Helm's `lookup` reads whatever the credentials may read, and those reach further than the people who write charts: into
other teams' namespaces, which may hold their Secrets. So a chart is rendered through this: a server on this machine,
under an address that cannot be guessed, which passes on the reading of what is harmless and nothing else. The
credentials stay on this side of it.
"""

import json
import re
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import urllib3

from deployments.targets.kubernetes.wire.certificates import client_context
from deployments.targets.kubernetes.wire.kubeconfig import Credentials, read_kubeconfig

TIMEOUT = urllib3.Timeout(connect=5.0, read=15.0)
MOST_BYTES = 64 * 1024 * 1024
REFUSED = "A chart may look up objects of its own namespace, and those of the whole cluster by their names; no others."
_SEGMENT = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._:-]+"
_DISCOVERY = re.compile(
    r"/version|/api|/apis|/api/v1|/apis/[a-z0-9.-]+(?:/[a-z0-9]+)?|/openapi/v[23](?:/[A-Za-z0-9./_-]*)?"
)
_OBJECTS = re.compile(
    rf"/(?:api/v1|apis/{_SEGMENT}/{_SEGMENT})/"
    rf"(?:namespaces/(?P<namespace>{_SEGMENT})/{_SEGMENT}(?:/(?P<name>{_SEGMENT}))?|(?!watch/|proxy/){_SEGMENT}/{_SEGMENT})"
)
# Of the answer; how long its body is depends on what is sent here.
_PASSED_BACK = ("content-type", "content-encoding", "retry-after")
_PASSED_ON = ("accept", "accept-encoding", "user-agent")


def judge(path: str, namespace: str) -> HTTPStatus:
    """What templates of a chart for `namespace` get for a GET of this path of the API, without its query.

    OK: the cluster's own answer. What they may not see is not there, and what would list it is forbidden.
    """
    if _DISCOVERY.fullmatch(path) and ".." not in path:
        return HTTPStatus.OK
    found = _OBJECTS.fullmatch(path)
    if found is None:
        return HTTPStatus.FORBIDDEN
    if found["namespace"] in (None, namespace):
        return HTTPStatus.OK
    return HTTPStatus.NOT_FOUND if found["name"] else HTTPStatus.FORBIDDEN


@contextmanager
def narrowed(kubeconfig: Mapping[str, Any], namespace: str) -> Iterator[dict[str, Any]]:
    """A kubeconfig for as long as the context lasts, without credentials. Raises InvalidKubeconfig."""
    server = _Server(read_kubeconfig(kubeconfig), namespace)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield _kubeconfig(f"http://127.0.0.1:{server.server_port}{server.prefix}", namespace)
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, credentials: Credentials, namespace: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.credentials, self.namespace = credentials, namespace
        self.prefix = f"/{secrets.token_urlsafe(24)}"
        self.pool = _pool(credentials)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        prefix, path = self.server.prefix, urlsplit(self.path).path
        if not path.startswith(f"{prefix}/"):
            self._send(HTTPStatus.NOT_FOUND, {}, b"")
            return
        verdict = judge(path.removeprefix(prefix), self.server.namespace)
        if verdict is HTTPStatus.OK:
            self._pass_on(self.path.removeprefix(prefix))
        else:
            self._send(verdict, {"content-type": "application/json"}, _status(verdict))

    def log_message(self, format: str, *args: Any) -> None:
        """Standard error is nobody's."""

    def _pass_on(self, target: str) -> None:
        credentials = self.server.credentials
        headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
        if credentials.token:
            headers["Authorization"] = f"Bearer {credentials.token}"
        try:
            answer = self.server.pool.request(
                "GET", credentials.server + target, headers=headers, timeout=TIMEOUT, retries=False, redirect=False,
                preload_content=False,
            )  # fmt: skip
            body = answer.read(MOST_BYTES + 1, decode_content=False)
            answer.release_conn()
        except (urllib3.exceptions.HTTPError, OSError):
            body = None
        if body is None or len(body) > MOST_BYTES:
            # Helm sees the connection end, as if there were nothing in between.
            self.close_connection = True
            return
        passed = {name: answer.headers[name] for name in _PASSED_BACK if name in answer.headers}
        self._send(answer.status, passed, body)

    def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _pool(credentials: Credentials) -> urllib3.PoolManager:
    options: dict[str, Any] = {"maxsize": 4, "cert_reqs": "CERT_REQUIRED" if credentials.verify_tls else "CERT_NONE"}
    if credentials.ca_data:
        options["ca_cert_data"] = credentials.ca_data
    if credentials.tls_server_name:
        options |= {"server_hostname": credentials.tls_server_name, "assert_hostname": credentials.tls_server_name}
    if credentials.client_certificate:
        options["ssl_context"] = client_context(credentials)
    if credentials.proxy_url:
        return urllib3.ProxyManager(credentials.proxy_url, **options)
    return urllib3.PoolManager(**options)


def _kubeconfig(server: str, namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "chart",
        "clusters": [{"name": "chart", "cluster": {"server": server}}],
        "contexts": [{"name": "chart", "context": {"cluster": "chart", "user": "chart", "namespace": namespace}}],
        "users": [{"name": "chart", "user": {}}],
    }


def _status(verdict: HTTPStatus) -> bytes:
    reason = "NotFound" if verdict is HTTPStatus.NOT_FOUND else "Forbidden"
    found = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": REFUSED}
    return json.dumps(found | {"code": verdict}).encode()
