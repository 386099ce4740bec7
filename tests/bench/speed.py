"""One deployment at a time: ours, kubectl's and a bare patch with a standing watch, in turn and on one cluster."""

import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deployments.models import Deployment
from tests.bench import scenario
from tests.bench.figures import Figure
from tests.bench.peer import Kubectl, find_kubectl
from tests.bench.product import Product, Round
from tests.bench.standing import StandingWatch
from tests.bench.witness import Sighting, Witness
from tests.stack import Stack

# The first rounds of each fill caches, which a long-lived installation has filled; they do not count.
WARM_UP = 2
PeerRound = tuple[float, float, Sighting]


@dataclass(frozen=True, slots=True)
class Rounds:
    ours: Sequence[Round]
    kubectl: Sequence[PeerRound]
    standing: Sequence[float]


def measure(stack: Stack, stage: scenario.Scenario, *, rounds: int, say: Callable[[str], None]) -> list[Figure]:
    product = Product.connect(
        web=stack.web,
        database_url=os.environ["DATABASE_URL"],
        witness=Witness.of(stack.kubeconfig, scenario.NAMESPACE),
        stage=stage,
    )
    there = Witness.of(stack.kubeconfig, scenario.PEER_NAMESPACE)
    kubectl = Kubectl(find_kubectl(), stack.kubeconfig, stack.logs, there)
    standing = StandingWatch(Witness.of(stack.kubeconfig, scenario.WATCH_NAMESPACE))
    made = _in_turn(product, kubectl, standing, rounds, say)
    return [*_figures(made), *_where_the_time_goes(made.ours)]


def _in_turn(
    product: Product, kubectl: Kubectl, standing: StandingWatch, rounds: int, say: Callable[[str], None]
) -> Rounds:
    ours, theirs, bare = [], [], []
    for number in range(WARM_UP + rounds):
        version = scenario.VERSIONS[number % 2]
        ours.append(product.round(number))
        theirs.append(kubectl.round(version))
        bare.append(standing.round(version))
        if number > WARM_UP and number % 10 == 0:
            say(f"{number} of {WARM_UP + rounds} rounds …")
    return Rounds(ours[WARM_UP:], theirs[WARM_UP:], bare[WARM_UP:])


def _figures(made: Rounds) -> list[Figure]:
    def mine(start: str, end: str) -> list[float]:
        return [_moment(each, end) - _moment(each, start) for each in made.ours]

    def other(end: str, start: str = "") -> list[float]:
        return [
            (getattr(seen, end) if end else ended) - (getattr(seen, start) if start else began)
            for began, ended, seen in made.kubectl
        ]

    whole, bare = mine("posted", "succeeded"), statistics.median(made.standing)
    return [
        Figure.of("whole deployment, beside kubectl", whole, other(""), aim=1.0, judged="ratio"),
        Figure.of("whole deployment, beside patch and standing watch", whole, made.standing),
        Figure.of("added to patch and standing watch", [each - bare for each in whole], aim=150),
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
        parts.setdefault("  row written → started", []).append((row.started_at - row.created_at).total_seconds())
        for step in row.steps.all():
            parts.setdefault(f"  {step.name}", []).append((step.completed_at - step.started_at).total_seconds())
    return [Figure.of(name, seconds) for name, seconds in parts.items()]
