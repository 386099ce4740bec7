"""SIGKILL of the observer with a thousand rollouts in flight: how soon all are followed again. Goal: limits.md P11."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.followers import EVENTS_PER_ROLLOUT, compare
from tests.bench.following import (
    Generated,
    Note,
    followed_since,
    generated,
    in_flight,
    listen_in,
    observing,
    said,
    stale_rows,
    taking_tasks,
    wait_until,
)

MOST_SECONDS = 60.0


def measure(folder: Path, *, say: Callable[[str], None], quick: bool = False) -> list[Figure]:
    """From the start of the new process until it vouches for the cluster: everything was listed and written down."""
    rollouts, rounds = (50, 1) if quick else (1_000, 5)
    say(f"Killing the observer of {rollouts} rollouts …")
    seconds, lost = run(folder, rollouts, rounds)
    return [
        Figure.of(f"{rollouts} rollouts followed again after SIGKILL", seconds, aim=3_000),
        Figure("  phases lost by that", "", lost, aim=0, judged="median"),
    ]


def run(folder: Path, rollouts: int, rounds: int) -> tuple[list[float], int]:
    """Seconds of each round, and how many rows or transitions were wrong at its end."""
    taken, lost = [], 0
    with generated(folder, rollouts) as source, taking_tasks():
        cluster = in_flight(source.url, rollouts)
        listen_in()
        source.start(rollouts * EVENTS_PER_ROLLOUT)
        for number in range(rounds):
            with observing(folder, f"observer-{number}") as observer:
                wait_until(
                    lambda: followed_since(cluster, observer.began), MOST_SECONDS, "The observer follows nothing."
                )
                taken.append((followed_since(cluster, observer.began) or 0) - observer.began)
                source.notes()
                time.sleep(2.0)
                notes: list[Note] = [(at, *rest) for at, *rest in source.notes()["notes"]]
                time.sleep(0.5)
                lost += compare(notes, said())[1] + _stale_after(source, rollouts)
                os.kill(observer.process.pid, signal.SIGKILL)
    return taken, lost


def _stale_after(source: Generated, rollouts: int) -> int:
    source.pause()
    time.sleep(0.5)
    stale = len(stale_rows(source.notes()["rows"]))
    source.start(rollouts * EVENTS_PER_ROLLOUT)
    return stale
