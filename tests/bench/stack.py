"""The product as it runs for real: a database of its own, a cluster, and every process, ended with the `with`."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

ROOT = Path(__file__).parents[2]
DATABASE = "releasemgr_bench"
START_SECONDS = 30.0


class Broken(Exception):
    """The benchmark itself cannot go on. The text is a sentence for people."""


@contextmanager
def own_database(url: str) -> Iterator[str]:
    """The URL of an empty database beside the one that `url` names; dropped at the end, also one left by a kill."""
    try:
        admin = psycopg.connect(url, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        raise Broken(f"The database of DATABASE_URL does not answer: {str(error).strip()}") from error
    name = sql.Identifier(DATABASE)
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name)
    with admin:
        admin.execute(drop)
        admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
        try:
            yield urlunsplit(urlsplit(url)._replace(path=f"/{DATABASE}"))
        finally:
            admin.execute(drop)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(name: str, command: list[str], *, log: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen]:
    """A process group of its own: asked to end, then killed with whatever it has left behind."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=dict(environment), stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=8)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@dataclass(frozen=True, slots=True)
class Stack:
    """`web`: the address of the server; `kubeconfig`: the file by which the cluster is found."""

    web: str
    kubeconfig: Path
    logs: Path

    @classmethod
    @contextmanager
    def start(cls, folder: Path, *, register: Callable[[Path], None]) -> Iterator["Stack"]:
        """Sandbox, then `register` with its kubeconfig, then workers, observer and web server."""
        stack = cls(f"http://127.0.0.1:{free_port()}", folder / "kubeconfig.yaml", folder)
        with ExitStack() as processes:

            def run(name: str, *arguments: str) -> subprocess.Popen:
                command = [sys.executable, *arguments]
                log = folder / f"{name}.log"
                return processes.enter_context(running(name, command, log=log, environment=os.environ))

            sandbox = run("sandbox", "-m", "tests.bench.cluster", "--kubeconfig-out", str(stack.kubeconfig))
            stack._await("sandbox", sandbox, stack.kubeconfig.exists)
            register(stack.kubeconfig)
            run("workers", "manage.py", "qcluster")
            run("observer", "manage.py", "observe")
            listen = ["--host", "127.0.0.1", "--port", str(urlsplit(stack.web).port)]
            quiet = ["--no-proxy-headers", "--lifespan", "off", "--no-access-log", "--log-level", "warning"]
            web = run("web", "-m", "uvicorn", "releasemgr.asgi:application", *listen, *quiet)
            stack._await("web", web, stack._is_ready)
            yield stack

    def _await(self, name: str, process: subprocess.Popen, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            if process.poll() is not None or time.monotonic() > deadline:
                raise Broken(f"The {name} process did not come up. Its last words:\n{self.last_words(name)}")
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.web}/api/v1/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def last_words(self, name: str, lines: int = 12) -> str:
        text = (self.logs / f"{name}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])
