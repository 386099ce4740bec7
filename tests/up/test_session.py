"""The whole of `make up` in a checkout whose programs are stand-ins, with a real database."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings

from releasemgr.up import ports
from tests.up.conftest import is_alive

ROOT = Path(__file__).resolve().parents[2]
RUN = """
import sys
from pathlib import Path
from releasemgr.up import __main__ as command
command.ROOT = Path(sys.argv[1])
sys.exit(command.main(sys.argv[2:]))
"""
MANAGE = """
import os, sys, time
with open("commands", "a") as file:
    print(*sys.argv[1:], file=file)
if sys.argv[1] == os.environ.get("BROKEN"):
    sys.exit("no such column")
if sys.argv[1] in ("qcluster", "observe"):
    print(sys.argv[1], "runs as", os.getpid(), flush=True)
    time.sleep(60)
"""
SANDBOX = """
import socketserver, sys
from pathlib import Path
option = dict(zip(sys.argv[1::2], sys.argv[2::2]))
server = socketserver.TCPServer(("127.0.0.1", int(option["--port"])), socketserver.BaseRequestHandler)
Path(option["--kubeconfig-out"]).write_text("current-context: sandbox")
server.serve_forever()
"""
WEB = """
async def application(scope, receive, send):
    assert scope["path"] == "/api/v1/ready"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ready"})
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    files = {
        "manage.py": MANAGE,
        "deployments/sandbox/__main__.py": SANDBOX,
        "deployments/sandbox/__init__.py": "",
        "deployments/__init__.py": "",
        "releasemgr/__init__.py": "",
        "releasemgr/asgi.py": WEB,
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


@pytest.fixture
def environment() -> dict[str, str]:
    database = settings.DATABASES["default"]
    address = f"{database['HOST']}:{database['PORT']}"
    url = f"postgresql://{database['USER']}:{database['PASSWORD']}@{address}/postgres"
    variables = {name: value for name, value in os.environ.items() if name not in ("KUBECONFIG", "BIND", "ENVIRONMENT")}
    return {**variables, "DATABASE_URL": url, "PORT": str(ports.choose(None))}


class MakeUp:
    """`make up` as a person sees it: lines, and a process to press Ctrl-C in."""

    def __init__(self, checkout: Path, environment: dict[str, str]) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(checkout)],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def read_until(self, words: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if words in line:
                return
        pytest.fail(f"“{words}” never came:\n" + "\n".join(self.lines))

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.finish()

    def finish(self) -> int:
        rest, _ = self.process.communicate(timeout=20)
        self.lines += rest.splitlines()
        return self.process.returncode

    def programs(self) -> list[int]:
        return [int(line.rpartition(" ")[2]) for line in self.lines if " runs as " in line]


def commands(checkout: Path) -> list[str]:
    """What `manage.py` was asked to do."""
    return (checkout / "commands").read_text().splitlines()


@pytest.fixture
def make_up(checkout: Path, environment: dict[str, str]) -> Iterator[Callable[..., MakeUp]]:
    started: list[MakeUp] = []

    def start(**variables: str) -> MakeUp:
        started.append(MakeUp(checkout, environment | variables))
        return started[-1]

    yield start
    for run in started:
        if run.process.poll() is None:
            run.end(signal.SIGTERM)


def test_seven_phases_then_the_address_and_ctrl_c_ends_everything(
    make_up: Callable[..., MakeUp], environment: dict[str, str], checkout: Path
) -> None:
    run = make_up()
    run.read_until("Log in as admin with the password admin123")
    done = [line.partition(" (")[0] for line in run.lines if line.startswith("[") and line.endswith(" s)")]

    assert done == [
        "[1/7] database of DATABASE_URL … ready",
        "[2/7] migrations … ready",
        "[3/7] cluster … ready",
        "[4/7] demo data … ready",
        "[5/7] workers … started",
        "[6/7] observer … started",
        "[7/7] web server … ready",
    ]
    assert f"Release Manager is running at http://127.0.0.1:{environment['PORT']}/" in run.lines

    assert run.end(signal.SIGINT) == 0
    assert "seed_demo --cluster sandbox" in commands(checkout)
    assert len(run.programs()) == 2
    assert not any(map(is_alive, run.programs()))
    assert not (checkout / ".local" / "up.json").exists()


def test_after_a_kill_nothing_is_left_and_the_next_start_works(make_up: Callable[..., MakeUp]) -> None:
    killed = make_up()
    killed.read_until("is running at")
    killed.end(signal.SIGKILL)

    again = make_up()
    again.read_until("is running at")

    assert not any(map(is_alive, killed.programs()))
    assert again.end(signal.SIGTERM) == 0


def test_a_failing_migration_ends_the_start_with_its_words(make_up: Callable[..., MakeUp]) -> None:
    run = make_up(BROKEN="migrate")

    assert run.finish() == 1
    assert run.lines[-2:] == ["`manage.py migrate` failed (exit code 1). Its last words:", "no such column"]
    assert "Traceback" not in "\n".join(run.lines)


def test_a_person_s_own_cluster_takes_the_sandbox_s_place_and_nothing_is_deployed_to_it(
    make_up: Callable[..., MakeUp], checkout: Path
) -> None:
    kubeconfig = checkout / "kubeconfig"
    kubeconfig.write_text("current-context: office")

    run = make_up(KUBECONFIG=str(kubeconfig))
    run.read_until("is running at")

    assert f"register_cluster --name office --kubeconfig {kubeconfig}" in commands(checkout)
    assert "seed_demo" in commands(checkout)
    assert not (checkout / ".local" / "sandbox").exists()
