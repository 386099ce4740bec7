"""A task cluster in processes of its own on the test's database, and tasks that leave a mark in a file.

Run as a module it is the cluster; `Cluster` starts and ends it.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings

ROOT = Path(__file__).parents[2]


class Cluster:
    """Two workers; `options` override Q_CLUSTER. Ready when `with` is entered."""

    def __init__(self, log: Path, **options: Any) -> None:
        self.log = log
        self.options = options

    def __enter__(self) -> "Cluster":
        environment = os.environ | {
            "CLUSTER_DATABASES": json.dumps(settings.DATABASES["default"], default=str),
            "CLUSTER_OPTIONS": json.dumps(self.options),
            "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", settings.SETTINGS_MODULE),
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.core.cluster"],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(lambda: len(self.workers()) == 2)
        return self

    def workers(self) -> list[int]:
        """Process ids of the workers that have begun and live."""
        begun = re.findall(r"^worker (\d+)$", self.log.read_text(), re.MULTILINE)
        return [int(pid) for pid in begun if is_alive(int(pid))]

    def __exit__(self, *error: object) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def parent_of(pid: int) -> int:
    return int(re.findall(r"^PPid:\s+(\d+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[0])


def processes_of(group: int) -> list[int]:
    """Every living process of the group, its leader among them."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and is_alive(int(folder.name)):
            with suppress(ProcessLookupError):
                if os.getpgid(int(folder.name)) == group:
                    found.append(int(folder.name))
    return found


def wait_for(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The condition's first true value; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return value


def mark(path: str, word: str) -> None:
    with Path(path).open("a") as marks:
        marks.write(f"{word} {os.getpid()}\n")


def work(path: str, word: str, seconds: float) -> None:
    mark(path, word)
    time.sleep(seconds)
    mark(path, f"{word}-end")


def fail(path: str, word: str) -> None:
    mark(path, word)
    raise RuntimeError("as told")


def main() -> None:
    settings.DATABASES["default"].update(json.loads(os.environ["CLUSTER_DATABASES"]))
    settings.Q_CLUSTER.update(json.loads(os.environ["CLUSTER_OPTIONS"]))
    settings.LOGGING_CONFIG = None
    import django
    from django.core.management import call_command

    django.setup()
    from django_q.signals import post_spawn

    post_spawn.connect(announce)
    call_command("qcluster")


def announce(**kwargs: Any) -> None:
    print(f"worker {os.getpid()}", flush=True)  # noqa: T201 - read by `Cluster.workers`


if __name__ == "__main__":
    main()
