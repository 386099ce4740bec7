"""Start, crash, recover and stop of the embedded PostgreSQL."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from releasemgr import embedded
from releasemgr.embedded import server
from releasemgr.embedded import state as states
from releasemgr.embedded.account import server_account
from tests.embedded.conftest import kill_postmaster


def write_row(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE IF EXISTS memory")
        connection.execute("CREATE TABLE memory (word text)")
        connection.execute("INSERT INTO memory VALUES ('kept')")


def read_row(url: str) -> object:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT word FROM memory").fetchone()


def test_the_first_start_makes_a_database_for_a_role_with_few_rights(empty: Path) -> None:
    (empty / "data.unfinished").mkdir(parents=True)  # what a killed initdb leaves
    (empty / "data.unfinished" / "PG_VERSION").write_text("18")

    url = embedded.ensure_running(empty)

    query = "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
    with psycopg.connect(url) as connection:
        assert connection.execute(query).fetchone() == (False, True, False)
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
    assert (empty / "state.json").stat().st_mode & 0o777 == 0o600
    assert embedded.running_url(empty) == url


def test_no_password_and_a_wrong_password_are_refused(state_dir: Path) -> None:
    url = embedded.ensure_running(state_dir)
    password = url.split(":")[2].partition("@")[0]

    for attempt in (url.replace(f":{password}", ""), url.replace(password, "guess")):
        for user in ("releasemgr", "postgres"):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(attempt.replace("//releasemgr", f"//{user}"))


def test_it_listens_on_loopback_only(state_dir: Path) -> None:
    embedded.ensure_running(state_dir)

    pid_file = (state_dir / "data" / "postmaster.pid").read_text().splitlines()

    socket_directory, address = pid_file[4:6]
    assert (socket_directory, address) == ("", "127.0.0.1")


def test_a_second_start_finds_the_data_at_the_same_address(state_dir: Path) -> None:
    url = embedded.ensure_running(state_dir)
    write_row(url)
    assert embedded.stop(state_dir)
    assert embedded.running_url(state_dir) is None

    assert embedded.ensure_running(state_dir) == url
    assert read_row(url) == ("kept",)


def test_a_killed_server_recovers_with_what_was_committed(state_dir: Path) -> None:
    url = embedded.ensure_running(state_dir)
    write_row(url)

    kill_postmaster(state_dir)

    assert read_row(embedded.ensure_running(state_dir)) == ("kept",)


@pytest.fixture
def stranger(state_dir: Path) -> Iterator[int]:
    """A living process of the server's own account, which PostgreSQL cannot tell from a server."""
    account = server_account(state_dir / "data")
    user = account.uid if os.geteuid() == 0 else None
    with subprocess.Popen(["sleep", "60"], user=user, cwd="/") as process:
        yield process.pid
        process.kill()


def test_a_reused_process_number_does_not_pass_for_a_server(state_dir: Path, stranger: int) -> None:
    leave_pid_file(state_dir, stranger)

    url = embedded.ensure_running(state_dir)

    write_row(url)
    assert embedded.stop(state_dir)
    os.kill(stranger, 0)


def test_a_zombie_does_not_pass_for_a_server(state_dir: Path) -> None:
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    leave_pid_file(state_dir, zombie.pid)

    write_row(embedded.ensure_running(state_dir))

    zombie.wait()


def leave_pid_file(state_dir: Path, pid: int) -> None:
    state = states.load(state_dir)
    assert state is not None
    (state.data / "postmaster.pid").write_text(f"{pid}\n{state.data}\n1700000000\n{state.port}\n\n127.0.0.1\n\nready\n")


# Forked from one interpreter, so that they really start together.
SIX_STARTERS = """
import os, pathlib, sys
from releasemgr import embedded

children = []
for _ in range(6):
    if (child := os.fork()) == 0:
        print(embedded.ensure_running(pathlib.Path(sys.argv[1])), flush=True)
        os._exit(0)
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


def test_six_that_start_at_once_share_one_server(empty: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", SIX_STARTERS, str(empty)], check=False, capture_output=True, text=True
    )

    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split() == [embedded.running_url(empty)] * 6


def test_a_taken_port_is_replaced(state_dir: Path) -> None:
    state = states.load(state_dir)
    assert state is not None
    with socket.socket() as other_program:
        other_program.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other_program.bind(("127.0.0.1", state.port))
        other_program.listen()

        url = embedded.ensure_running(state_dir)

    assert f":{state.port}/" not in url
    write_row(url)


def test_lost_passwords_are_replaced_and_the_data_kept(state_dir: Path) -> None:
    url = embedded.ensure_running(state_dir)
    write_row(url)
    (state_dir / "state.json").unlink()

    again = embedded.ensure_running(state_dir)

    assert again != url
    assert read_row(again) == ("kept",)


def test_data_of_another_major_version_is_left_alone_with_a_way_out(state_dir: Path) -> None:
    (state_dir / "data" / "PG_VERSION").write_text("12\n")

    with pytest.raises(embedded.EmbeddedDatabaseError, match=r"written by PostgreSQL 12.*dump FILE"):
        embedded.ensure_running(state_dir)


def test_a_server_that_cannot_start_says_why(state_dir: Path) -> None:
    (state_dir / "data" / "postgresql.auto.conf").write_text("shared_buffers = 'nonsense'\n")

    with pytest.raises(embedded.EmbeddedDatabaseError, match="nonsense"):
        embedded.ensure_running(state_dir)


def test_a_server_in_use_is_not_stopped_when_only_an_idle_one_should(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "IDLE_PATIENCE_SECONDS", 0.0)
    with psycopg.connect(embedded.ensure_running(state_dir)):
        assert not embedded.stop_if_idle(state_dir)
    monkeypatch.undo()
    assert embedded.stop_if_idle(state_dir)
    assert embedded.running_url(state_dir) is None


def test_a_wrong_postgres_bin_is_named(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_BIN", "/nowhere")

    with pytest.raises(embedded.EmbeddedDatabaseError, match="POSTGRES_BIN=/nowhere"):
        embedded.ensure_running(state_dir)
