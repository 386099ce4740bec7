"""`python -m releasemgr.embedded`: run, dump and restore."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from releasemgr import embedded


def command(state_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return subprocess.run(
        [sys.executable, "-m", "releasemgr.embedded", "--state", str(state_dir), *arguments],
        env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip


def test_a_command_runs_with_the_database_up_and_gives_its_exit_code(state_dir: Path) -> None:
    program = "import os, psycopg, sys; psycopg.connect(os.environ['DATABASE_URL']); sys.exit(7)"

    assert command(state_dir, "run", "--", sys.executable, "-c", program).returncode == 7
    assert embedded.running_url(state_dir) is None


def test_a_server_that_ran_before_the_command_runs_after_it(state_dir: Path) -> None:
    url = embedded.ensure_running(state_dir)

    assert command(state_dir, "run", "--", "true").returncode == 0
    assert embedded.running_url(state_dir) == url


def test_a_dump_restores_what_was_there(state_dir: Path, tmp_path: Path) -> None:
    url = embedded.ensure_running(state_dir)
    file = tmp_path / "database.dump"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS kept, later")
        connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
        assert command(state_dir, "dump", str(file)).returncode == 0
        connection.execute("DROP TABLE kept")
        connection.execute("CREATE TABLE later (number int)")

    assert command(state_dir, "restore", str(file)).returncode == 0

    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (1,)
        assert connection.execute("SELECT to_regclass('later')").fetchone() == (None,)
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [None, "no archive"])
def test_a_restore_that_fails_changes_nothing(state_dir: Path, tmp_path: Path, content: str | None) -> None:
    url = embedded.ensure_running(state_dir)
    file = tmp_path / "broken.dump"
    if content:
        file.write_text(content)
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE IF EXISTS kept")
        connection.execute("CREATE TABLE kept (number int)")

    answer = command(state_dir, "restore", str(file))

    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
