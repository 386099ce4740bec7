"""The rounds, ours and kubectl's in turn, and what they come to."""

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from deployments.models import Deployment
from tests.bench import queue, scenario
from tests.bench.figures import Figure
from tests.bench.peer import Kubectl, find_kubectl
from tests.bench.product import Product, Round
from tests.bench.witness import Sighting, Witness
from tests.stack import Stack

# The first rounds of each fill caches, which a long-lived installation has filled; they do not count.
WARM_UP = 2
Say = Callable[[str], None]
PeerRound = tuple[float, float, Sighting]


def measure(folder: Path, *, rounds: int, say: Say) -> list[Figure]:
    program = find_kubectl()
    logging.getLogger("releasemgr").setLevel(logging.WARNING)
    say("Measuring the task queue …")
    figures = _of_the_queue(queue.measure())
    say("Starting cluster, workers, observer and web server …")
    made: list[scenario.Scenario] = []
    with Stack.start(
        folder,
        environment=os.environ,
        # kubectl sends its token only over TLS.
        sandbox=["deployments.sandbox", "--tls", "--state-dir", str(folder / "sandbox")],
        prepare=lambda stack: made.append(scenario.Scenario.make(stack.kubeconfig)),
    ) as stack:
        product = Product.connect(
            web=stack.web,
            database_url=os.environ["DATABASE_URL"],
            witness=Witness.of(stack.kubeconfig, scenario.NAMESPACE),
            stage=made[0],
        )
        peer = Kubectl(program, stack.kubeconfig, folder, Witness.of(stack.kubeconfig, scenario.PEER_NAMESPACE))
        ours, theirs = _alternate(product, peer, rounds, say)
    return [*_of_the_deployments(ours, theirs), *_where_the_time_goes(ours), *figures]


def _alternate(product: Product, peer: Kubectl, rounds: int, say: Say) -> tuple[list[Round], list[PeerRound]]:
    ours, theirs = [], []
    for number in range(WARM_UP + rounds):
        mine = product.round(number)
        other = peer.round(scenario.VERSIONS[number % 2])
        if number >= WARM_UP:
            ours.append(mine)
            theirs.append(other)
        if ours and len(ours) % 10 == 0:
            say(f"{len(ours)} of {rounds} rounds …")
    return ours, theirs


def _of_the_deployments(ours: Sequence[Round], theirs: Sequence[PeerRound]) -> list[Figure]:
    def mine(start: str, end: str) -> list[float]:
        return [_moment(each, end) - _moment(each, start) for each in ours]

    def other(end: str, start: str = "") -> list[float]:
        return [
            (getattr(seen, end) if end else ended) - (getattr(seen, start) if start else began)
            for began, ended, seen in theirs
        ]

    return [
        Figure.of("whole deployment", mine("posted", "succeeded"), other(""), aim=1.5, judged="ratio"),
        Figure.of("POST answered", mine("posted", "answered")),
        Figure.of("request → first apply", mine("posted", "applied"), other("applied"), aim=300),
        Figure.of("request → first pod", mine("posted", "first_pod"), other("first_pod")),
        Figure.of(
            "apply → complete (the cluster's own time)", mine("applied", "complete"), other("complete", "applied")
        ),
        Figure.of("complete → succeeded", mine("complete", "succeeded"), other("", "complete"), aim=300),
        Figure.of("last pod Ready → succeeded", mine("last_ready", "succeeded"), other("", "last_ready")),
        Figure.of("last old pod gone → succeeded", mine("settled", "succeeded"), other("", "settled")),
    ]


def _moment(each: Round, name: str) -> float:
    value: float = getattr(each if hasattr(each, name) else each.seen, name)
    return value


def _where_the_time_goes(ours: Sequence[Round]) -> list[Figure]:
    """From the times that the engine itself writes into the rows."""
    parts: dict[str, list[float]] = {}
    rows = Deployment.objects.filter(pk__in=[each.deployment_id for each in ours]).prefetch_related("steps")
    for row in rows:
        before = row.started_at
        parts.setdefault("  row written → started", []).append((before - row.created_at).total_seconds())
        for step in row.steps.all():
            parts.setdefault(f"  pause before {step.name}", []).append((step.started_at - before).total_seconds())
            before = step.completed_at
            parts.setdefault(f"  {step.name}", []).append((before - step.started_at).total_seconds())
    return [Figure.of(name, seconds) for name, seconds in parts.items()]


def _of_the_queue(found: dict[str, float]) -> list[Figure]:
    return [
        Figure("queue: enqueue → start", "ms", found["pick_up_p50_ms"], found["pick_up_p95_ms"], aim=15),
        Figure(
            "queue: two workers", "tasks/s", found["tasks_per_second"], aim=400, judged="median", more_is_better=True
        ),
        Figure("live message → 50 readers", "ms", found["fan_out_p50_ms"], found["fan_out_p95_ms"]),
    ]
