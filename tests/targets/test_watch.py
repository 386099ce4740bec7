"""Following a cluster through everything that may go wrong on the way."""

import json
import threading
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from deployments.targets.kubernetes.following import watch
from deployments.targets.kubernetes.following.changes import PODS, Change, Lost, Notice, Refusal, Relisted, Restored
from deployments.targets.kubernetes.following.watch import Stop, follow
from tests.targets.scripted import Asked, Script, Scripted, serving
from tests.targets.works import connection


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "BACKOFF_FIRST_SECONDS", 0.01)
    monkeypatch.setattr(watch, "BACKOFF_MOST_SECONDS", 0.05)
    monkeypatch.setattr(watch, "REFUSED_SECONDS", 0.05)


def event(name: str, version: int, kind: str = "ADDED") -> bytes:
    meta = {"name": name, "namespace": "shop", "resourceVersion": str(version)}
    item = {"kind": "Pod", "apiVersion": "v1", "metadata": meta, "status": {"phase": "Running"}}
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


def expired() -> bytes:
    status = {"kind": "Status", "metadata": {}, "message": "too old resource version: 1 (9)", "code": 410}
    return json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"


def listing(version: int) -> tuple[int, Any]:
    return 200, {"kind": "PodList", "metadata": {"resourceVersion": str(version)}, "items": []}


def notices(script: Script, count: int, **options: Any) -> tuple[list[Notice], Scripted]:
    stop = Stop()
    with serving(script) as server:
        found = list(islice(follow(connection(server.url), PODS, stop=stop, **options), count))
        stop.set()
    return found, server


def changed(found: list[Notice]) -> list[str]:
    return [notice.name for notice in found if isinstance(notice, Change)]


def watches(server: Scripted) -> list[str]:
    return [asked.query["resourceVersion"] for asked in server.asked if asked.query.get("watch")]


class Stages:
    """Answers lists with rising versions, and the n-th watch as the n-th stage says."""

    def __init__(self, *stages: Any) -> None:
        self._stages: Iterator[Any] = iter(stages)
        self._version = 0

    def __call__(self, asked: Asked) -> tuple[int, Any] | None:
        if not asked.query.get("watch"):
            self._version += 10
            return listing(self._version)
        stage = next(self._stages, None)
        if stage is None:
            time.sleep(0.05)
            return None
        if isinstance(stage, tuple):
            return stage  # type: ignore[return-value]
        for line in stage:
            asked.send(line)
        return None


def test_it_begins_with_a_list_and_watches_from_that_version() -> None:
    found, server = notices(Stages([event("a", 11), event("b", 12)]), 3)
    assert found[0] == Relisted("Pod")
    assert changed(found) == ["a", "b"]
    assert server.asked[0].query == {"limit": "500"}
    assert watches(server)[0] == "10"
    assert server.asked[1].query["allowWatchBookmarks"] == "true"


def test_a_watch_that_ends_goes_on_from_the_last_version_without_a_list() -> None:
    found, server = notices(Stages([event("a", 11)], [event("b", 15)], [event("c", 16)]), 4)
    assert changed(found) == ["a", "b", "c"]
    assert watches(server) == ["10", "11", "15"]
    assert sum(isinstance(notice, Relisted) for notice in found) == 1


def test_bookmarks_move_the_version_and_are_no_changes() -> None:
    found, server = notices(Stages([event("", 40, "BOOKMARK")], [event("a", 41)]), 2)
    assert changed(found) == ["a"]
    assert watches(server) == ["10", "40"]


def test_an_expired_version_is_followed_by_a_new_list() -> None:
    found, server = notices(Stages([expired()], [event("a", 21)]), 3)
    assert found[:2] == [Relisted("Pod"), Relisted("Pod")]
    assert changed(found) == ["a"]
    assert watches(server) == ["10", "20"]


def test_an_expired_version_may_also_be_a_plain_410() -> None:
    gone = (410, {"kind": "Status", "code": 410, "message": "too old resource version"})
    found, server = notices(Stages(gone, [event("a", 21)]), 3)
    assert changed(found) == ["a"]
    assert watches(server) == ["10", "20"]


def test_an_outage_is_told_once_and_its_end_as_well() -> None:
    broken = (503, {"kind": "Status", "message": "etcd is away"})
    found, _ = notices(Stages(broken, broken, broken, [event("a", 11)]), 4)
    assert isinstance(found[1], Lost)
    assert "etcd is away" in found[1].message
    assert found[2] == Restored("Pod")
    assert changed(found) == ["a"]


def test_a_cut_line_is_not_half_read() -> None:
    found, server = notices(Stages([event("a", 11), event("cut", 12)[:40]], [event("b", 13)]), 3)
    assert changed(found) == ["a", "b"]
    assert watches(server) == ["10", "11"]


def test_lines_may_come_in_pieces() -> None:
    whole = event("a", 11) + event("b", 12)
    found, _ = notices(Stages([whole[:30], whole[30:100], whole[100:]]), 3)
    assert changed(found) == ["a", "b"]


def test_a_silent_server_is_left_and_asked_again() -> None:
    silent = threading.Event()

    def script(asked: Asked) -> tuple[int, Any] | None:
        if not asked.query.get("watch"):
            return listing(10)
        asked.send(b"")
        if not silent.is_set():
            silent.set()
            time.sleep(1.0)
            return None
        asked.send(event("a", 11))
        return None

    began = time.monotonic()
    found, _ = notices(script, 2, silence_seconds=0.2)
    assert changed(found) == ["a"]
    assert time.monotonic() - began < 0.9


def test_without_the_right_it_says_so_once_and_comes_back_when_the_right_is_given() -> None:
    asked_before: list[Asked] = []
    forbidden = {"kind": "Status", "reason": "Forbidden", "message": 'pods is forbidden: User "x" cannot list'}
    granted = Stages([event("a", 11)])

    def script(asked: Asked) -> tuple[int, Any] | None:
        asked_before.append(asked)
        return (403, forbidden) if len(asked_before) < 4 else granted(asked)

    found, _ = notices(script, 3)
    refusal, relisted, _ = found
    assert isinstance(refusal, Refusal)
    assert "cannot list" in refusal.message
    assert relisted == Relisted("Pod")
    assert changed(found) == ["a"]


def test_a_list_comes_in_pages_and_tells_what_every_object_shows() -> None:
    def script(asked: Asked) -> tuple[int, Any] | None:
        if asked.query.get("watch"):
            return None
        items = [json.loads(event(name, 5))["object"] for name in ("a", "b")]
        number = int(asked.query.get("continue", "0"))
        meta = {"resourceVersion": "7"} | ({"continue": str(number + 1)} if number < 2 else {})
        return 200, {"kind": "PodList", "metadata": meta, "items": items}

    [relisted], _ = notices(script, 1)
    assert isinstance(relisted, Relisted)
    assert [change.name for change in relisted.objects] == ["a", "b"] * 3
    assert all(change.sight is not None for change in relisted.objects)


def test_lines_that_are_no_events_break_no_watch(caplog: pytest.LogCaptureFixture) -> None:
    odd = [b"[]\n", b"null\n", b"{}\n", b'{"type": "ADDED"}\n', b'{"type": "ADDED", "object": 7}\n', b"nonsense\n"]
    deep = b'{"type":"ADDED","object":' + b"[" * 100_000 + b"\n"
    found, server = notices(Stages([*odd, b"\xff\xfe\n", deep, event("a", 12)]), 2)
    assert changed(found) == ["a"]
    assert watches(server) == ["10"]
    assert caplog.text.count("Passed over an unreadable Pod") == 1


def test_it_can_follow_one_namespace() -> None:
    _, server = notices(Stages([event("a", 11)]), 2, namespace="shop")
    assert {asked.path for asked in server.asked} == {"/api/v1/namespaces/shop/pods"}


def test_stop_ends_a_blocking_read_at_once() -> None:
    def script(asked: Asked) -> tuple[int, Any] | None:
        if not asked.query.get("watch"):
            return listing(10)
        asked.send(b"")
        time.sleep(5)
        return None

    stop = Stop()
    with serving(script) as server:
        follower = threading.Thread(target=lambda: list(follow(connection(server.url), PODS, stop=stop)))
        follower.start()
        while not any(asked.query.get("watch") for asked in server.asked):
            time.sleep(0.005)
        time.sleep(0.05)
        stop.set()
        follower.join(timeout=1)
        assert not follower.is_alive()


def test_a_cluster_that_is_away_is_lost_until_stopped() -> None:
    stop = Stop()
    follower = follow(connection("http://127.0.0.1:9"), PODS, stop=stop)
    lost = next(follower)
    assert isinstance(lost, Lost)
    assert "can't" in lost.message or "refuses" in lost.message
    stop.set()
    assert list(follower) == []
