"""Set-up that two people change at once."""

import pytest

from accounts.models import User
from audit.models import Event
from releases import services
from releases.models import Application
from releases.policies import can_develop
from tests import factories

pytestmark = pytest.mark.django_db


def test_an_application_moved_twice_leaves_no_rights_on_its_way(admin: User, application: Application) -> None:
    """Both operators opened the form while the first team had it."""
    between, last = factories.team("between", "Between"), factories.team("last", "Last")
    passed_over, owner = factories.user("pia", teams=[between]), factories.user("olga", teams=[last])
    first, second = (Application.objects.select_related("team").get(pk=application.pk) for _ in range(2))
    services.update_application(actor=factories.actor(admin), application=first, changes={"team": between})
    services.update_application(actor=factories.actor(admin), application=second, changes={"team": last})
    assert not can_develop(factories.actor(passed_over), application)
    assert can_develop(factories.actor(owner), application)


def test_saving_without_a_change_leaves_no_event(admin: User, application: Application) -> None:
    services.update_application(actor=factories.actor(admin), application=application, changes={"name": "Checkout"})
    assert not Event.objects.filter(action="application.updated").exists()
