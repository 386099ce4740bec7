"""Asking the sandbox cluster what a real API server was asked, at the same points of the story."""

import json
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3

from deployments.sandbox.server import SandboxServer
from tests.sandbox.normal_form import Names, differences, normal

RECORDINGS = Path(__file__).parent / "recordings"
_PATIENCE = 6.0
# A gap in the recording in which the controllers came to rest.
_PAUSE = 0.3
# A request is recorded with the time of its answer; what watches told this long before may be its doing.
_ANSWERING = 0.02
# The recorded deadline of 8 seconds is asked for as 2; shorter ones suffer from times that are whole seconds.
_DEADLINE = {8: 2}

# (type, the object's real name, the object in normal form as JSON)
Event = tuple[str, str, str]
States = dict[tuple[str, str], list[tuple[str, str]]]


def recorded(scenario: str) -> list[dict[str, Any]]:
    text = (RECORDINGS / f"{scenario}.jsonl").read_text()
    return [quickened(json.loads(line)) for line in text.splitlines()]


def quickened(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _DEADLINE.get(item, item) if key == "progressDeadlineSeconds" else quickened(item)
            for key, item in value.items()
        }
    return [quickened(item) for item in value] if isinstance(value, list) else value


@dataclass
class Answer:
    status: int
    body: Any


class Client:
    """A plain HTTP client: nothing between the test and the wire."""

    def __init__(self, server: SandboxServer) -> None:
        self._server = server
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=16, retries=False)

    def ask(self, request: dict[str, Any], user: str = "admin", *, token: str = "") -> Answer:
        response = self._pool.request(
            request["method"],
            self._url(request["path"], request.get("params") or {}),
            body=json.dumps(request["body"]) if request.get("body") is not None else None,
            headers=self._headers(request.get("content_type"), user, token),
            timeout=_PATIENCE,
        )
        return Answer(response.status, _parsed(response.data))

    def watch(self, path: str, params: dict[str, str]) -> Iterator[dict[str, Any]]:
        response = self._pool.request(
            "GET", self._url(path, params), headers=self._headers(None, "admin", ""), preload_content=False
        )
        yield from (json.loads(line) for line in response if line.strip())

    def _url(self, path: str, params: dict[str, str]) -> str:
        return f"{self._server.url}{path}?{urlencode(params)}"

    def _headers(self, content_type: str | None, user: str, token: str) -> dict[str, str]:
        known = next(identity.token for identity in self._server.identities if identity.user == user)
        headers = {"Authorization": f"Bearer {token or known}", "User-Agent": "python-httpx/0.28.1"}
        return {**headers, "Content-Type": content_type or "application/json"}


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode()


@dataclass
class Replay:
    """One scenario played against a server; `answers` and `story` are what came back."""

    scenario: str
    server: SandboxServer
    answers: list[tuple[dict[str, Any], Answer]] = field(default_factory=list)
    story: "Storybook" = field(default_factory=lambda: Storybook())
    unreached: list[str] = field(default_factory=list)
    _bookmarked: set[str] = field(default_factory=set)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def play(self, lines: list[dict[str, Any]] | None = None) -> None:
        client, lines, before = Client(self.server), lines or recorded(self.scenario), 0.0
        events = [line for line in lines if "event" in line]
        for line in lines:
            if "event" in line:
                continue
            if line["t"] - before > _PAUSE:
                self._rest(client, [event for event in events if event["t"] < line["t"] - _ANSWERING])
            before = line["t"]
            if "watch_opened" in line:
                self._open(client, line["watch_opened"])
            else:
                user, token = _asked_by(line)
                self.answers.append((line, client.ask(line["request"], user, token=token)))
        self._rest(client, events)

    def _rest(self, client: Client, events: list[dict[str, Any]]) -> None:
        """Wait until the story has come as far as the recording; without a watch, until nothing changes any more."""
        if self._bookmarked:
            self._await(Storybook(events))
        else:
            settle(client)

    def _open(self, client: Client, opened: dict[str, Any]) -> None:
        path = opened["path"]
        threading.Thread(target=self._listen, args=(client, path, opened["params"]), daemon=True).start()
        with self._changed:
            assert self._changed.wait_for(lambda: path in self._bookmarked, _PATIENCE), f"no bookmark came on {path}"

    def _listen(self, client: Client, path: str, params: dict[str, str]) -> None:
        try:
            for event in client.watch(path, params):
                with self._changed:
                    self.story.add(event)
                    if event["type"] == "BOOKMARK":
                        self._bookmarked.add(path)
                    self._changed.notify_all()
        except urllib3.exceptions.HTTPError:  # the server was stopped at the end of the test
            return

    def _await(self, told: "Storybook") -> None:
        """Wait until every object has reached the state that the recording tells of at this point."""
        wanted = told.final_states()
        with self._changed:
            if not self._changed.wait_for(lambda: self.story.final_states() == wanted, _PATIENCE):
                self.unreached += list(_unreached(wanted, self.story.final_states()))


def _unreached(wanted: States, found: States) -> Iterator[str]:
    for key, states in wanted.items():
        if key not in found or len(states) != len(found[key]):
            yield f"{key}: {len(states)} objects recorded, {len(found.get(key, ()))} found"
            continue
        for (_, left), (_, right) in zip(states, found[key], strict=True):
            yield from (f"{key} never became so: {text}" for text in differences(json.loads(left), json.loads(right)))


def settle(client: Client) -> None:
    """Without a watch: wait until nothing changes any more."""
    version, quiet = "", 0
    while quiet < 15:
        listed = client.ask({"method": "GET", "path": "/api/v1/nodes"}).body["metadata"]["resourceVersion"]
        quiet = quiet + 1 if listed == version else 0
        version = listed
        time.sleep(0.01)


def _asked_by(line: dict[str, Any]) -> tuple[str, str]:
    body = line["response"].get("body")
    if line["response"]["status"] == 401:
        return "admin", "unknown"
    refused = isinstance(body, dict) and (
        'User "viewer"' in str(body.get("message")) or (body.get("status") == {"allowed": False})
    )
    return ("viewer" if refused else "admin"), ""


class Storybook:
    """What happened to each object, in order. Pods and events of one owner stand together under one name."""

    def __init__(self, lines: Iterable[dict[str, Any]] = ()) -> None:
        self._names = Names()
        self.events: dict[tuple[str, str], list[Event]] = {}
        for line in lines:
            self.add(line["event"])

    def add(self, event: dict[str, Any]) -> None:
        if event["type"] == "BOOKMARK":
            return
        name = event["object"]["metadata"].get("name", "")
        plain = normal(event["object"], self._names)
        key = (plain["kind"], plain["metadata"].get("name", ""))
        self.events.setdefault(key, []).append((event["type"], name, json.dumps(plain, sort_keys=True)))

    def final_states(self) -> States:
        """The last event of each object."""
        return {
            key: sorted({name: (kind, plain) for kind, name, plain in events}.values())
            for key, events in self.events.items()
        }

    def sequences(self, key: tuple[str, str]) -> list[list[tuple[str, str]]]:
        """What each object behind one name went through; several (pods of a ReplicaSet) in a fixed order."""
        by_name: dict[str, list[tuple[str, str]]] = {}
        for kind, name, plain in self.events[key]:
            by_name.setdefault(name, []).append((kind, plain))
        return sorted(by_name.values())
