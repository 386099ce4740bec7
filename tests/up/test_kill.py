"""A supervisor that is killed leaves nothing, with and without its undertaker."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from releasemgr.up import leftovers, undertaker
from tests.up.conftest import eventually, is_alive

ROOT = Path(__file__).resolve().parents[2]
# A supervisor with one program that has a child; prints its undertaker's and their process ids.
SUPERVISE = """
import os, sys
from pathlib import Path
from releasemgr.up import undertaker
from releasemgr.up.child import Program
from releasemgr.up.console import Console
from releasemgr.up.interruption import Interruption
from releasemgr.up.supervisor import Supervisor

script = "import os, time; child = os.fork(); print(os.getpid(), flush=True); time.sleep(60)"
supervisor = Supervisor(root=Path(sys.argv[1]), environment=os.environ, console=Console(), interruption=Interruption())
print("undertaker |", supervisor._undertaker.pid, flush=True)
supervisor.start(Program(name="workers", command=[sys.executable, "-S", "-E", "-c", script]))
supervisor.wait_for(lambda: False, seconds=60)
"""


class Supervised:
    def __init__(self, root: Path, token: str) -> None:
        environment = {**os.environ, leftovers.TOKEN_VARIABLE: token}
        command = [sys.executable, "-c", SUPERVISE, str(root)]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        numbers = [int(self.process.stdout.readline().rpartition("|")[2]) for _ in range(3)]
        self.undertaker, self.programs = numbers[0], numbers[1:]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def test_the_undertaker_ends_the_programs_of_a_killed_supervisor(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, token="killed-supervisor")

    supervised.kill()

    eventually(lambda: not any(map(is_alive, [*supervised.programs, supervised.undertaker])))


def test_what_is_left_when_both_were_killed_is_found_by_its_token(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, token="killed-both")
    os.kill(supervised.undertaker, signal.SIGKILL)
    eventually(lambda: not is_alive(supervised.undertaker))
    supervised.kill()
    assert all(map(is_alive, supervised.programs))

    assert leftovers.end_leftovers("killed-both") == 2

    eventually(lambda: not any(map(is_alive, supervised.programs)))


def test_groups_that_ignore_the_request_are_killed() -> None:
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(); time.sleep(60)"
    command = [sys.executable, "-S", "-E", "-u", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()

        undertaker.end_groups([process.pid], grace_seconds=0.1)

        assert process.wait(timeout=10) == -signal.SIGKILL
