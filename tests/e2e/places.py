"""Where a test plays: an application of its own in the demo's development environment."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deployments.demo.content import Service, manifests
from tests.e2e.rest import Rest

AUTHOR, REVIEWER, ADMIN = "maya", "jonas", "admin"


@dataclass(frozen=True, slots=True)
class Place:
    service: Service
    rest: Callable[[str], Rest]

    @classmethod
    def make(cls, rest: Callable[[str], Rest]) -> "Place":
        slug = f"basket-{uuid.uuid4().hex[:6]}"
        service = Service(slug, slug.title().replace("-", " "), "payments", "", "", replicas=2)
        admin = rest(ADMIN)
        admin.post("/applications", {"slug": slug, "name": service.name, "team": service.team})
        target = {"application": slug, "environment": "development", "cluster": "sandbox", "namespace": "development"}
        admin.post("/targets", target | {"timeout_seconds": 60})
        return cls(service, rest)

    @property
    def slug(self) -> str:
        return self.service.slug

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def manifests(self) -> str:
        return manifests(self.service)

    def image(self, tag: str) -> str:
        """`tag` steers what becomes of the pods."""
        return f"registry.example/northwind/{self.slug}:{tag}"

    def draft(self, version: str, tag: str = "") -> Any:
        artifacts = {"images": {"app": self.image(tag or version)}, "manifests": self.manifests}
        body = {"application": self.slug, "version": version, "description": "", "artifacts": artifacts}
        return self.rest(AUTHOR).post("/releases", body)

    def in_review(self, version: str, tag: str = "") -> Any:
        return self.rest(AUTHOR).post(f"/releases/{self.draft(version, tag)['id']}/submit")

    def approved(self, version: str, tag: str = "") -> Any:
        return self.rest(REVIEWER).post(f"/releases/{self.in_review(version, tag)['id']}/approve")

    def deploy(self, release: Any) -> Any:
        return self.rest(AUTHOR).post(f"/releases/{release['id']}/deploy", {"environment": "development"})

    def deployed(self, version: str, tag: str = "") -> Any:
        """A release of that version once its deployment to development has ended."""
        return self.rest(AUTHOR).ended(self.deploy(self.approved(version, tag))["id"])
