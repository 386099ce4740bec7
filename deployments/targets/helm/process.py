"""Runs the worker: a process in a group of its own, asked over pipes, and killed when it takes too long.

A worker that has answered is kept for a few seconds: rendering and applying follow each other, and most of what Helm
costs is starting it. It holds nothing of a request, and it ends when this process does.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from deployments.targets.kubernetes import objects

WORKER = "deployments.targets.helm.worker"
ROOT = Path(__file__).parents[3]
# Rendering asks the cluster for its kinds, and `lookup` for objects.
RENDER_SECONDS = 20.0
# How long Helm waits for hooks, and how long we wait for Helm: a worker of ours gives a task 55 seconds.
HOOK_SECONDS = 1800
STAY_AFTER_SECONDS = 20.0
APPLY_SECONDS = 35.0
IDLE_SECONDS = 10.0
# What a program needs of its surroundings; credentials that stand there are none of its business.
PASSED_ON = ("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR", "HELM_C_LIB", "VIRTUAL_ENV")


class HelmFailed(Exception):
    """Helm's own refusal. `kind` is the name of the library's exception, the text is Helm's, uncleaned."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class HelmGone(Exception):
    """The process ended without an answer, or was stopped because it took too long. The text is a sentence."""


class HelmStays(Exception):
    """Helm is still at work, and goes on by itself: its end will stand in the release's record."""


def render(request: Mapping[str, Any]) -> dict[str, Any]:
    """{name, version, objects, hooks, crds} of a chart. Raises HelmFailed or HelmGone."""
    return _run({"action": "render", **request}, RENDER_SECONDS)


def apply(request: Mapping[str, Any]) -> dict[str, Any]:
    """{revision, status} of the release. Raises HelmFailed, HelmGone, or HelmStays when hooks take long."""
    request = {"action": "apply", "timeout_seconds": HOOK_SECONDS, **request}
    return _run(request, APPLY_SECONDS, stay_after=STAY_AFTER_SECONDS)


@dataclass(eq=False)
class Worker:
    """One process, and the private directory that goes with it."""

    directory: "tempfile.TemporaryDirectory[str]" = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="releasemgr-helm-", ignore_cleanup_errors=True)
    )

    def __post_init__(self) -> None:
        # Helm names its field manager after the program: it must be ours, whatever Python is called here.
        program = str(Path(sys.executable).with_name(objects.MANAGER))
        homes = ("HOME", "TMPDIR", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self.process = subprocess.Popen(
            [program, "-m", WORKER],
            executable=sys.executable,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Go writes there when it panics, with whatever it had in hand.
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env=passed | dict.fromkeys(homes, self.directory.name) | {"GOMAXPROCS": "2"},
            start_new_session=True,
        )

    @property
    def pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        if self.process.stdin is None or self.process.stdout is None:
            raise AssertionError("both are pipes")
        return self.process.stdin, self.process.stdout

    def ask(self, request: Mapping[str, Any]) -> bytes:
        """One line each way; empty when the process has ended."""
        to, back = self.pipes
        with suppress(BrokenPipeError):
            to.write(json.dumps(request).encode() + b"\n")
            to.flush()
        return back.readline()

    def ask_to_stay(self) -> None:
        with suppress(OSError, ValueError):
            self.pipes[0].write(b'{"action": "stay"}\n')
            self.pipes[0].flush()

    def leave(self) -> None:
        """It goes on without us."""
        to, back = self.pipes
        to.close()
        back.close()
        self.directory.cleanup()

    def kill(self) -> None:
        # Its whole group: Helm may have started programs.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def end(self) -> None:
        self.kill()
        self.process.wait()
        to, back = self.pipes
        with suppress(BrokenPipeError):
            to.close()
        back.close()
        self.directory.cleanup()


class _Idle:
    """Workers that may be asked again."""

    def __init__(self) -> None:
        self._workers: list[tuple[Worker, threading.Timer]] = []
        self._lock = threading.Lock()
        # Those that go on without us, until they have ended and been waited for.
        self._left: list[Worker] = []

    def take(self) -> Worker:
        with self._lock:
            self._left = [worker for worker in self._left if worker.process.poll() is None]
            while self._workers:
                worker, timer = self._workers.pop()
                timer.cancel()
                if worker.process.poll() is None:
                    return worker
                worker.end()
        return Worker()

    def keep(self, worker: Worker) -> None:
        timer = threading.Timer(IDLE_SECONDS, self._end, [worker])
        timer.daemon = True
        with self._lock:
            self._workers.append((worker, timer))
        timer.start()

    def leave(self, worker: Worker) -> None:
        worker.leave()
        with self._lock:
            self._left.append(worker)

    def end_all(self) -> None:
        with self._lock:
            kept, self._workers = self._workers, []
        for worker, timer in kept:
            timer.cancel()
            worker.end()

    def forget_after_fork(self) -> None:
        """They are the parent's; but the copies of its ends of the pipes would keep them alive after its death."""
        for worker, _ in self._workers:
            for pipe in worker.pipes:
                os.close(pipe.fileno())
        self.__init__()  # type: ignore[misc]

    def _end(self, worker: Worker) -> None:
        with self._lock:
            mine = [each for each in self._workers if each[0] is worker]
            self._workers = [each for each in self._workers if each[0] is not worker]
        if mine:
            worker.end()


idle = _Idle()
os.register_at_fork(after_in_child=idle.forget_after_fork)
atexit.register(idle.end_all)


def _run(request: Mapping[str, Any], seconds: float, *, stay_after: float | None = None) -> dict[str, Any]:
    worker = idle.take()
    took_too_long = threading.Event()

    def stop() -> None:
        took_too_long.set()
        worker.kill()

    timers = [threading.Timer(seconds, stop)]
    timers += [threading.Timer(stay_after, worker.ask_to_stay)] if stay_after is not None else []
    for timer in timers:
        timer.daemon = True
        timer.start()
    data = b""
    try:
        data = worker.ask(request)
    finally:
        for timer in timers:
            timer.cancel()
        answer = json.loads(data) if data.endswith(b"\n") and not took_too_long.is_set() else None
        _put_away(worker, answer)
    if answer is None:
        late = f"Helm took longer than {seconds:.0f} s and was stopped."
        raise HelmGone(late if took_too_long.is_set() else "Helm ended without an answer.")
    if "stays" in answer:
        raise HelmStays
    if "error" in answer:
        raise HelmFailed(answer["error"]["kind"], answer["error"]["message"])
    found: dict[str, Any] = answer["ok"]
    return found


def _put_away(worker: Worker, answer: Mapping[str, Any] | None) -> None:
    if answer is None:
        worker.end()
    elif "stays" in answer:
        idle.leave(worker)
    else:
        idle.keep(worker)
