"""HTTP checks against a real server on this machine."""

import socket
import threading
import time
from typing import Any

import pytest

from deployments.health import fetching, http
from deployments.health.base import Question, Reach, Reading
from tests.health.conftest import LOOPBACK, SUBJECT, Listener


def ask(url: str, **expect: Any) -> Reading:
    question = Question(check_id="c", name="alive", kind="http", url=url, expect=expect)
    reading = http.HttpCheck().ask(question, SUBJECT, LOOPBACK)
    assert isinstance(reading, Reading)
    return reading


@pytest.mark.parametrize(
    ("status", "expect", "verdict"),
    [
        (200, {}, "pass"),
        (204, {}, "pass"),
        (301, {}, "fail"),
        (500, {}, "fail"),
        (404, {"status": 404}, "pass"),
        (200, {"status": [200, 204]}, "pass"),
        (201, {"status": [200, 204]}, "fail"),
    ],
)
def test_the_status(listener: Listener, status: int, expect: dict[str, Any], verdict: str) -> None:
    listener.says(status, b"")
    reading = ask(f"{listener.url}/health?deep=1", **expect)
    assert (reading.verdict, str(status) in reading.value) == (verdict, True)
    assert listener.seen == ["GET /health?deep=1"]


@pytest.mark.parametrize(
    ("body", "wanted", "verdict", "no_data"),
    [
        ({"a": {"b": [{"c": "ok"}]}}, {"path": "a.b.0.c", "equals": "ok"}, "pass", False),
        ({"a": {"b": [{"c": "bad"}]}}, {"path": "a.b.0.c", "equals": "ok"}, "fail", False),
        ({"up": 1}, {"path": "up", "equals": True}, "fail", False),
        ({"lag": 3}, {"path": "lag", "below": 5}, "pass", False),
        ({"lag": 5}, {"path": "lag", "below": 5}, "fail", False),
        ({"lag": 5}, {"path": "lag", "between": [5, 6]}, "pass", False),
        ({"lag": "3"}, {"path": "lag", "below": 5}, "inconclusive", True),
        ({"lag": None}, {"path": "other.field", "below": 5}, "inconclusive", True),
        ([1], {"path": "3", "equals": 1}, "inconclusive", True),
        (b"<html>", {"path": "a", "equals": 1}, "fail", False),
        (b"[" * 100_000, {"path": "a", "equals": 1}, "fail", False),
    ],
)
def test_a_field_of_its_json(listener: Listener, body: Any, wanted: Any, verdict: str, no_data: bool) -> None:
    listener.says(200, body)
    reading = ask(listener.url, json=wanted)
    assert (reading.verdict, reading.no_data) == (verdict, no_data)


def test_the_text_that_it_must_contain(listener: Listener) -> None:
    listener.says(200, b"all systems go")
    assert ask(listener.url, contains="systems").verdict == "pass"
    assert "does not contain" in ask(listener.url, contains="nothing").sentence


def test_slow_is_a_failure_where_it_is_asked_for(listener: Listener) -> None:
    def slowly(path: str) -> tuple[int, dict[str, str], bytes]:
        time.sleep(0.15)
        return 200, {}, b""

    listener.answer = slowly
    assert ask(listener.url, max_ms=100).verdict == "fail"
    assert ask(listener.url, max_ms=9000).verdict == "pass"


def test_a_large_answer_is_cut(listener: Listener) -> None:
    listener.says(200, b'{"a": "' + b"x" * 5_000_000 + b'"}')
    assert ask(listener.url).verdict == "pass"
    assert "larger than 256 kB" in ask(listener.url, json={"path": "a", "equals": "x"}).sentence


def test_nobody_there_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert ask(f"http://127.0.0.1:{port}/").sentence == f"http://127.0.0.1:{port} refuses connections."


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"], ids=["headers", "body"])
def test_an_answer_that_drips_is_ended(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "TOTAL_SECONDS", 0.4)
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(head)
                while not stop.wait(0.05):
                    try:
                        connection.sendall(b"H")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        started = time.monotonic()
        reading = ask(f"http://127.0.0.1:{server.getsockname()[1]}/")
        stop.set()
        thread.join()

    assert time.monotonic() - started < 2
    assert (reading.verdict, "did not finish its answer" in reading.sentence) == ("fail", True)


def test_what_answers_without_speaking_http(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def babble() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")

        threading.Thread(target=babble, daemon=True).start()
        reading = ask(f"http://127.0.0.1:{server.getsockname()[1]}/")
    assert reading.sentence.endswith("does not answer as HTTP.")


@pytest.mark.parametrize(
    ("expect", "words"),
    [
        ({"statuz": 200}, "unknown key “statuz”"),
        ({"status": "200"}, "must be a status"),
        ({"status": True}, "must be a status"),
        ({"status": []}, "must be a status"),
        ({"max_ms": -1}, "above 0"),
        ({"contains": ""}, "must be a text"),
        ({"json": "a"}, "must be an object"),
        ({"json": {"path": "a"}}, "say what the field should be"),
        ({"json": {"path": "", "equals": 1}}, "must name a field"),
        ({"json": {"path": "a", "below": "5"}}, "must be a number"),
        ({"json": {"path": "a", "between": [5, 1]}}, "two numbers"),
    ],
)
def test_expectations_that_say_nothing_are_refused(expect: dict[str, Any], words: str) -> None:
    question = Question(check_id="", name="", kind="http", url="https://example.com/", expect=expect)
    problems = http.HttpCheck().problems(question, Reach())
    assert words in " ".join(problems["expect"])


def test_an_address_inside_is_refused_when_it_is_written() -> None:
    question = Question(check_id="", name="", kind="http", url="http://10.0.0.1/")
    assert list(http.HttpCheck().problems(question, Reach())) == ["url"]
    assert http.HttpCheck().problems(question, Reach(allowed_hosts=("10.0.0.0/8",))) == {}
