"""What observer and workers cost with nothing to do, and how soon a step looks at the cluster after an event there."""

import time
from collections.abc import Callable
from pathlib import Path

from deployments.models import Deployment, Step
from deployments.services.waking import wake
from tests.bench.figures import Figure
from tests.bench.following import (
    Generated,
    followed_since,
    generated,
    in_flight,
    observing,
    processor_seconds,
    wait_until,
    working,
)

WAKING = ("settled", "troubled")
SETTLING_SECONDS = 5.0
WARM_UP_LOOKS, WARM_UP_SECONDS = 12, 30.0


def measure(folder: Path, *, say: Callable[[str], None], quick: bool = False) -> list[Figure]:
    """On the configured database. Takes about a minute; with `quick` some seconds."""
    rollouts, seconds = (20, 5.0) if quick else (20, 40.0)
    say("Doing nothing …")
    with generated(folder, rollouts) as source, working(folder) as workers, observing(folder) as observer:
        cluster = in_flight(source.url, 0)
        wait_until(lambda: followed_since(cluster, observer.began), 60, "The observer follows nothing.")
        time.sleep(1.0 if quick else SETTLING_SECONDS)
        idle = [_share(group, 3.0 if quick else 10.0) for group in (observer.process.pid, workers)]
    say("Waiting for the reactions to events …")
    with generated(folder, rollouts) as source:
        cluster = in_flight(source.url, rollouts)
        with working(folder), observing(folder) as observer:
            wait_until(lambda: followed_since(cluster, observer.began), 60, "The observer follows nothing.")
            _warm_up(source)
            source.start(rollouts)
            time.sleep(seconds)
            source.pause()
            time.sleep(1.0)
            told = source.notes()
    events = [(at, number) for at, number, phase, *_ in told["notes"] if phase in WAKING]
    return [
        Figure("observer with nothing to do", "% of a core", idle[0] * 100, aim=1, judged="median"),
        Figure("workers with nothing to do", "% of a core", idle[1] * 100, aim=1, judged="median"),
        Figure.of("event → the step looks at the cluster", reactions(events, told["asked"]), aim=100),
    ]


def _warm_up(source: Generated) -> None:
    """A worker's first look at a cluster costs what no later one does."""
    deadline = time.monotonic() + WARM_UP_SECONDS
    while len(source.notes()["asked"]) < WARM_UP_LOOKS and time.monotonic() < deadline:
        wake(*Deployment.objects.values_list("pk", flat=True)[:4])
        time.sleep(0.5)
    Step.objects.update(attempts=0)


def reactions(events: list[tuple[float, int]], asked: list[tuple[float, int]]) -> list[float]:
    """From each event to the first question about its workload."""
    found = []
    for at, number in events:
        after = [moment for moment, other in asked if other == number and moment >= at]
        if after:
            found.append(min(after) - at)
    return found


def _share(group: int, seconds: float) -> float:
    before = processor_seconds(group)
    time.sleep(seconds)
    return (processor_seconds(group) - before) / seconds
