"""`make bench`: deployments through the API beside the same work by kubectl, in one run and on one cluster.

Needs DATABASE_URL (make sets it). Works in a database of its own and starts every process itself.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from tests.stack import Broken, own_database

DATABASE = "releasemgr_bench"
QUICK_ROUNDS = 8


def main() -> int:
    arguments = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    url = os.environ.get("DATABASE_URL")
    if not url:
        return _fail("DATABASE_URL is not set. Run `make bench`, or name a PostgreSQL server with it.")
    try:
        with own_database(url, DATABASE) as own_url, tempfile.TemporaryDirectory(prefix="releasemgr-bench-") as folder:
            os.environ |= {"DATABASE_URL": own_url, "DJANGO_SETTINGS_MODULE": "releasemgr.settings"}
            os.environ.pop("REDIS_URL", None)
            return _measure(Path(folder), arguments)
    except Broken as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("Interrupted; everything that was started has been ended.")


def _measure(folder: Path, arguments: argparse.Namespace) -> int:
    import django
    from django.core.management import call_command

    # Settings are read from the environment, so nothing of Django may be imported before it is set.
    django.setup()
    call_command("migrate", verbosity=0)
    from tests.bench.figures import table
    from tests.bench.run import GROUPS, Run, measure

    groups = arguments.only or list(GROUPS)
    if unknown := sorted(set(groups) - set(GROUPS)):
        return _fail(f"There is no group {unknown[0]}. There are: {', '.join(GROUPS)}.")
    before = _load()
    found = measure(Run(folder, arguments.rounds, arguments.rounds <= QUICK_ROUNDS, _say), groups)
    sys.stdout.write(f"\n{table(found)}\n\nRunning or waiting for a processor, on average: {before}, then {_load()}; ")
    sys.stdout.write(f"of them there are {os.cpu_count()}. On a busy machine only the ratios tell something.\n")
    if arguments.json:
        rows = [{"group": group} | figure.as_row() for group, figures in found.items() for figure in figures]
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


def _fail(sentence: str) -> int:
    _say(sentence)
    return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=50, metavar="N", help="deployments of each kind (default 50)")
    parser.add_argument("--quick", dest="rounds", action="store_const", const=QUICK_ROUNDS, help="a short run")
    parser.add_argument("--only", action="append", metavar="GROUP", help="of these only; may stand many times")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
