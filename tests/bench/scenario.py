"""People, places and two approved releases: made as the product makes them, by two people."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from accounts.models import User
from deployments.demo.content import Service, manifests
from deployments.models import Environment, Target
from deployments.services import register_cluster
from releasemgr.core.actors import SYSTEM
from releases.models import Release
from tests import factories

NAMESPACE, PEER_NAMESPACE, WATCH_NAMESPACE = "bench", "bench-kubectl", "bench-watch"
REPLICAS = 3
SERVICE = Service("checkout", "Checkout", "payments", "", "What is sent out in the benchmark.", REPLICAS)
VERSIONS = ("1.0.0", "2.0.0")
PLACEHOLDER = f"registry.example/northwind/{SERVICE.slug}"


@dataclass(frozen=True, slots=True)
class Scenario:
    deployer: User
    environment: Environment
    target: Target
    releases: tuple[Release, ...]

    @classmethod
    def make(cls, kubeconfig: Path, name: str) -> "Scenario":
        """All of it called after `name`, so that one database serves several."""
        team = factories.team(name, name)
        author, reviewer = (factories.user(f"{role}-{name}", teams=[team]) for role in ("author", "reviewer"))
        cluster = register_cluster(actor=SYSTEM, name=name, kubeconfig=kubeconfig.read_text())
        environment = factories.environment(name, verify_seconds=0, protected=True)
        application = factories.application(team, f"{SERVICE.slug}-{name}", SERVICE.name)
        target = factories.target(application, environment, cluster, namespace=NAMESPACE)
        releases = tuple(
            factories.approved(author, reviewer, application, version, artifacts=artifacts(version))
            for version in VERSIONS
        )
        return cls(author, environment, target, releases)


def image(version: str) -> str:
    return f"{PLACEHOLDER}:{version}"


def artifacts(version: str) -> dict[str, object]:
    return {"images": {"app": image(version)}, "manifests": manifests(SERVICE)}


def workload(version: str) -> dict[str, object]:
    """Only its Deployment, as a patch sends it."""
    items = yaml.safe_load_all(plain_manifests(version))
    found: dict[str, object] = next(item for item in items if item["kind"] == "Deployment")
    return found


def plain_manifests(version: str) -> str:
    """What the release comes to, for those who apply files."""
    return manifests(SERVICE).replace(f"image: {PLACEHOLDER}\n", f"image: {image(version)}\n")
