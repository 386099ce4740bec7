"""The least that a deployer could do: one patch, and one watch that was there before."""

import json
import time
from dataclasses import dataclass

from tests.bench import scenario
from tests.bench.witness import DEPLOYMENTS, Witness
from tests.stack import Broken


@dataclass(frozen=True, slots=True)
class StandingWatch:
    witness: Witness

    def round(self, version: str) -> float:
        """Seconds from the patch until the watch tells that the rollout is complete."""
        self.witness.expect(scenario.image(version))
        began = time.perf_counter()
        patch(self.witness, scenario.SERVICE.slug, scenario.workload(version))
        complete = self.witness.wait(lambda seen: bool(seen.complete)).complete or 0.0
        self.witness.wait(lambda seen: bool(seen.settled))
        return complete - began


def patch(witness: Witness, name: str, workload: dict[str, object]) -> None:
    """Server-side apply of a Deployment. Raises Broken when it is refused."""
    path = f"{DEPLOYMENTS.format(witness.namespace)}/{name}?fieldManager=bench&force=true"
    answer = witness.ask("PATCH", path, json.dumps(workload), "application/apply-patch+yaml")
    if answer.status not in (200, 201):
        raise Broken(f"The patch of {name} was refused: HTTP {answer.status}.")
