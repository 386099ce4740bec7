"""One `make up` at a time, and what is left of one that was killed."""

import contextlib
import fcntl
import json
import os
import secrets
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from releasemgr.up.errors import StartError

TOKEN_VARIABLE = "RELEASEMGR_UP"  # noqa: S105 - the variable's name
GRACE_SECONDS = 5.0
DOWN_SECONDS = 20.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Run:
    """Written to `.local/up.json`; every process of the run carries the token in its environment."""

    pid: int
    address: str
    owns_database: bool = False
    token: str = field(default_factory=lambda: secrets.token_hex(16))


@contextlib.contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Held while `make up` runs; the kernel frees it however that ends. Raises StartError when another one runs."""
    descriptor = _open_lock(state)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            run = read_run(state)
            where = f" at {run.address} (process {run.pid})" if run else ""
            raise StartError(
                f"Release Manager is already running{where}; stop it with Ctrl-C in its terminal or with `make down`."
            ) from error
        yield
    finally:
        os.close(descriptor)


def read_run(state: Path) -> Run | None:
    try:
        return Run(**json.loads((state / "up.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write_run(state: Path, run: Run) -> None:
    unfinished = state / "up.json.unfinished"
    unfinished.write_text(json.dumps(asdict(run)))
    unfinished.rename(state / "up.json")


def end_leftovers(token: str) -> int:
    """Ends every process that carries the token, and returns how many there were."""
    found = _carriers(token)
    _signal(found, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while (alive := _carriers(token)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    _signal(alive, signal.SIGKILL)
    return len(found)


def stop_running(state: Path) -> bool:
    """Asks a running `make up` to stop and waits for it; False when none runs. Raises StartError when it stays."""
    deadline = time.monotonic() + DOWN_SECONDS
    asked = False
    while True:
        with contextlib.suppress(StartError), only_one(state):
            return asked
        run = read_run(state)
        if run and not asked and _is_supervisor(run.pid):
            _signal([run.pid], signal.SIGTERM)
            asked = True
        if time.monotonic() > deadline:
            raise StartError(f"The running `make up` (process {run.pid if run else 'unknown'}) did not stop; kill it.")
        time.sleep(POLL_SECONDS)


def _is_supervisor(pid: int) -> bool:
    """Guards against the moment in which the file still holds the number of an earlier, killed run."""
    try:
        return b"releasemgr.up" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return not Path("/proc/self").exists()


def _open_lock(state: Path) -> int:
    try:
        state.mkdir(parents=True, exist_ok=True)
        return os.open(state / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except PermissionError as error:
        raise StartError(
            f"{error.filename} cannot be opened: it was made by another user. Run as that user, or remove {state}."
        ) from error


def _carriers(token: str) -> list[int]:
    """Linux only; elsewhere nothing is found, and the undertaker alone ends what is left."""
    mark = f"{TOKEN_VARIABLE}={token}".encode()
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (directory / "environ").read_bytes().split(b"\0"):
                found.append(int(directory.name))
    return found


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
