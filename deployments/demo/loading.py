"""Brings the demo company into being through the product's own services, as its people would."""

from accounts.models import Team, User
from accounts.selectors import actor_for
from accounts.services import add_member, create_team, create_user
from deployments import services
from deployments.demo import content
from deployments.models import Cluster, Environment
from releasemgr.core.actors import SYSTEM, Actor
from releases.models import Application
from releases.services import (
    approve_release,
    comment_on_release,
    create_application,
    draft_release,
    submit_release,
)


def load_company() -> None:
    """People, teams, applications, environments."""
    for slug, name in content.TEAMS.items():
        create_team(actor=SYSTEM, slug=slug, name=name)
    for person in content.PEOPLE:
        _add_person(person)
    for service in content.SERVICES:
        create_application(
            actor=SYSTEM,
            slug=service.slug,
            name=service.name,
            team=Team.objects.get(slug=service.team),
            repository=service.repository,
            description=service.description,
        )
    for fields in content.ENVIRONMENTS:
        required = Environment.objects.filter(name=fields.get("requires")).first()
        services.create_environment(actor=SYSTEM, **fields | {"requires": required})


def _add_person(person: content.Person) -> None:
    user = create_user(
        actor=SYSTEM,
        email=f"{person.username}@example.com",
        username=person.username,
        name=person.name,
        role=person.role,
    )
    # Past the rules for passwords, which refuse this one: it is for the first look only.
    user.set_password(content.PASSWORD)
    user.save(update_fields=["password"])
    for slug, role in person.teams.items():
        add_member(actor=SYSTEM, team=Team.objects.get(slug=slug), user=user, role=role)


def load_history(cluster: Cluster) -> None:
    """Targets in `cluster`, and releases on their way: the workers really send them out."""
    for application in Application.objects.select_related("team"):
        for environment in Environment.objects.all():
            services.create_target(
                actor=SYSTEM,
                application=application,
                environment=environment,
                cluster=cluster,
                namespace=environment.name,
                timeout_seconds=120,
                strategy=content.STRATEGIES.get((application.slug, environment.name), {}),
            )
    for (slug, name), namespace in content.SECOND_PLACES.items():
        services.create_target(
            actor=SYSTEM,
            application=Application.objects.select_related("team").get(slug=slug),
            environment=Environment.objects.get(name=name),
            cluster=cluster,
            namespace=namespace,
            wave=2,
        )
    for version in content.HISTORY:
        _release(version)


def _release(version: content.Version) -> None:
    application = Application.objects.get(slug=version.service)
    service = next(each for each in content.SERVICES if each.slug == version.service)
    author = _person(version.author)
    image = f"registry.example/northwind/{version.service}:{version.tag or version.version}"
    release = draft_release(
        actor=author,
        application=application,
        version=version.version,
        description=version.description,
        artifacts={"images": {"app": image}, "manifests": content.manifests(service)},
    )
    if not version.submitted:
        return
    submit_release(actor=author, release=release)
    if version.reviewer is None:
        comment_on_release(actor=author, release=release, body=content.COMMENT)
        return
    release = approve_release(actor=_person(version.reviewer), release=release, comment="Reads well.")
    for name in version.to:
        services.start_deployment(actor=author, release=release, environment=Environment.objects.get(name=name))


def _person(username: str) -> Actor:
    return actor_for(User.objects.get(username=username))
