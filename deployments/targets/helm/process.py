"""Runs the worker: a process for each request, in a group of its own, killed when it takes too long."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from deployments.targets.kubernetes import objects

WORKER = "deployments.targets.helm.worker"
ROOT = Path(__file__).parents[3]
# Rendering asks the cluster for its kinds, and `lookup` for objects.
RENDER_SECONDS = 20.0
# Helm waits for hooks; a worker of ours gives a task 55 seconds.
HOOK_SECONDS = 35
APPLY_SECONDS = 45.0
# What a program needs of its surroundings; credentials that stand there are none of its business.
PASSED_ON = ("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR", "HELM_C_LIB", "VIRTUAL_ENV")


class HelmFailed(Exception):
    """Helm's own refusal. `kind` is the name of the library's exception, the text is Helm's, uncleaned."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class HelmGone(Exception):
    """The process ended without an answer, or was stopped because it took too long. The text is a sentence."""


def render(request: Mapping[str, Any]) -> dict[str, Any]:
    """{name, version, objects, hooks, crds} of a chart. Raises HelmFailed or HelmGone."""
    return _run({"action": "render", **request}, RENDER_SECONDS)


def apply(request: Mapping[str, Any]) -> dict[str, Any]:
    """{revision, status} of the release. Raises HelmFailed or HelmGone."""
    return _run({"action": "apply", "timeout_seconds": HOOK_SECONDS, **request}, APPLY_SECONDS)


def _run(request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="releasemgr-helm-") as directory:
        worker = _start(directory)
        took_too_long = threading.Event()
        timer = threading.Timer(seconds, _stop, [worker, took_too_long])
        timer.start()
        try:
            data = _exchange(worker, request)
        finally:
            timer.cancel()
            _stop(worker)
            worker.wait()
    try:
        answer = json.loads(data)
    except ValueError:
        late = f"Helm took longer than {seconds:.0f} s and was stopped."
        raise HelmGone(late if took_too_long.is_set() else "Helm ended without an answer.") from None
    if "error" in answer:
        raise HelmFailed(answer["error"]["kind"], answer["error"]["message"])
    found: dict[str, Any] = answer["ok"]
    return found


def _start(directory: str) -> "subprocess.Popen[bytes]":
    # Helm names its field manager after the program: it must be ours, whatever Python is called here.
    program = str(Path(sys.executable).with_name(objects.MANAGER))
    private = dict.fromkeys(("HOME", "TMPDIR", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"), directory)
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return subprocess.Popen(
        [program, "-m", WORKER],
        executable=sys.executable,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Go writes there when it panics, with whatever it had in hand.
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env=passed | private | {"GOMAXPROCS": "2"},
        start_new_session=True,
    )


def _exchange(worker: "subprocess.Popen[bytes]", request: Mapping[str, Any]) -> bytes:
    """The answer, empty without one. Standard input stays open meanwhile: the worker ends when it closes."""
    if worker.stdin is None or worker.stdout is None:
        raise AssertionError("both are pipes")
    with worker.stdout, suppress(BrokenPipeError), worker.stdin:
        with suppress(BrokenPipeError):
            worker.stdin.write(json.dumps(request).encode() + b"\n")
            worker.stdin.flush()
        return worker.stdout.read()
    return b""


def _stop(worker: "subprocess.Popen[bytes]", because_late: threading.Event | None = None) -> None:
    if because_late is not None:
        because_late.set()
    # Its whole group: Helm may have started programs for a post-renderer or a plug-in.
    with suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)
