"""Releases through review, at the level of the services."""

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Team, User
from audit.models import Event
from releasemgr.core.errors import NotAllowed, WrongState
from releases import services
from releases.models import Approval
from tests import factories
from tests.factories import actor


def test_a_second_person_approves_a_release(team: Team, deployer: User, approver: User) -> None:
    release = factories.in_review(deployer, factories.application(team))

    services.approve_release(actor=actor(approver), release=release)

    release.refresh_from_db()
    assert release.status == "approved"
    assert Event.objects.filter(action="release.approved", resource_id=str(release.pk)).count() == 1


def test_the_author_cannot_approve_not_even_as_administrator(team: Team, admin: User) -> None:
    release = factories.in_review(admin, factories.application(team))

    with pytest.raises(NotAllowed, match="four eyes"):
        services.approve_release(actor=actor(admin), release=release)


def test_the_database_refuses_an_approval_by_the_author(team: Team, deployer: User) -> None:
    release = factories.in_review(deployer, factories.application(team))

    with pytest.raises(IntegrityError), transaction.atomic():
        Approval.objects.create(release=release, user=deployer, decision="approved", digest=release.digest)


def test_editing_the_content_voids_the_approvals(team: Team, deployer: User, approver: User) -> None:
    release = factories.approved(deployer, approver, factories.application(team))

    services.edit_release(actor=actor(deployer), release=release, changes={"artifacts": factories.artifacts("1.0.1")})

    release.refresh_from_db()
    assert release.status == "in_review"
    assert not release.approvals.filter(voided_at__isnull=True).exists()


def test_an_approval_of_content_that_has_changed_is_refused(team: Team, deployer: User, approver: User) -> None:
    release = factories.in_review(deployer, factories.application(team))
    read = release.digest
    services.edit_release(actor=actor(deployer), release=release, changes={"artifacts": factories.artifacts("1.0.1")})

    with pytest.raises(WrongState, match="changed since you read it"):
        services.approve_release(actor=actor(approver), release=release, digest=read)


def test_an_event_can_be_neither_changed_nor_removed(team: Team, deployer: User) -> None:
    factories.draft(deployer, factories.application(team))

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        Event.objects.update(actor="Somebody else")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        Event.objects.all().delete()


def test_who_may_not_decide_is_told_so_before_the_reason_is_asked_for(team: Team, deployer: User, viewer: User) -> None:
    release = factories.in_review(deployer, factories.application(team))
    with pytest.raises(NotAllowed):
        services.reject_release(actor=actor(viewer), release=release, comment="")
