"""An application changes hands: who may deploy it then (decision 0007)."""

import pytest

from accounts.models import Team, User
from audit.models import Event
from deployments import services
from deployments.models import Environment, Target
from deployments.policies import can_deploy
from releasemgr.core.errors import NotAllowed
from releases import services as release_services
from tests import factories
from tests.engine.conftest import Crew, ScriptedTarget
from tests.factories import actor


@pytest.fixture
def heirs() -> Team:
    return factories.team("heirs", "Heirs")


@pytest.fixture
def heir(heirs: Team) -> User:
    return factories.user("heir", teams=[heirs])


def test_the_new_team_deploys_at_once_and_the_old_one_no_longer(
    crew: Crew, world: ScriptedTarget, admin: User, heirs: Team, heir: User
) -> None:
    release = factories.approved(crew.deployer, crew.approver, crew.application)
    release_services.update_application(actor=actor(admin), application=crew.application, changes={"team": heirs})

    made = services.start_deployment(actor=actor(heir), release=release, environment=crew.place.environment)

    assert crew.run(made).status == "succeeded"
    with pytest.raises(NotAllowed):
        services.retry_deployment(actor=actor(crew.deployer), deployment=made)


def test_a_protected_environment_waits_for_an_administrator(
    crew: Crew, world: ScriptedTarget, admin: User, heirs: Team, heir: User
) -> None:
    Environment.objects.update(protected=True)
    release = factories.approved(crew.deployer, crew.approver, crew.application)
    release_services.update_application(actor=actor(admin), application=crew.application, changes={"team": heirs})
    place = Target.objects.get(pk=crew.place.pk)

    with pytest.raises(NotAllowed, match="protected: an administrator gives Heirs the right by saving the target"):
        services.start_deployment(actor=actor(heir), release=release, environment=place.environment)

    services.update_target(actor=actor(admin), target=place, changes={})
    assert can_deploy(actor(heir), place)
    event = Event.objects.get(action="target.updated")
    assert event.data == {"team": "heirs", "granted": ["deploy_environment", "view_environment"]}

    services.update_target(actor=actor(admin), target=place, changes={})
    assert Event.objects.filter(action="target.updated").count() == 1, "nothing changed, so nothing is recorded"


def test_without_a_right_on_the_application_no_environment_is_open(crew: Crew, outsider: User, viewer: User) -> None:
    assert not crew.place.environment.protected
    assert not can_deploy(actor(outsider), crew.place)
    assert not can_deploy(actor(viewer), crew.place)
