"""A chart through the product, beside `helm upgrade --install --wait` of the same library in a process of its own."""

import base64
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from accounts.models import Team
from deployments.models.places import TargetKind
from tests import factories
from tests.bench import scenario
from tests.bench.figures import Figure
from tests.bench.product import Product
from tests.bench.witness import Witness
from tests.stack import ROOT, Broken
from tests.targets.charts import packaged

NAMESPACE, PEER_NAMESPACE = "bench-chart", "bench-helm"
WARM_UP = 2
RELEASE = "basket"


def measure(web: str, stage: scenario.Scenario, kubeconfig: Path, folder: Path, *, rounds: int) -> list[Figure]:
    """`stage` is that of the other rounds; the chart's target and releases are made here."""
    archive = folder / "web-0.1.0.tgz"
    archive.write_bytes(packaged())
    ours_there = Product.connect(
        web=web,
        database_url=os.environ["DATABASE_URL"],
        witness=Witness.of(kubeconfig, NAMESPACE),
        stage=_stage(stage, archive),
    )
    theirs_there = Witness.of(kubeconfig, PEER_NAMESPACE)
    ours, theirs = [], []
    for number in range(WARM_UP + rounds):
        ours_there.client.close()
        mine = ours_there.round(number)
        other = _peer(theirs_there, archive, kubeconfig, scenario.VERSIONS[number % 2])
        if number >= WARM_UP:
            ours.append(mine.succeeded - mine.posted)
            theirs.append(other)
    return [Figure.of("chart: whole deployment, beside helm upgrade --wait", ours, theirs, aim=1.5, judged="ratio")]


def _stage(stage: scenario.Scenario, archive: Path) -> scenario.Scenario:
    team = Team.objects.get(applications=stage.target.application_id)
    reviewer = factories.user("chart-reviewer", teams=[team])
    application = factories.application(team, RELEASE, "Basket")
    target = factories.target(
        application, stage.environment, stage.target.cluster, namespace=NAMESPACE, kind=TargetKind.HELM
    )
    chart = {"archive": base64.b64encode(archive.read_bytes()).decode()}
    releases = tuple(
        factories.approved(
            stage.deployer, reviewer, application, version, artifacts={"chart": chart, "values": _values(version)}
        )
        for version in scenario.VERSIONS
    )
    return replace(stage, target=target, releases=releases)


def _values(version: str) -> dict[str, object]:
    return {"image": scenario.image(version), "replicas": scenario.REPLICAS}


def _peer(witness: Witness, archive: Path, kubeconfig: Path, version: str) -> float:
    witness.expect(scenario.image(version))
    began = time.perf_counter()
    arguments = [str(archive), str(kubeconfig), PEER_NAMESPACE, RELEASE, scenario.image(version)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.helm_peer", *arguments, str(scenario.REPLICAS)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    ended = time.perf_counter()
    if done.returncode:
        raise Broken(f"helm upgrade failed: {done.stderr.strip()[-500:]}")
    witness.wait(lambda seen: bool(seen.complete and seen.settled))
    return ended - began
