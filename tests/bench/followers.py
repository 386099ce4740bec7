"""Thousands of rollouts at once, followed by one observer: how far behind the cluster the rows are, and what it costs.

Goals: limits.md P8. From the moment the generated cluster writes an event to the commit of the row that shows it.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.following import (
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

EVENTS_PER_ROLLOUT = 0.4
# People and the engine must have seen these, however short they were; between two events of one workload lie seconds.
TELLING = ("settled", "troubled")


@dataclass(frozen=True, slots=True)
class Load:
    """What following `rollouts` rollouts came to; lags in seconds."""

    rollouts: int
    events_a_second: float
    lags: Sequence[float]
    processor: float
    mebibytes: float
    missed: int


def measure(folder: Path, *, say: Callable[[str], None], quick: bool = False) -> list[Figure]:
    """On the configured database, where nothing else may run. Takes about a minute; with `quick` some seconds."""
    few, many, seconds = (50, 200, 3.0) if quick else (1_000, 10_000, 25.0)
    say(f"Following {few} rollouts …")
    small = run(folder, few, seconds)
    say(f"Following {many} rollouts …")
    large = run(folder, many, seconds)
    cost = (large.processor - small.processor) / (many - few) * 1e6
    space = (large.mebibytes - small.mebibytes) / (many - few) * 1024
    name = f"following {many} rollouts"
    return [
        Figure(f"{name}: event → row", "ms", *_percentiles(large.lags), aim=100),
        Figure(f"{name}: events", "1/s", large.events_a_second),
        Figure(f"{name}: observer's processor", "% of a core", large.processor * 100, aim=60, judged="median"),
        Figure(f"{name}: observer's memory", "MiB", large.mebibytes, aim=200, judged="median"),
        Figure(f"{name}: missed transitions", "", large.missed, aim=0, judged="median"),
        Figure(f"following {few} rollouts: event → row", "ms", *_percentiles(small.lags)),
        Figure("one more rollout: processor", "µs/s", cost),
        Figure("one more rollout: memory", "KiB", space),
    ]


def run(folder: Path, rollouts: int, seconds: float, *, rate: float | None = None) -> Load:
    rate = rollouts * EVENTS_PER_ROLLOUT if rate is None else rate
    with generated(folder, rollouts) as source, taking_tasks():
        cluster = in_flight(source.url, rollouts)
        listen_in()
        with observing(folder) as observer:
            wait_until(lambda: followed_since(cluster, observer.began), 120, "The observer follows nothing.")
            source.start(rate)
            time.sleep(1.0)
            source.notes()
            used, sent, began = observer.processor_seconds(), source.notes()["sent"], time.monotonic()
            time.sleep(seconds)
            told = source.notes()
            took = time.monotonic() - began
            processor = (observer.processor_seconds() - used) / took
            source.pause()
            last = source.notes()
            time.sleep(1.0)
            notes: list[Note] = [(at, *rest) for at, *rest in (*told["notes"], *last["notes"])]
            lags, missed = compare(notes, said())
            return Load(
                rollouts,
                (told["sent"] - sent) / took,
                lags,
                processor,
                observer.mebibytes(),
                missed + len(stale_rows(last["rows"])),
            )


def compare(notes: Iterable[Note], rows: Iterable[Note]) -> tuple[list[float], int]:
    """The lag of each event, and how many telling ones no row ever showed.

    Batches may join events: one counts as shown once the row shows it or a later one of the same workload.
    """
    written = {number: list(found) for number, found in itertools.groupby(sorted(rows, key=_by_number), _number)}
    lags, missed = [], 0
    for number, told in itertools.groupby(sorted(notes, key=_by_number), _number):
        ahead = iter(written.get(number, ()))
        waiting: list[Note] = []
        pending = list(told)
        for row in ahead:
            while pending and pending[0][0] <= row[0]:
                waiting.append(pending.pop(0))
            shown = [index for index, note in enumerate(waiting) if note[2:] == row[2:]]
            if shown:
                lags += [row[0] - note[0] for note in waiting[: shown[-1] + 1]]
                missed += sum(note[2] in TELLING for note in waiting[: shown[-1]])
                del waiting[: shown[-1] + 1]
        missed += sum(note[2] in TELLING for note in (*waiting, *pending))
    return lags, missed


def _percentiles(lags: Sequence[float]) -> Iterator[float]:
    """p50, and p99 in the column of the p95: that is what is asked for."""
    ordered = sorted(lags)
    yield from (1000 * ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.99))


def _number(note: Note) -> int:
    return note[1]


def _by_number(note: Note) -> tuple[int, float]:
    return note[1], note[0]
