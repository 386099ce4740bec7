"""`python -m releasemgr.embedded start | stop | url | run -- COMMAND | dump FILE | restore FILE`."""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

from releasemgr.embedded import ensure_running, running_url, stop, stop_if_idle
from releasemgr.embedded.errors import EmbeddedDatabaseError
from releasemgr.embedded.state import load
from releasemgr.embedded.transfer import dump, restore

DEFAULT_STATE = Path(__file__).resolve().parents[2] / ".local" / "pg18"


def main() -> int:
    arguments = _parser().parse_args()
    state_dir: Path = arguments.state
    try:
        return _act(arguments, state_dir)
    except EmbeddedDatabaseError as error:
        _say(str(error))
        return 1


def _act(arguments: argparse.Namespace, state_dir: Path) -> int:
    match arguments.action:
        case "start":
            ensure_running(state_dir)
            _say(f"PostgreSQL is running; its data is in {_home(state_dir)}")
        case "stop" if arguments.if_idle:
            _say("PostgreSQL stopped." if stop_if_idle(state_dir) else "PostgreSQL was left as it was.")
        case "stop":
            _say("PostgreSQL stopped." if stop(state_dir) else "PostgreSQL was not running.")
        case "url":
            url = running_url(state_dir)
            sys.stdout.write(f"{url}\n" if url else "")
            return 0 if url else 1
        case "run":
            return _run(state_dir, arguments.command)
        case "dump":
            dump(ensure_running(state_dir), arguments.file)
        case "restore":
            restore(ensure_running(state_dir), arguments.file)
    return 0


def _run(state_dir: Path, command: list[str]) -> int:
    """Runs a command with the database up.

    Afterwards the server is stopped if this call started it and nobody else uses it. DATABASE_URL set: none is started.
    """
    if "DATABASE_URL" in os.environ:
        return subprocess.run(command, check=False).returncode
    was_running = running_url(state_dir) is not None
    environment = {**os.environ, "DATABASE_URL": ensure_running(state_dir)}
    # Ctrl-C reaches the command as well; this process stays to stop the database after it.
    signal.signal(signal.SIGINT, lambda *_: None)
    try:
        return subprocess.run(command, env=environment, check=False).returncode
    finally:
        if not was_running:
            stop_if_idle(state_dir)


def _home(state_dir: Path) -> str:
    state = load(state_dir)
    if state is None or Path(state.home) == state_dir.resolve():
        return str(state_dir)
    return f"{state.home}, because the account that runs it cannot enter {state_dir}"


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m releasemgr.embedded", description=__doc__)
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: %(default)s)")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("start", help="start the server, creating it on first use")
    stopping = actions.add_parser("stop", help="stop it")
    stopping.add_argument("--if-idle", action="store_true", help="only when nobody is connected")
    actions.add_parser("url", help="print the DATABASE_URL; exit code 1 when it is not running")
    run = actions.add_parser("run", help="run a command with the server up and DATABASE_URL set")
    run.add_argument("command", nargs="+")
    for name, text in (("dump", "write the database into FILE"), ("restore", "replace the database by a dump")):
        actions.add_parser(name, help=text).add_argument("file", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main())
