"""Set-up that two people change at once."""

import pytest

from accounts.models import User
from audit.models import Event
from releases import services
from releases.models import Application, ApprovalRule, Release
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


@pytest.fixture
def rule(application: Application) -> ApprovalRule:
    return ApprovalRule.objects.create(application=application, count=2)


@pytest.fixture
def half_approved(application: Application, rule: ApprovalRule, deployer: User, approver: User) -> Release:
    return factories.approved(deployer, approver, application)


def assert_approved_by(person: User, release: Release) -> None:
    release.refresh_from_db()
    assert release.status == "approved"
    assert release.approved_at is not None
    event = Event.objects.get(action="release.approved", resource_id=str(release.pk))
    assert event.actor == factories.actor(person).label
    assert "rule" in event.data["reason"]


def test_a_lowered_rule_approves_what_has_enough_approvals(
    admin: User, rule: ApprovalRule, half_approved: Release
) -> None:
    assert half_approved.status == "in_review"
    services.update_approval_rule(actor=factories.actor(admin), rule=rule, changes={"count": 1})
    assert_approved_by(admin, half_approved)


def test_without_the_rule_what_has_an_approval_is_approved(
    admin: User, rule: ApprovalRule, half_approved: Release
) -> None:
    services.delete_approval_rule(actor=factories.actor(admin), rule=rule)
    assert_approved_by(admin, half_approved)


def test_without_the_rule_what_has_no_approval_stays_in_review(
    admin: User, deployer: User, application: Application, rule: ApprovalRule
) -> None:
    unread, draft = factories.in_review(deployer, application), factories.draft(deployer, application, "2.0.0")
    services.delete_approval_rule(actor=factories.actor(admin), rule=rule)
    for release, status in ((unread, "in_review"), (draft, "draft")):
        release.refresh_from_db()
        assert release.status == status


def test_another_rule_still_holds_what_it_held(admin: User, rule: ApprovalRule, half_approved: Release) -> None:
    ApprovalRule.objects.create(role="admin")
    services.delete_approval_rule(actor=factories.actor(admin), rule=rule)
    half_approved.refresh_from_db()
    assert half_approved.status == "in_review"
