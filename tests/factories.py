"""Objects for tests, made as the product makes them: through its services wherever rights or states matter."""

from typing import Any

from django.contrib.auth.models import Group

from accounts.models import Membership, Team, User
from accounts.policies import TEAM_PERMISSIONS, grant
from accounts.selectors import actor_for
from deployments.models import Cluster, Environment, Target
from releasemgr.core.actors import Actor
from releases import services
from releases.models import Application, Release

PASSWORD = "correct horse battery"
DIGEST = "sha256:" + "a" * 64
MANIFESTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: app, image: placeholder}]
"""


def team(slug: str = "payments", name: str = "Payments") -> Team:
    return Team.objects.create(slug=slug, name=name, group=Group.objects.create(name=f"team {slug}"))


def user(name: str, *, role: str = "engineer", teams: list[Team] | None = None) -> User:
    person = User(email=f"{name}@example.com", username=name, name=name.title(), role=role)
    person.set_password(PASSWORD)
    person.save()
    for each in teams or []:
        join(person, each)
    return person


def join(person: User, to: Team, role: str = "member") -> None:
    Membership.objects.create(user=person, team=to, role=role)
    person.groups.add(to.group)


def actor(person: User) -> Actor:
    """A fresh Actor, as each request has: rights given since are seen."""
    return actor_for(User.objects.get(pk=person.pk))


def application(team: Team, slug: str = "checkout", name: str = "Checkout") -> Application:
    made = Application.objects.create(slug=slug, name=name, team=team)
    grant(team, TEAM_PERMISSIONS, made)
    return made


def artifacts(tag: str = "1.0.0", **fields: Any) -> dict[str, Any]:
    return {"images": {"app": f"registry.example/web:{tag}"}, "manifests": MANIFESTS} | fields


def draft(author: User, application: Application, version: str = "1.0.0", **fields: Any) -> Release:
    content = fields.pop("artifacts", artifacts(version))
    return services.draft_release(
        actor=actor(author), application=application, version=version, artifacts=content, **fields
    )


def in_review(author: User, application: Application, version: str = "1.0.0", **fields: Any) -> Release:
    return services.submit_release(actor=actor(author), release=draft(author, application, version, **fields))


def approved(author: User, reviewer: User, application: Application, version: str = "1.0.0", **fields: Any) -> Release:
    release = in_review(author, application, version, **fields)
    return services.approve_release(actor=actor(reviewer), release=release)


def environment(name: str = "staging", **fields: Any) -> Environment:
    return Environment.objects.create(name=name, **fields)


def cluster(kubeconfig: str = "", name: str = "main", server: str = "https://127.0.0.1:1") -> Cluster:
    return Cluster.objects.create(name=name, kubeconfig=kubeconfig or "{}", server=server)


def target(application: Application, environment: Environment, cluster: Cluster, **fields: Any) -> Target:
    made = Target.objects.create(
        application=application, environment=environment, cluster=cluster, **{"namespace": "default", **fields}
    )
    grant(application.team, ["view_environment", "deploy_environment"], environment)
    return made
