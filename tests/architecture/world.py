"""One of everything, and everybody who might come by."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.utils import timezone

from accounts import services as account_services
from accounts.models import ApiToken, Team, User
from audit.models import Event, Seal
from deployments import services
from deployments.models import Check, Cluster, Deployment, DeploymentApproval, Environment, LogLine, Step, Target, Train
from deployments.services.trains import start_train
from releases import services as release_services
from releases.models import Application, Approval, ApprovalRule, Comment, Release
from tests import factories
from tests.architecture.addresses import Address


@dataclass
class World:
    """Ours: the team `payments` with its things. `people` are by name; None is who has not logged in."""

    people: dict[str, User | None]
    team: Team
    application: Application
    environment: Environment
    cluster: Cluster
    target: Target
    release: Release
    draft: Release
    deployment: Deployment
    train: Train
    rule: ApprovalRule
    token: ApiToken
    check: Check

    def values_for(self, address: Address) -> dict[str, str]:
        """What goes into the holes of the address. Raises KeyError for one that nobody thought of."""
        if address.is_admin:
            return _admin_values(address)
        return {hole: self._value(address, hole) for hole in address.holes}

    def _value(self, address: Address, hole: str) -> str:
        if hole == "pk":
            return str(self._object(address.route).pk)
        if hole == "reference":
            return self._reference(address.route)
        member = self.people["approver"]
        assert member is not None
        return {
            "application_id": str(self.application.pk),
            "environment": self.environment.name,
            "file_format": "csv",
            "person": str(member.pk),
            "release_id": str(self.release.pk),
            "resource_id": str(self.release.pk),
            "resource_type": "release",
            "team": self.team.slug,
            "token": str(self.token.public_id),
            "user": str(member.pk),
        }[hole]

    def _object(self, route: str) -> Any:
        member = self.people["approver"]
        objects: dict[str, Any] = {
            "users": member, "teams": self.team, "applications": self.application, "releases": self.release,
            "approval-rules": self.rule, "environments": self.environment, "clusters": self.cluster,
            "targets": self.target, "deployments": self.deployment, "checks": self.check,
            "trains": self.train,
            "audit-logs": Event.objects.filter(resource_id=str(self.release.pk)).first(),
        }  # fmt: skip
        noun = route.removeprefix("/api/v1/").lstrip("/").split("/")[0]
        return ByPublicId(self.token) if noun == "tokens" else objects[noun]

    def _reference(self, route: str) -> str:
        names = {
            "applications": self.application.slug, "environments": self.environment.name, "clusters": self.cluster.name
        }  # fmt: skip
        return names[route.split("/")[1]]


@dataclass(frozen=True)
class ByPublicId:
    token: ApiToken

    @property
    def pk(self) -> object:
        return self.token.public_id


def _admin_values(address: Address) -> dict[str, str]:
    parts = address.route.split("/")
    kind = ContentType.objects.filter(app_label=parts[2], model=parts[3]).first() if len(parts) > 4 else None
    row = kind.get_all_objects_for_this_type().first() if kind else None
    return {
        "app_label": "audit",
        "content_type_id": str(ContentType.objects.get_for_model(Release).pk),
        "object_id": str(row.pk if row else Release.objects.first().pk),  # type: ignore[union-attr]
        "url": "nowhere",
    }


def build() -> World:
    team, others = factories.team(), factories.team("others", "Others")
    people: dict[str, User | None] = {
        "anonymous": None,
        "outsider": factories.user("outsider", teams=[others]),
        "viewer": factories.user("viewer", role="viewer", teams=[team]),
        "deployer": factories.user("deployer", teams=[team]),
        "approver": factories.user("approver", teams=[team]),
        "admin": factories.user("admin", role="admin"),
    }
    deployer, approver = people["deployer"], people["approver"]
    assert deployer is not None
    assert approver is not None
    application = factories.application(team)
    environment = factories.environment()
    target = factories.target(application, environment, factories.cluster())
    rule = ApprovalRule.objects.create(application=application, environment=environment)
    gone_out = factories.approved(deployer, approver, application, "1.0.0")
    deployment = services.start_deployment(actor=factories.actor(deployer), release=gone_out, environment=environment)
    LogLine.objects.create(deployment=deployment, message="A line.")
    train = start_train(actor=factories.actor(deployer), environment=environment, releases=[gone_out.pk])
    release = factories.in_review(deployer, application, "2.0.0")
    release_services.comment_on_release(actor=factories.actor(deployer), release=release, body="A remark.")
    check = Check.objects.create(
        application=application, environment=environment, name="alive", kind="http", url="http://127.0.0.1:1/"
    )
    token, _ = account_services.issue_token(
        actor=factories.actor(deployer),
        name="ci",
        scopes=["releases:read"],
        expires_at=timezone.now() + timedelta(days=1),
    )
    return World(
        people=people, team=team, application=application, environment=environment, cluster=target.cluster,
        target=target, release=release, draft=factories.draft(deployer, application, "3.0.0"),
        deployment=deployment, train=train, rule=rule, token=token,
        check=check,
    )  # fmt: skip


EVERY_KIND: tuple[type[Model], ...] = (
    User, Team, ApiToken, Application, Release, Approval, Comment, ApprovalRule, Environment, Cluster, Target,
    Deployment, Step, LogLine, DeploymentApproval, Check, Event, Seal,
)  # fmt: skip
