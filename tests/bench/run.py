"""The groups of figures, and what each of them needs to be measured."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import charts, followers, idle, queue, resume, scenario, speed, train
from tests.bench.figures import Figure
from tests.stack import Stack

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """`folder`: for what the processes write. `rounds`: deployments of each kind."""

    folder: Path
    rounds: int
    quick: bool
    say: Say

    @contextmanager
    def stack(self, name: str, *, pace: float = 1.0) -> Iterator[tuple[Stack, scenario.Scenario]]:
        """Cluster, workers, observer and web server, with people and places; `pace` is the cluster's speed."""
        self.say("Starting cluster, workers, observer and web server …")
        folder = self.folder / name
        folder.mkdir()
        made: list[scenario.Scenario] = []
        # kubectl sends its token only over TLS.
        sandbox = ["deployments.sandbox", "--tls", "--state-dir", str(folder / "sandbox"), "--speed", str(pace)]
        with Stack.start(
            folder,
            environment=os.environ,
            sandbox=sandbox,
            prepare=lambda stack: made.append(scenario.Scenario.make(stack.kubeconfig, name)),
        ) as stack:
            yield stack, made[0]


def _queue(run: Run) -> list[Figure]:
    return queue.figures()


def _followers(run: Run) -> list[Figure]:
    return followers.measure(run.folder, say=run.say, quick=run.quick)


def _resume(run: Run) -> list[Figure]:
    return resume.measure(run.folder, say=run.say, quick=run.quick)


def _idle(run: Run) -> list[Figure]:
    return idle.measure(run.folder, say=run.say, quick=run.quick)


def _speed(run: Run) -> list[Figure]:
    with run.stack("speed") as (stack, stage):
        return speed.measure(stack, stage, rounds=run.rounds, say=run.say)


def _charts(run: Run) -> list[Figure]:
    with run.stack("charts") as (stack, stage):
        return charts.measure(stack.web, stage, stack.kubeconfig, stack.logs, rounds=run.rounds)


def _train(run: Run) -> list[Figure]:
    # Pods that take a while, as real ones do: what is compared is the train, not who gets more of the processor.
    with run.stack("train", pace=train.PACE) as (stack, stage):
        return train.measure(stack, stage, services=20 if run.quick else 100, say=run.say)


GROUPS: Mapping[str, Callable[[Run], list[Figure]]] = {
    "queue": _queue,
    "speed": _speed,
    "train": _train,
    "charts": _charts,
    "followers": _followers,
    "resume": _resume,
    "idle": _idle,
}


def measure(run: Run, groups: Sequence[str]) -> dict[str, list[Figure]]:
    logging.getLogger("releasemgr").setLevel(logging.WARNING)
    found = {}
    for name in groups:
        run.say(f"Measuring: {name} …")
        found[name] = GROUPS[name](run)
    return found
