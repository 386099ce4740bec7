"""A cluster of nothing but watches: Deployments and pods in endless rollouts, at as many events a second as asked for.

A process of its own (`python -m tests.bench.generator PORT ROLLOUTS`) that speaks discovery, lists in pages and
watches. It notes when it wrote which event, and what the workload's row has to say from then on.
`GET /bench/start?rate=N`, `GET /bench/pause`, `GET /bench/notes` (the notes so far, and forgets them). Whoever asks for
one Deployment is told to come back later, and that is noted as well.
"""

import json
import random
import sys
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.bench import rollouts
from tests.bench.rollouts import DEPLOYMENTS, PODS, Item, Rollout, render
from tests.targets import recordings

OTHERS = ("/apis/apps/v1/statefulsets", "/apis/apps/v1/daemonsets", "/apis/batch/v1/jobs")
# What a watch that opens late may still ask for.
MOST_KEPT = 8_000
TURN_SECONDS = 0.005

Note = tuple[float, int, str, int, int, int]


class World:
    """All rollouts, what is kept of their events, and who watches."""

    def __init__(self, count: int) -> None:
        random.seed(1)
        self.rollouts = [Rollout(number, step=random.randrange(rollouts.STEPS)) for number in range(count)]
        self.lock = threading.RLock()
        self.version = 1000
        self.kept: dict[str, deque[tuple[int, bytes]]] = {path: deque(maxlen=MOST_KEPT) for path in (DEPLOYMENTS, PODS)}
        self.watchers: dict[str, list[Any]] = {DEPLOYMENTS: [], PODS: []}
        self.notes: list[Note] = []
        self.asked: list[tuple[float, int]] = []
        self.rate = 0.0
        self.sent = 0
        self.lists: dict[str, list[Item]] = {}

    def run(self) -> None:
        order = list(range(len(self.rollouts)))
        random.shuffle(order)
        owed, last, turn = 0.0, time.monotonic(), 0
        while True:
            time.sleep(TURN_SECONDS)
            now = time.monotonic()
            owed, last = owed + self.rate * (now - last), now
            while owed >= 1:
                self.move(self.rollouts[order[turn % len(order)]])
                owed, turn = owed - 1, turn + 1

    def move(self, rollout: Rollout) -> None:
        with self.lock:
            self.version += 1
            before = rollout.row
            path, line = rollout.advance(self.version)
            at = time.time()
            if rollout.row != before:
                self.notes.append((at, rollout.number, *rollout.row))
            self.kept[path].append((self.version, line))
            self.sent += 1
            for stream in list(self.watchers[path]):
                try:
                    stream.write(line)
                except OSError:
                    self.watchers[path].remove(stream)

    def page(self, path: str, token: str, limit: int) -> bytes:
        """All pages of a list show the moment of the first."""
        with self.lock:
            if not token:
                token = f"{self.version}-{path[-4:]}-0"
                self.lists[token[:-2]] = [item for rollout in self.rollouts for item in rollout.snapshot(path)]
            name, _, start = token.rpartition("-")
            items = self.lists[name]
        end = int(start) + limit
        meta = {"resourceVersion": name.partition("-")[0]} | ({"continue": f"{name}-{end}"} if end < len(items) else {})
        if end >= len(items):
            del self.lists[name]
        made = b",".join(map(render, items[int(start) : end]))
        return b'{"kind":"List","metadata":%b,"items":[%b]}' % (json.dumps(meta).encode(), made)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        world, parts = self.server.world, urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        if parts.path in self.server.discovery:
            self._answer(self.server.discovery[parts.path])
        elif parts.path == "/bench/start":
            world.rate = float(query["rate"])
            self._answer({})
        elif parts.path == "/bench/pause":
            world.rate = 0.0
            time.sleep(2 * TURN_SECONDS)
            self._answer({})
        elif parts.path == "/bench/notes":
            with world.lock:
                notes, world.notes = world.notes, []
                rows = [each.row for each in world.rollouts]
                self._answer({"notes": notes, "sent": world.sent, "rows": rows, "asked": world.asked})
        elif "/namespaces/" in parts.path:
            world.asked.append((time.time(), int(parts.path.rpartition("-")[2])))
            self._answer({"kind": "Status", "message": "come back later"}, status=503)
        elif "watch" in query:
            self._watch(parts.path, int(query["resourceVersion"]))
        elif parts.path in OTHERS:
            self._answer({"kind": "List", "metadata": {"resourceVersion": str(world.version)}, "items": []})
        else:
            self._answer(world.page(parts.path, query.get("continue", ""), int(query["limit"])))

    def _answer(self, body: Any, *, status: int = 200) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _watch(self, path: str, since: int) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        world = self.server.world
        if path in world.watchers:
            with world.lock:
                for version, line in world.kept[path]:
                    if version > since:
                        self.wfile.write(line)
                world.watchers[path].append(self.wfile)
        # The pacing thread writes from here on; the reader never sends anything.
        self.rfile.read(1)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, count: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.world = World(count)
        self.discovery = {request["path"]: body for request, _, body in recordings.answers("discovery")}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients are killed here."""


def main() -> None:
    server = Server(int(sys.argv[1]), int(sys.argv[2]))
    threading.Thread(target=server.world.run, daemon=True).start()
    server.serve_forever(poll_interval=0.05)


if __name__ == "__main__":
    main()
