"""A supervisor over programs that are a line of Python each."""

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from releasemgr.up.child import Program
from releasemgr.up.console import Console
from releasemgr.up.interruption import Interruption
from releasemgr.up.supervisor import Supervisor

PATIENCE_SECONDS = 15.0


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def interruption() -> Interruption:
    return Interruption()


@pytest.fixture
def supervisor(tmp_path: Path, output: io.StringIO, interruption: Interruption) -> Iterator[Supervisor]:
    made = Supervisor(root=tmp_path, environment=os.environ, console=Console(output), interruption=interruption)
    yield made
    made.stop_all()
    made.dismiss_undertaker()


def python(name: str, script: str, *arguments: object, grace_seconds: float = 3.0) -> Program:
    # -S -E: without site-packages it starts in a few milliseconds.
    command = [sys.executable, "-u", "-S", "-E", "-c", script, *map(str, arguments)]
    return Program(name=name, command=command, grace_seconds=grace_seconds)


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
