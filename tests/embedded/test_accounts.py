"""Who runs the server: root lends it to a service account, everybody else runs it as themselves."""

import os
import pwd
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from releasemgr import embedded
from releasemgr.embedded import binaries, server
from releasemgr.embedded import state as states

ROOT = Path(__file__).resolve().parents[2]
NOBODY = pwd.getpwnam("nobody")

# An ordinary user's run of this suite is itself the other half of these tests.
only_as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another account")


def as_nobody(state_dir: Path, action: str) -> subprocess.CompletedProcess[str]:
    # The account is changed after the imports, as the interpreter itself may lie in a private home.
    script = (
        "import encodings.idna, os, sys, releasemgr.embedded.__main__ as command; "
        f"os.setgroups([]); os.setgid({NOBODY.pw_gid}); os.setuid({NOBODY.pw_uid}); sys.exit(command.main())"
    )
    arguments = [sys.executable, "-c", script, "--state", str(state_dir), action]
    return subprocess.run(arguments, cwd=ROOT, check=False, capture_output=True, text=True)


@only_as_root
def test_an_ordinary_user_runs_it_as_themselves() -> None:
    with tempfile.TemporaryDirectory(prefix="embedded-") as name:
        os.chown(name, NOBODY.pw_uid, NOBODY.pw_gid)
        state_dir = Path(name) / "pg18"

        started = as_nobody(state_dir, "start")

        assert started.returncode == 0, started.stderr
        psycopg.connect(as_nobody(state_dir, "url").stdout.strip()).close()
        assert (state_dir / "data").stat().st_uid == NOBODY.pw_uid
        assert as_nobody(state_dir, "stop").returncode == 0


@only_as_root
def test_a_private_home_of_root_stays_private_and_the_data_lies_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    private = tmp_path / "home"
    private.mkdir(mode=0o700)
    modes = {parent: stat.S_IMODE(parent.stat().st_mode) for parent in (private, *private.parents)}
    with tempfile.TemporaryDirectory(prefix="embedded-") as outside:
        Path(outside).chmod(0o755)
        monkeypatch.setattr(server, "HOME_OUTSIDE_CHECKOUT", Path(outside) / "releasemgr")
        state_dir = private / "checkout" / ".local" / "pg18"

        url = embedded.ensure_running(state_dir)

        psycopg.connect(url).close()
        state = states.load(state_dir)
        assert state is not None
        assert state.data.is_relative_to(outside)
        assert {parent: stat.S_IMODE(parent.stat().st_mode) for parent in modes} == modes
        embedded.stop(state_dir)


@only_as_root
def test_data_of_another_user_is_refused_to_an_ordinary_one(state_dir: Path) -> None:
    answer = as_nobody(state_dir, "start")

    assert answer.returncode == 1
    assert "made by another user" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_programs_that_the_account_cannot_run_are_copied_once(tmp_path: Path) -> None:
    installation = tmp_path / "pginstall"
    (installation / "bin").mkdir(parents=True)
    (installation / "bin" / "postgres").write_text("program")
    home = tmp_path / "home"
    home.mkdir()

    copied = binaries.copy_programs(installation / "bin", home)
    first_time = copied.stat().st_mtime_ns

    assert (copied / "postgres").read_text() == "program"
    assert binaries.copy_programs(installation / "bin", home) == copied
    assert copied.stat().st_mtime_ns == first_time
