"""One GET to an address that was judged before: bounded in time and size, no redirect, no proxy, no cookie."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from deployments.health.addresses import Url

CONNECT_SECONDS = 4.0
# From the first packet to the last, however slowly the other side drips.
TOTAL_SECONDS = 10.0
MOST_BYTES = 256 * 1024
MOST_ADDRESSES = 4
USER_AGENT = "releasemgr-check"


class Unreachable(Exception):
    """The place does not answer as HTTP. The text completes "<host> …"."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """`body` holds at most MOST_BYTES; `is_cut` says that there was more."""

    status: int
    body: bytes
    milliseconds: int
    is_cut: bool


class _Pinned(http.client.HTTPConnection):
    """Connects to one of the given addresses, whatever the host name resolves to by now."""

    def __init__(self, url: Url, addresses: Sequence[str]) -> None:
        super().__init__(url.host, url.port, timeout=CONNECT_SECONDS)
        self._url, self._addresses = url, addresses
        self._lock = threading.Lock()
        self._is_over = False

    def connect(self) -> None:
        problem = OSError("no address")
        for address in self._addresses[:MOST_ADDRESSES]:
            try:
                self._keep(socket.create_connection((address, self._url.port), CONNECT_SECONDS))
            except OSError as error:
                problem = error
                continue
            if self._url.scheme == "https":
                self._secure()
            return
        raise problem

    def _secure(self) -> None:
        """The name is checked against the certificate, and sent, as if it had been resolved just now."""
        context = ssl.create_default_context()
        secured = context.wrap_socket(self.sock, server_hostname=self._url.host, do_handshake_on_connect=False)
        # Kept first: a handshake may be dripped as well.
        self._keep(secured)
        secured.do_handshake()

    def _keep(self, made: socket.socket) -> None:
        with self._lock:
            self.sock = made
            if self._is_over:
                made.close()
                raise TimeoutError

    def give_up(self) -> None:
        """From another thread: whatever waits for the socket ends now."""
        with self._lock:
            self._is_over = True
            if self.sock is not None:
                try:
                    self.sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    # It was closed already.
                    return


def fetch(url: Url, addresses: Sequence[str]) -> Fetched:
    """Raises Unreachable."""
    started = time.monotonic()
    connection = _Pinned(url, addresses)
    timer = threading.Timer(TOTAL_SECONDS, connection.give_up)
    timer.daemon = True
    timer.start()
    try:
        return _exchange(connection, url.target, started)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreachable(_why(error, waited=time.monotonic() - started)) from None
    finally:
        timer.cancel()
        connection.close()


def _exchange(connection: http.client.HTTPConnection, target: str, started: float) -> Fetched:
    connection.request("GET", target, headers={"User-Agent": USER_AGENT, "Accept": "*/*"})
    response = connection.getresponse()
    body = response.read(MOST_BYTES + 1)
    seconds = time.monotonic() - started
    if seconds >= TOTAL_SECONDS:
        # The timer has cut it off: what looks like the end may be the middle.
        raise TimeoutError
    return Fetched(response.status, body[:MOST_BYTES], round(seconds * 1000), is_cut=len(body) > MOST_BYTES)


def _why(error: Exception, *, waited: float) -> str:
    if waited >= TOTAL_SECONDS:
        return f"did not finish its answer within {TOTAL_SECONDS:.0f} s"
    problems: tuple[tuple[type[Exception], str], ...] = (
        (ssl.SSLCertVerificationError, "has a certificate that is not trusted, or not for this name"),
        (ssl.SSLError, "does not speak TLS here"),
        (ConnectionRefusedError, "refuses connections"),
        (TimeoutError, "did not answer in time"),
        (ConnectionError, "closed the connection before it answered"),
        (OSError, "can't be reached"),
    )
    return next((told for kind, told in problems if isinstance(error, kind)), "does not answer as HTTP")
