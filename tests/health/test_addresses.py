"""A check can't be used to reach inside: hostile URLs never connect."""

import socket
import threading
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from deployments.health import addresses, http
from deployments.health.addresses import AllowList, Refused, parse, read_allow_list, require_open, resolve
from deployments.health.base import Question, Reach, Reading
from tests.health.conftest import SUBJECT, Listener

NOTHING = read_allow_list(())

# One machine in many disguises; what follows is put around them.
NUMBER_FORMS = (
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "017700000001",
    "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.01", "0", "0.0.0.0",
    "00.00.00.00", "127.0.0.1.", "127.000.000.001", "1.2.3",
    "256.1.1.1", "0x7f.1", "0xA9FEA9FE", "2852039166", "169.254.169.254",
    "169.254.43518", "025177524776", "10.0.0.1", "10.1", "192.168.0.1",
    "172.16.0.1", "100.64.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255",
    "240.0.0.1",
    "192.0.2.1", "168.63.129.16",
)  # fmt: skip
V6_FORMS = (
    "[::1]", "[::]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[::7f00:1]",
    "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001::1]",
    "[fe80::1]", "[fe80::1%25lo]", "[fe80::1%lo]", "[fc00::1]",
    "[fd00:ec2::254]", "[ff02::1]", "[100::1]", "[2001:db8::1]",
    "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[fec0::1]", "[1]",
    "[127.0.0.1]",
    "[::1", "[v1.a]",
)  # fmt: skip
NAMES = (
    "localhost",
    "LOCALHOST",
    "localhost.",
    "localhost.localdomain",
    "sub.localhost",
    "metadata.google.internal",
    "kubernetes",
    "kubernetes.default.svc",
    "db.local",
    "router.lan",
    "a_b.example.com",
    "_.example.com",
    "exa mple.com",
    "ⓛocalhost",
    "１２７.０.０.１",
    "bücher.example",
    "127。0。0。1",
    "example.com\\@127.0.0.1",
    "a..example.com",
    "-a.example.com",
    "%6c%6f%63alhost",
    "127.0.0.1%00.example.com",
    "localhost%2eexample.com",
    "example.com\t",
    "l\u00adocalhost",
)
AROUND = (
    "http://{}:{port}/",
    "https://{}:{port}/x",
    "http://user@{}:{port}/",
    "http://user:pw@{}:{port}/",
    "http://{}:{port}#@example.com/",
    "http://example.com@{}:{port}/",
    "http://{}:{port}?@example.com",
    "http:\\\\{}:{port}\\",
    "//{}:{port}/",
    "http:/{}:{port}/",
    " http://{}:{port}/",
    "http://{}:{port}/\r\nHost: example.com",
    "hTTp://{}:{port}/",
    "gopher://{}:{port}/",
    "file://{}:{port}/etc/passwd",
)


@pytest.fixture
def forbidden() -> Iterator[tuple[int, list[Any]]]:
    """A listener on every address of this machine that must hear nothing: its port, and who came by."""
    came: list[Any] = []
    server = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    server.settimeout(0.02)
    stop = threading.Event()

    def accept() -> None:
        while not stop.is_set():
            try:
                connection, address = server.accept()
            except TimeoutError:
                continue
            came.append(address)
            connection.close()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield server.getsockname()[1], came
    stop.set()
    thread.join()
    server.close()


def ask(url: str, reach: Reach = Reach()) -> Any:  # noqa: B008 - frozen
    return http.HttpCheck().ask(Question(check_id="c", name="n", kind="http", url=url), SUBJECT, reach)


def hostile_urls(port: int) -> list[str]:
    hosts = (*NUMBER_FORMS, *V6_FORMS, *NAMES)
    return [around.format(host, port=port) for host, around in product(hosts, AROUND)]


def test_a_thousand_hostile_urls_reach_nothing(
    forbidden: tuple[int, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, came = forbidden
    # Whatever a name server may say, and says: everything is this machine.
    here = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    monkeypatch.setattr(addresses.socket, "getaddrinfo", lambda *args, **kwargs: here)
    urls = hostile_urls(port)

    verdicts = {url: ask(url) for url in urls}

    assert len(urls) >= 500
    assert {reading.verdict for reading in verdicts.values()} == {"inconclusive"}
    assert all(reading.sentence.startswith("Not asked: ") for reading in verdicts.values())
    assert came == []


def test_the_forbidden_listener_does_hear_who_is_allowed(forbidden: tuple[int, list[Any]]) -> None:
    """So the test above can fail."""
    port, came = forbidden
    ask(f"http://127.0.0.1:{port}/", Reach(allowed_hosts=("127.0.0.0/8",)))
    assert came


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["93.184.216.34", "127.0.0.1"],
        ["93.184.216.34", "169.254.169.254"],
        ["::ffff:10.0.0.1"],
        ["fe80::1%1"],
    ],
)
def test_a_name_that_leads_inside_is_refused_whatever_else_it_has(
    answers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [(0, 0, 0, "", (address, 80)) for address in answers]
    monkeypatch.setattr(addresses.socket, "getaddrinfo", lambda *args, **kwargs: found)
    with pytest.raises(Refused):
        resolve(parse("http://rebind.example.com/"), NOTHING)


def test_what_was_judged_is_what_is_connected_to(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that answers differently the second time is not asked a second time."""
    answers = iter([["127.0.0.1"]])
    real = socket.getaddrinfo

    def once(host: str, *args: Any, **kwargs: Any) -> Any:
        if host == "app.example.com":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, listener.port)) for address in next(answers)]
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", once)
    reading = ask(f"http://app.example.com:{listener.port}/health", Reach(allowed_hosts=("127.0.0.1",)))

    assert reading.verdict == "pass"
    assert listener.hosts == [f"app.example.com:{listener.port}"]


def test_a_redirect_is_an_answer_and_no_way(listener: Listener) -> None:
    listener.says(302, b"", Location=f"{listener.url}/secret")

    reading = ask(f"{listener.url}/", Reach(allowed_hosts=("127.0.0.0/8",)))

    assert isinstance(reading, Reading)
    assert (reading.verdict, reading.sentence) == ("fail", f"{listener.url} answered 302, not 2xx.")
    assert listener.seen == ["GET /"]


@pytest.mark.parametrize(
    ("entries", "host", "address", "is_open"),
    [
        (("web.shop.svc",), "web.shop.svc", "10.1.2.3", True),
        (("*.shop.svc",), "web.shop.svc", "fd12::1", True),
        (("*.shop.svc",), "shop.svc", "10.1.2.3", False),
        (("web.shop.svc",), "api.shop.svc", "10.1.2.3", False),
        (("web.shop.svc",), "web.shop.svc", "127.0.0.1", False),
        (("web.shop.svc",), "web.shop.svc", "169.254.1.1", False),
        (("10.1.0.0/16",), "anything.example", "10.1.2.3", True),
        (("10.1.0.0/16",), "anything.example", "10.2.2.3", False),
        (("10.1.0.0/16",), "anything.example", "::ffff:10.1.2.3", True),
        (("0.0.0.0/0",), "169.254.169.254", "169.254.169.254", False),
        (("::/0", "fd00:ec2::/32"), "x.example", "fd00:ec2::254", False),
        ((), "example.com", "93.184.216.34", True),
        ((), "example.com", "2606:2800:220:1::1", True),
    ],
)
def test_what_an_operator_lists(entries: tuple[str, ...], host: str, address: str, is_open: bool) -> None:
    allowed: AllowList = read_allow_list(entries)
    if is_open:
        require_open(host, addresses.ip_address(address), allowed)
    else:
        with pytest.raises(Refused):
            require_open(host, addresses.ip_address(address), allowed)


@pytest.mark.parametrize("entry", ["http://web", "a b", "10.0.0.0/33", "-x", "*.*.example"])
def test_a_list_that_says_nothing_is_no_list(entry: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_allow_list((entry,))
