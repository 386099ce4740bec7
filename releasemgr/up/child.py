"""One long-lived program in a process group of its own."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from releasemgr.up.console import Console


@dataclass(frozen=True)
class Program:
    """`grace_seconds`: how long it may take to end after SIGTERM before its whole group is killed."""

    name: str
    command: list[str]
    grace_seconds: float = 3.0
    environment: Mapping[str, str] = field(default_factory=dict)


class Child:
    def __init__(self, program: Program, *, root: Path, environment: Mapping[str, str], console: Console) -> None:
        self.program = program
        self.started_at = time.monotonic()
        self._console = console
        self._process = subprocess.Popen(
            program.command,
            cwd=root,
            env={**environment, **program.environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self.group = self._process.pid
        self._reader = threading.Thread(target=self._copy_output, daemon=True)
        self._reader.start()

    def has_ended(self) -> bool:
        # WNOWAIT leaves the zombie, so that its number cannot become a stranger's before the group is killed.
        return os.waitid(os.P_PID, self.group, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def ask_to_end(self) -> None:
        """Only the leader is asked: it knows in which order its own processes end."""
        os.kill(self.group, signal.SIGTERM)

    def kill_group(self) -> int:
        """Kills whatever is left of the group, and returns the leader's exit code (negative: the signal's number).

        A killed django-q2 cluster leaves five processes that go on working beside a restarted one.
        """
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.group, signal.SIGKILL)
        code = self._process.wait()
        self._reader.join(timeout=1)
        return code

    def _copy_output(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        with self._process.stdout as output:
            for line in output:
                self._console.line_of(self.program.name, line.rstrip())


def describe_exit(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
