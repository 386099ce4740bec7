"""Launches the server of a data directory and waits until it accepts connections."""

import os
import socket
import time
from dataclasses import replace
from pathlib import Path

from releasemgr.embedded import connection, processes
from releasemgr.embedded import state as states
from releasemgr.embedded.account import Account
from releasemgr.embedded.errors import EmbeddedDatabaseError
from releasemgr.embedded.state import HOST, State

START_TIMEOUT_SECONDS = 120.0
POLL_SECONDS = 0.02
PORT_ATTEMPTS = 5
LOG_LIMIT_BYTES = 10_000_000
# PostgreSQL's words when processes of a killed server are still on their way out.
OLD_PROCESSES_REMAIN = "pre-existing shared memory block"

# Given at each start, so that a newer program version brings its settings to old data. Durable: fsync stays on.
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
}


def serve(state_dir: Path, state: State, programs: Path, account: Account) -> State:
    """Returns the state with the port in use: another one than before where that was taken meanwhile."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    port_attempts = PORT_ATTEMPTS
    while port_attempts:
        pid = processes.postmaster_pid(state.data)
        if pid is not None:
            # Started by somebody who was killed before it was ready; it may still be recovering.
            state = replace(state, port=processes.postmaster_port(state.data) or state.port)
        elif not _is_free(state.port):
            state = replace(state, port=free_port())
        states.save(state_dir, state)
        pid = pid or _launch(state, programs, account)
        if _wait_until_serving(state, pid, deadline):
            return state
        if not _is_free(state.port):
            port_attempts -= 1
        elif OLD_PROCESSES_REMAIN in _log_tail(state) and time.monotonic() < deadline:
            time.sleep(10 * POLL_SECONDS)
        else:
            break
    raise EmbeddedDatabaseError(f"PostgreSQL did not start. The end of {state.log}:\n{_log_tail(state)}")


def _launch(state: State, programs: Path, account: Account) -> int:
    processes.remove_stale_pid_file(state.data)
    settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
    options = ["-D", str(state.data), "-p", str(state.port), *settings]
    if state.log.exists() and state.log.stat().st_size > LOG_LIMIT_BYTES:
        state.log.replace(state.log.with_suffix(".log.1"))
    # The shell ends at once, so that the server is nobody's child (no zombie later) and holds no pipe of ours.
    script = '"$@" >&2 </dev/null & echo $!'
    with open(state.log, "ab", opener=_private) as log:
        answer = account.run(["sh", "-c", script, "sh", programs / "postgres", *options], stderr=log)
    return int(answer.stdout)


def _wait_until_serving(state: State, pid: int, deadline: float) -> bool:
    """False when the process ended; crash recovery may take long and is waited for."""
    while not connection.is_serving(state):
        if not processes.is_alive(pid):
            return False
        if time.monotonic() > deadline:
            raise EmbeddedDatabaseError(
                f"PostgreSQL (process {pid}) did not accept connections within {START_TIMEOUT_SECONDS:.0f} s; it may "
                f"still be recovering. Try again in a minute. The end of {state.log}:\n{_log_tail(state)}"
            )
        time.sleep(POLL_SECONDS)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As PostgreSQL does: a port in TIME_WAIT is free, one that somebody listens on is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _log_tail(state: State, lines: int = 8) -> str:
    return "\n".join(state.log.read_text(errors="replace").splitlines()[-lines:])


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
