"""Programs that live long: output, restart, end of the whole group, order of the stop."""

import io
import os
import signal
from pathlib import Path

import pytest

from releasemgr.up import supervisor as supervisors
from releasemgr.up.errors import StartError, StopRequested
from releasemgr.up.interruption import Interruption
from releasemgr.up.supervisor import Supervisor
from tests.up.conftest import eventually, is_alive, python

SLEEP = "import time; time.sleep(60)"
# Starts a child, writes both process ids down and waits: like a task queue's cluster.
WITH_CHILD = """
import os, sys, time
child = os.fork()
if child:
    with open(sys.argv[1], "a") as file:
        file.write(f"{os.getpid()} {child}\\n")
time.sleep(60)
"""
NOTE_THE_END = """
import signal, sys, time
def end(*_):
    with open(sys.argv[1], "a") as file:
        file.write(sys.argv[2] + "\\n")
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("armed")
time.sleep(60)
"""
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(60)"


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def test_each_line_of_output_carries_its_programs_name(supervisor: Supervisor, output: io.StringIO) -> None:
    supervisor.start(python("web", "import sys; print('one'); print('two', file=sys.stderr)"))

    assert supervisor.wait_for(lambda: "web      | two\n" in output.getvalue(), seconds=10)
    assert "web      | one\n" in output.getvalue()


def test_a_program_that_dies_is_started_again_and_its_orphans_are_killed_first(
    supervisor: Supervisor, output: io.StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisors, "LONGEST_BACKOFF_SECONDS", 0.0)
    pids = tmp_path / "pids"
    supervisor.start(python("workers", WITH_CHILD, pids))
    eventually(lambda: len(lines(pids)) == 1)
    leader, orphan = map(int, lines(pids)[0].split())

    os.kill(leader, signal.SIGKILL)

    assert supervisor.wait_for(lambda: len(lines(pids)) == 2, seconds=10)
    assert not is_alive(orphan)
    assert "workers was killed by SIGKILL; starting it again in 0 s." in output.getvalue()


def test_a_program_that_keeps_dying_while_starting_ends_the_start(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisors, "LONGEST_BACKOFF_SECONDS", 0.0)
    supervisor.start(python("web", "raise SystemExit(3)"))

    with pytest.raises(StartError, match="web ended 3 times while starting"):
        supervisor.wait_for(lambda: False, seconds=10)


def test_each_death_in_a_row_doubles_the_wait(
    supervisor: Supervisor, output: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisors, "FIRST_BACKOFF_SECONDS", 0.01)
    supervisor.start(python("web", "raise SystemExit(3)"))

    with pytest.raises(StartError):
        supervisor.wait_for(lambda: False, seconds=20)

    waits = [line.partition(" in ")[2] for line in output.getvalue().splitlines() if "starting it again" in line]
    assert waits == ["0.01 s.", "0.02 s.", "0.04 s."]


def test_programs_are_stopped_in_the_reverse_order_of_their_start(
    supervisor: Supervisor, output: io.StringIO, tmp_path: Path
) -> None:
    ends = tmp_path / "ends"
    for name in ("sandbox", "workers", "observer", "web"):
        supervisor.start(python(name, NOTE_THE_END, ends, name))
    supervisor.wait_for(lambda: output.getvalue().count("armed") == 4, seconds=10)

    supervisor.stop_all()

    assert lines(ends) == ["web", "observer", "workers", "sandbox"]


def test_a_program_that_ignores_the_request_is_killed_after_its_grace(
    supervisor: Supervisor, output: io.StringIO
) -> None:
    supervisor.start(python("web", DEAF, grace_seconds=0.1))
    supervisor.wait_for(lambda: "deaf" in output.getvalue(), seconds=10)

    supervisor.stop_all()

    assert "web did not end in time and was killed." in output.getvalue()


def test_a_second_request_kills_without_waiting(
    supervisor: Supervisor, output: io.StringIO, interruption: Interruption
) -> None:
    supervisor.start(python("web", DEAF, grace_seconds=600))
    supervisor.wait_for(lambda: "deaf" in output.getvalue(), seconds=10)
    interruption.request()
    interruption.request()

    supervisor.stop_all()

    assert "was killed." in output.getvalue()


def test_a_stop_is_heard_while_a_short_program_runs(supervisor: Supervisor, interruption: Interruption) -> None:
    interruption.request()

    with pytest.raises(StopRequested):
        supervisor.run_once(python("migrate", SLEEP))


def test_a_short_program_answers_with_its_code_and_words(supervisor: Supervisor) -> None:
    assert supervisor.run_once(python("migrate", "print('no table'); raise SystemExit(2)")) == (2, "no table\n")
