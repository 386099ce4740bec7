"""Keeps the programs running: restarts what dies, and ends all of them in order."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from releasemgr.up.child import Child, Program, describe_exit
from releasemgr.up.console import Console
from releasemgr.up.errors import StartError, StopRequested
from releasemgr.up.interruption import Interruption
from releasemgr.up.undertaker import DATABASE

POLL_SECONDS = 0.1
STOP_SECONDS = 10.0
HEALTHY_SECONDS = 60.0
FIRST_BACKOFF_SECONDS = 1.0
LONGEST_BACKOFF_SECONDS = 30.0
DEATHS_WHILE_STARTING = 3


class Supervisor:
    def __init__(
        self, *, root: Path, environment: Mapping[str, str], console: Console, interruption: Interruption
    ) -> None:
        self._root = root
        self._environment = dict(environment)
        self._console = console
        self._interruption = interruption
        self._order: list[str] = []
        self._children: list[Child] = []
        self._waiting: list[tuple[float, Program]] = []
        self._deaths: dict[str, int] = {}
        self._undertaker = subprocess.Popen(
            [sys.executable, "-m", "releasemgr.up.undertaker", str(root / ".local" / "pg18")],
            cwd=Path(__file__).resolve().parents[2],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def start(self, program: Program) -> None:
        if program.name not in self._order:
            self._order.append(program.name)
        child = Child(program, root=self._root, environment=self._environment, console=self._console)
        self._tell_undertaker(f"+{child.group}")
        self._children.append(child)

    def owns_database(self) -> None:
        self._tell_undertaker(f"+{DATABASE}")

    def run_once(self, program: Program) -> tuple[int, str]:
        """Runs a short program to its end: exit code and output. Raises StopRequested."""
        process = subprocess.Popen(
            program.command,
            cwd=self._root,
            env={**self._environment, **program.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._tell_undertaker(f"+{process.pid}")
        try:
            output = self._interruption.answer_of(lambda: process.communicate()[0])
        except StopRequested:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            process.wait()
            self._tell_undertaker(f"-{process.pid}")
        return process.returncode, output

    def wait_for(self, condition: Callable[[], bool], *, seconds: float) -> bool:
        """Looks after the programs until the condition holds; False when time ran out.

        Raises StopRequested, and StartError when a program keeps dying.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self._interruption.pause(POLL_SECONDS)
            self._replace_the_dead()
            self._give_up_on_programs_that_keep_dying()
        return True

    def look_after(self, inspect: Callable[[], None], *, every_seconds: float) -> None:
        """Restarts what dies until a stop is requested; calls `inspect` at the given interval."""
        next_inspection = time.monotonic() + every_seconds
        while not self._interruption.wait(POLL_SECONDS):
            self._replace_the_dead()
            if time.monotonic() >= next_inspection:
                inspect()
                next_inspection = time.monotonic() + every_seconds

    def stop_all(self) -> None:
        """Ends the programs, last started first, within STOP_SECONDS in all; then kills."""
        deadline = time.monotonic() + STOP_SECONDS
        self._waiting.clear()
        for child in sorted(self._children, key=lambda child: self._order.index(child.program.name), reverse=True):
            child.ask_to_end()
            self._wait_for_end(child, min(deadline, time.monotonic() + child.program.grace_seconds))
            self._bury(child)
        self._children.clear()

    def dismiss_undertaker(self) -> None:
        self._tell_undertaker("done")
        self._undertaker.communicate()

    def _wait_for_end(self, child: Child, deadline: float) -> None:
        while not child.has_ended():
            if time.monotonic() > deadline or self._interruption.is_hurried:
                self._console.complain(f"{child.program.name} did not end in time and was killed.")
                return
            time.sleep(POLL_SECONDS / 5)

    def _replace_the_dead(self) -> None:
        for child in [child for child in self._children if child.has_ended()]:
            self._children.remove(child)
            self._schedule_restart(child, self._bury(child))
        for entry in [entry for entry in self._waiting if entry[0] <= time.monotonic()]:
            self._waiting.remove(entry)
            self.start(entry[1])

    def _schedule_restart(self, child: Child, code: int) -> None:
        name = child.program.name
        lived_well = time.monotonic() - child.started_at > HEALTHY_SECONDS
        self._deaths[name] = 1 if lived_well else self._deaths.get(name, 0) + 1
        delay = min(FIRST_BACKOFF_SECONDS * 2 ** (self._deaths[name] - 1), LONGEST_BACKOFF_SECONDS)
        self._waiting.append((time.monotonic() + delay, child.program))
        self._console.complain(f"{name} {describe_exit(code)}; starting it again in {delay:g} s.")

    def _give_up_on_programs_that_keep_dying(self) -> None:
        for name, deaths in self._deaths.items():
            if deaths >= DEATHS_WHILE_STARTING:
                raise StartError(f"{name} ended {deaths} times while starting; its last words are above.")

    def _bury(self, child: Child) -> int:
        code = child.kill_group()
        self._tell_undertaker(f"-{child.group}")
        return code

    def _tell_undertaker(self, order: str) -> None:
        assert self._undertaker.stdin is not None  # noqa: S101 - a pipe was asked for
        # Somebody may have killed it; leftovers are then found by the next `make up`.
        with contextlib.suppress(BrokenPipeError):
            self._undertaker.stdin.write(f"{order}\n")
            self._undertaker.stdin.flush()
