"""The product as it runs for real: a database of its own, a cluster, and every process, ended with the `with`."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

ROOT = Path(__file__).parents[1]
START_SECONDS = 30.0


class Broken(Exception):
    """What the tests or the benchmark stand on does not hold. The text is a sentence for people."""


@contextmanager
def own_database(url: str, name: str) -> Iterator[str]:
    """The URL of an empty database `name` beside the one of `url`; dropped at the end, also one left by a kill."""
    try:
        admin = psycopg.connect(url, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        raise Broken(f"The database server does not answer: {str(error).strip()}") from error
    identifier = sql.Identifier(name)
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier)
    with admin:
        admin.execute(drop)
        admin.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
        try:
            yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
        finally:
            admin.execute(drop)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen]:
    """A process group of its own: asked to end, then killed with whatever it has left behind."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
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
    """`web`: the server's address; `kubeconfig`: how the cluster is found; `logs`: a file for each process."""

    web: str
    kubeconfig: Path
    logs: Path
    environment: Mapping[str, str]

    @classmethod
    @contextmanager
    def start(
        cls,
        folder: Path,
        *,
        environment: Mapping[str, str],
        sandbox: Sequence[str],
        prepare: Callable[["Stack"], None],
    ) -> Iterator["Stack"]:
        """The `sandbox` module with its arguments, then what `prepare` does, then workers, observer and web server."""
        stack = cls(f"http://127.0.0.1:{free_port()}", folder / "kubeconfig.yaml", folder, environment)
        with ExitStack() as processes:

            def run(name: str, *arguments: str) -> subprocess.Popen:
                command, log = [sys.executable, *arguments], folder / f"{name}.log"
                return processes.enter_context(running(command, log=log, environment=environment))

            cluster = run("sandbox", "-m", *sandbox, "--kubeconfig-out", str(stack.kubeconfig))
            stack._await("sandbox", cluster, stack.kubeconfig.exists)
            prepare(stack)
            others = [run("workers", "manage.py", "qcluster"), run("observer", "manage.py", "observe")]
            listen = ["--host", "127.0.0.1", "--port", str(urlsplit(stack.web).port)]
            quiet = ["--no-proxy-headers", "--lifespan", "off", "--no-access-log", "--log-level", "warning"]
            web = run("web", "-m", "uvicorn", "releasemgr.asgi:application", *listen, *quiet)
            stack._await("web", web, stack._is_ready)
            yield stack
            # All are asked at once; after that each is waited for in turn.
            for process in (web, *others):
                process.send_signal(signal.SIGTERM)

    def run_once(self, name: str, *arguments: str) -> None:
        """Python with these arguments, to its end. Raises Broken with its last words."""
        command = [sys.executable, *arguments]
        with (self.logs / f"{name}.log").open("wb") as output:
            done = subprocess.run(command, cwd=ROOT, env=self.environment, stdout=output, stderr=output, check=False)
        if done.returncode:
            raise Broken(f"{name} failed. Its last words:\n{self.last_words(name)}")

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
