"""Starts, finds and stops the server of one state directory (`.local/pg18`)."""

import contextlib
import hashlib
import os
import signal
import socket
import time
from pathlib import Path

from releasemgr.embedded import binaries, connection, initialise, launch, processes
from releasemgr.embedded import state as states
from releasemgr.embedded.account import Account, server_account
from releasemgr.embedded.errors import EmbeddedDatabaseError
from releasemgr.embedded.state import HOST, State

STOP_TIMEOUT_SECONDS = 20.0
IDLE_PATIENCE_SECONDS = 1.0
POLL_SECONDS = 0.02
HOME_OUTSIDE_CHECKOUT = Path("/var/lib/releasemgr")


def ensure_running(state_dir: Path) -> str:
    """Starts the server if need be (first use: creates it) and returns the DATABASE_URL.

    Safe to call from several processes at once. Raises EmbeddedDatabaseError.
    """
    state_dir = state_dir.resolve()
    with states.locked(state_dir):
        state = _load(state_dir)
        if state is None or not _is_running(state):
            state = _start(state_dir, state)
        return state.url


def running_url(state_dir: Path) -> str | None:
    """The DATABASE_URL of a server that accepts connections now, else None. Costs one file read and one connect."""
    try:
        state = states.load(state_dir.resolve())
    except PermissionError:
        return None
    if state is None:
        return None
    try:
        socket.create_connection((HOST, state.port), timeout=1).close()
    except OSError:
        return None
    return state.url


def stop(state_dir: Path) -> bool:
    """Stops the server, finishing clients' sessions; False when none was running."""
    state_dir = state_dir.resolve()
    with states.locked(state_dir):
        state = _load(state_dir)
        return state is not None and _stop(state)


def stop_if_idle(state_dir: Path) -> bool:
    """Stops the server unless somebody else stays connected; False when it was left alone."""
    state_dir = state_dir.resolve()
    with states.locked(state_dir):
        state = _load(state_dir)
        if state is None or not _is_running(state) or _stays_in_use(state):
            return False
        return _stop(state)


def _is_running(state: State) -> bool:
    # The pid first: a stranger on the remembered port might keep a connection waiting.
    return processes.postmaster_pid(state.data) is not None and connection.is_serving(state)


def _stays_in_use(state: State) -> bool:
    # The server notices a moment later that a client has ended.
    deadline = time.monotonic() + IDLE_PATIENCE_SECONDS
    while connection.other_sessions(state):
        if time.monotonic() > deadline:
            return True
        time.sleep(POLL_SECONDS)
    return False


def _load(state_dir: Path) -> State | None:
    try:
        return states.load(state_dir)
    except PermissionError as error:
        raise EmbeddedDatabaseError(
            f"{state_dir / 'state.json'} belongs to another user. Run as the user who started the database first."
        ) from error


def _start(state_dir: Path, known: State | None) -> State:
    home = Path(known.home) if known else _find_home(state_dir)
    account = server_account(home / "data")
    state = known or State(home=str(home), port=launch.free_port())
    programs = _reachable_programs(account, home)
    if not (state.data / "PG_VERSION").exists():
        # Saved before initdb: a kill in between leaves passwords without data, which is harmless, never the reverse.
        states.save(state_dir, state)
        initialise.create_data(programs, account, state)
    elif known is None:
        _stop(state)
        processes.remove_stale_pid_file(state.data)
        initialise.reset_passwords(programs, account, state)
    initialise.require_same_major(programs, state.data)
    state = launch.serve(state_dir, state, programs, account)
    connection.create_role_and_database(state)
    return state


def _find_home(state_dir: Path) -> Path:
    """The state directory, unless the service account cannot reach it (a checkout below a private home of root)."""
    account = server_account(state_dir / "data")
    if account.can_enter(state_dir):
        return state_dir
    home = HOME_OUTSIDE_CHECKOUT / hashlib.sha256(str(state_dir).encode()).hexdigest()[:12]
    try:
        home.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedDatabaseError(
            f"The account {account.name}, which runs the database, can reach neither {state_dir} nor {home}: {error}. "
            "Move the checkout to where every account may enter, or run as an ordinary user."
        ) from error
    return home


def _reachable_programs(account: Account, home: Path) -> Path:
    programs = binaries.find_programs()
    if account.can_enter(programs / "postgres"):
        return programs
    return binaries.copy_programs(programs, home)


def _stop(state: State) -> bool:
    pid = processes.postmaster_pid(state.data)
    if pid is None:
        return False
    # Fast shutdown first; "immediate" costs the next start a crash recovery; SIGKILL is for a frozen process.
    for request in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, request)
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if not processes.is_postmaster(pid, state.data):
                return True
            time.sleep(POLL_SECONDS)
    raise EmbeddedDatabaseError(f"PostgreSQL (process {pid}) could not be stopped; see {state.log}.")
