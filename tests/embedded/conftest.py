"""State directories in a place that a service account can reach (pytest's own are private to root)."""

import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from releasemgr import embedded


@contextlib.contextmanager
def _reachable_directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="embedded-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def empty() -> Iterator[Path]:
    """A state directory that does not exist yet."""
    with _reachable_directory() as directory:
        state_dir = directory / ".local" / "pg18"
        yield state_dir
        embedded.stop(state_dir)


@pytest.fixture(scope="session")
def _used() -> Iterator[Path]:
    with _reachable_directory() as directory:
        embedded.ensure_running(directory)
        yield directory
        embedded.stop(directory)


@pytest.fixture
def state_dir(_used: Path) -> Iterator[Path]:
    """The state directory of a stopped server that has run before; shared, as initdb takes most of a second."""
    embedded.stop(_used)
    contents = {name: (_used / "data" / name).read_text() for name in ("PG_VERSION", "postgresql.auto.conf")}
    yield _used
    for name, text in contents.items():
        (_used / "data" / name).write_text(text)


def kill_postmaster(state_dir: Path) -> None:
    pid = int((state_dir / "data" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGKILL)
