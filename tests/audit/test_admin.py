"""The audit log in the admin: to look at, never to touch."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Team, User
from audit.models import Event, Seal
from audit.seals import seal_pending
from audit.services import record
from tests import factories
from tests.factories import actor

pytestmark = pytest.mark.django_db


@pytest.fixture
def event(team: Team, admin: User) -> Event:
    made = record("application.updated", actor=actor(admin), subject=factories.application(team))
    seal_pending(timezone.now())
    return made


def test_an_administrator_looks_at_events_and_seals(client: Client, admin: User, event: Event) -> None:
    client.force_login(admin)

    for url in (
        reverse("admin:audit_event_changelist"),
        reverse("admin:audit_event_changelist") + "?action=application.updated&q=" + event.resource_id,
        reverse("admin:audit_event_change", args=[event.pk]),
        reverse("admin:audit_seal_changelist"),
        reverse("admin:audit_seal_change", args=[Seal.objects.get().pk]),
    ):
        assert client.get(url).status_code == 200


def test_nothing_can_be_added_changed_or_deleted(client: Client, admin: User, event: Event) -> None:
    client.force_login(admin)

    for name, args in (("add", []), ("delete", [event.pk])):
        assert client.post(reverse(f"admin:audit_event_{name}", args=args), {}).status_code == 403
    assert client.post(reverse("admin:audit_event_change", args=[event.pk]), {"actor": "x"}).status_code == 403


def test_the_list_counts_no_rows(client: Client, admin: User, event: Event, django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    client.force_login(admin)

    with django_assert_max_num_queries(8) as queries:
        client.get(reverse("admin:audit_event_changelist"))

    assert not [each["sql"] for each in queries.captured_queries if "COUNT(" in each["sql"]]


def test_engineers_have_no_business_in_the_admin(client: Client, deployer: User) -> None:
    client.force_login(deployer)
    assert client.get(reverse("admin:audit_event_changelist")).status_code == 302
