"""Many services with one click, beside a loop of bare patches with one standing watch."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from django.db.models import Max

from accounts.models import Team
from deployments.demo.content import Service, manifests
from deployments.models import Step, Train
from releases.models import Release
from tests import factories
from tests.bench import scenario
from tests.bench.figures import Figure
from tests.bench.product import Product
from tests.bench.standing import patch
from tests.bench.witness import DEPLOYMENTS, Witness, is_complete
from tests.stack import Broken, Stack

# Pods of this cluster are ready after a quarter of a minute.
PACE = 0.02
ROUNDS = 2
SECONDS = 240.0
NAMESPACE, PEER_NAMESPACE = "bench-train", "bench-loop"
DONE = "SELECT count(*) FILTER (WHERE status = 'succeeded'), count(*) FROM deployments_deployment WHERE train_id = %s"


@dataclass
class Crowd:
    """Follows all Deployments of a namespace: which of them run which image."""

    witness: Witness
    images: dict[str, str] = field(default_factory=dict)
    moved: threading.Condition = field(default_factory=threading.Condition)

    def start(self) -> "Crowd":
        self.witness.follow(DEPLOYMENTS.format(self.witness.namespace), self._note)
        return self

    def wait(self, images: dict[str, str]) -> float:
        """When the last of them ran its image."""
        with self.moved:
            if not self.moved.wait_for(lambda: images.items() <= self.images.items(), SECONDS):
                raise Broken(f"Not all of {len(images)} services were rolled out after {SECONDS:.0f} s.")
        return time.perf_counter()

    def _note(self, change: str, item: dict[str, Any], at: float) -> None:
        if is_complete(item):
            with self.moved:
                self.images[item["metadata"]["name"]] = item["spec"]["template"]["spec"]["containers"][0]["image"]
                self.moved.notify_all()


def measure(stack: Stack, stage: scenario.Scenario, *, services: int, say: Callable[[str], None]) -> list[Figure]:
    say(f"Approving {services} services …")
    fleet = [Service(f"service-{number:03}", f"Service {number}", "", "", "", 1) for number in range(services)]
    releases = _releases(stage, fleet)
    witness = Witness.of(stack.kubeconfig, NAMESPACE)
    product = Product.connect(web=stack.web, database_url=os.environ["DATABASE_URL"], witness=witness, stage=stage)
    crowd = Crowd(Witness.of(stack.kubeconfig, PEER_NAMESPACE)).start()
    ours, theirs = [], []
    for number in range(ROUNDS):
        version = scenario.VERSIONS[number]
        say(f"A train of {services}, then a loop: {number + 1} of {ROUNDS} …")
        ours.append(_send(product, stage, releases[version]))
        theirs.append(_loop(crowd, fleet, version))
    name = f"train of {services} services"
    return [
        Figure.of(f"{name}, beside patches and one watch", ours, theirs, aim=1.03, judged="ratio"),
        *(Figure.of(f"  click → last {what}", seconds) for what, seconds in _milestones().items()),
    ]


def _milestones() -> dict[str, list[float]]:
    """From the times that the engine itself writes into the rows."""
    found: dict[str, list[float]] = {}
    for train in Train.objects.order_by("created_at"):
        steps = Step.objects.filter(deployment__train=train)
        for name in steps.order_by("position").values_list("name", flat=True).distinct():
            last = steps.filter(name=name).aggregate(last=Max("completed_at"))["last"]
            found.setdefault(name, []).append((last - train.created_at).total_seconds())
    return found


def _releases(stage: scenario.Scenario, fleet: Sequence[Service]) -> dict[str, list[Release]]:
    team = Team.objects.get(applications=stage.target.application_id)
    reviewer = factories.user("conductor", teams=[team])
    made: dict[str, list[Release]] = {version: [] for version in scenario.VERSIONS}
    for service in fleet:
        application = factories.application(team, service.slug, service.name)
        factories.target(application, stage.environment, stage.target.cluster, namespace=NAMESPACE)
        for version, releases in made.items():
            content = {"images": {"app": _image(service, version)}, "manifests": manifests(service)}
            releases.append(factories.approved(stage.deployer, reviewer, application, version, artifacts=content))
    return made


def _send(product: Product, stage: scenario.Scenario, releases: Sequence[Release]) -> float:
    """Seconds from the click until the last of them is shown as succeeded."""
    product.client.close()
    began = time.perf_counter()
    body = {"environment": stage.environment.name, "releases": [str(each.pk) for each in releases]}
    train: dict[str, Any] = product.client.post("/api/v1/trains", body).body
    while time.perf_counter() - began < SECONDS:
        done, total = product.database.execute(DONE, [train["id"]]).fetchone() or (0, 0)
        if done == total == len(releases):
            return time.perf_counter() - began
        for _ in product.database.notifies(timeout=0.1, stop_after=1):
            pass
    raise Broken(f"The train was still under way after {SECONDS:.0f} s: {_words(train['id'])}")


def _words(train: str) -> list[Any]:
    return list(Train.objects.get(pk=train).deployments.values_list("status", "error_message").distinct()[:5])


def _loop(crowd: Crowd, fleet: Sequence[Service], version: str) -> float:
    began = time.perf_counter()
    for service in fleet:
        for item in yaml.safe_load_all(manifests(service)):
            if item["kind"] == "Deployment":
                item["spec"]["template"]["spec"]["containers"][0]["image"] = _image(service, version)
                patch(crowd.witness, service.slug, item)
    return crowd.wait({service.slug: _image(service, version) for service in fleet}) - began


def _image(service: Service, version: str) -> str:
    return f"registry.example/northwind/{service.slug}:{version}"
