"""Ends the programs when the supervisor itself was killed: the kernel then closes the pipe that this process reads.

Standard input: `+GROUP` and `-GROUP` as process groups begin and end, `+database` when a server was started, `done` on
an orderly stop. Run as `python -m releasemgr.up.undertaker STATE_DIR`; kept free of imports, as it waits all day.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time

GRACE_SECONDS = 5.0
DATABASE = "database"


def main(database_state: str) -> None:
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    wanted: set[str] = set()
    for line in sys.stdin:
        order = line.strip()
        if order == "done":
            return
        (wanted.add if order[0] == "+" else wanted.discard)(order[1:])
    groups = [int(name) for name in wanted - {DATABASE}]
    end_groups(groups, GRACE_SECONDS)
    if DATABASE in wanted:
        stop = [sys.executable, "-m", "releasemgr.embedded", "--state", database_state, "stop", "--if-idle"]
        subprocess.run(stop, stdin=subprocess.DEVNULL, capture_output=True, check=False)


def end_groups(groups: list[int], grace_seconds: float) -> None:
    """Asks the leaders to end, and kills what is left of a group as soon as its leader is gone."""
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.kill(group, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    remaining = groups
    while remaining:
        gone = remaining if time.monotonic() > deadline else [group for group in remaining if not _exists(group)]
        for group in gone:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        remaining = [group for group in remaining if group not in gone]
        time.sleep(0.02)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1])
