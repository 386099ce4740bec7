"""`python -m releasemgr.up` starts everything and stays; `python -m releasemgr.up down` ends what runs or is left."""

import os
import sys
from pathlib import Path

import environ

from releasemgr import embedded
from releasemgr.up import leftovers
from releasemgr.up.configuration import read_configuration
from releasemgr.up.console import Console
from releasemgr.up.errors import StartError, StopRequested
from releasemgr.up.interruption import Interruption
from releasemgr.up.session import Session

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    console = Console(colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    try:
        if arguments == ["down"]:
            down(ROOT / ".local", console)
        else:
            up(console)
    except StopRequested:
        return 0
    except (StartError, embedded.EmbeddedDatabaseError) as error:
        console.complain(str(error))
        return 1
    return 0


def up(console: Console) -> None:
    environ.Env.read_env(ROOT / ".env.local")
    configuration = read_configuration(ROOT, os.environ)
    interruption = Interruption()
    interruption.listen()
    Session(configuration, environment=os.environ, console=console, interruption=interruption).run()


def down(state: Path, console: Console) -> None:
    if leftovers.stop_running(state):
        console.say("Release Manager was stopped.")
    killed_run = leftovers.read_run(state)
    if killed_run and (ended := leftovers.end_leftovers(killed_run.token)):
        console.say(f"Ended {ended} processes that a killed `make up` had left.")
    console.say("The database was stopped." if embedded.stop(state / "pg18") else "No database is running.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
