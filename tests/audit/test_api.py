"""GET /api/v1/audit-logs."""

import csv
import io
import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.handlers.asgi import ASGIRequest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Team, User
from audit.exports import export
from audit.models import Event
from audit.seals import seal_pending
from audit.services import record
from releases.models import Application
from tests import factories
from tests.factories import actor

pytestmark = pytest.mark.django_db
URL = "/api/v1/audit-logs"


@pytest.fixture
def application(team: Team) -> Application:
    return factories.application(team)


def updated(person: User, application: Application, **data: Any) -> Event:
    return record(
        "application.updated", actor=actor(person), subject=application, changes={"name": ("a", "b")}, data=data
    )


def test_nobody_reads_it_without_logging_in(api: APIClient) -> None:
    assert api.get(URL).status_code == 401


def test_an_event_has_the_fields_that_programs_rely_on(
    api: APIClient, deployer: User, application: Application
) -> None:
    event = updated(deployer, application, reason="why")
    event.refresh_from_db()
    api.force_login(deployer)

    (body,) = api.get(URL).json()["results"]

    assert body == {
        "id": str(event.pk),
        "sequence": event.sequence,
        "action": "application.updated",
        "resource_type": "application",
        "resource_id": str(application.pk),
        "resource_label": "Checkout",
        "user": str(deployer.pk),
        "actor": "Deployer",
        "changes": {"name": ["a", "b"]},
        "data": {"reason": "why"},
        "created_at": event.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "request_id": "",
        "ip": None,
        "hash": event.hash,
        "seal": None,
        "seal_number": None,
    }
    assert api.get(f"{URL}/{event.pk}").json() == body


def test_a_sealed_event_names_its_seal(api: APIClient, deployer: User, application: Application) -> None:
    event = updated(deployer, application)
    seal_pending(timezone.now())
    api.force_login(deployer)

    body = api.get(f"{URL}/{event.pk}").json()

    assert body["seal_number"] == 1
    assert len(body["seal"]) == 64


def test_outsiders_get_an_empty_list_and_404(
    api: APIClient, deployer: User, outsider: User, application: Application
) -> None:
    event = updated(deployer, application)
    api.force_login(outsider)

    assert api.get(URL).json()["results"] == []
    assert api.get(f"{URL}/{event.pk}").status_code == 404
    assert api.get(f"{URL}/nonsense").status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_can_only_be_read(api: APIClient, admin: User, application: Application, method: str) -> None:
    event = updated(admin, application)
    api.force_login(admin)

    for url in (URL, f"{URL}/{event.pk}"):
        response = getattr(api, method)(url, {}, format="json")
        assert response.status_code == 405
        assert response.json()["code"] == "method_not_allowed"


def test_filters_work_together(api: APIClient, deployer: User, approver: User, application: Application) -> None:
    wanted = updated(deployer, application)
    updated(approver, application)
    record("application.created", actor=actor(deployer), subject=application)
    api.force_login(deployer)

    query = {"user": str(deployer.pk), "action": "application.updated", "resource_id": str(application.pk)}
    found = api.get(URL, query | {"application": str(application.pk), "since": "2020-01-01T00:00:00+02:00"}).json()

    assert [each["id"] for each in found["results"]] == [str(wanted.pk)]


@pytest.mark.parametrize(
    "query", ["since=x", "until=2026-02-30", "application=checkout", "ordering=actor", f"action={'x' * 101}", "q=%00"]
)
def test_a_value_that_cannot_be_understood_is_422(api: APIClient, deployer: User, query: str) -> None:
    api.force_login(deployer)

    response = api.get(f"{URL}?{query}")

    assert response.status_code == 422
    assert set(response.json()) == {"code", "message", "details"}


def test_pages_are_walked_by_cursor_in_both_orders(api: APIClient, deployer: User, application: Application) -> None:
    for _ in range(7):
        updated(deployer, application)
    sequences = list(Event.objects.order_by("-sequence").values_list("sequence", flat=True))
    api.force_login(deployer)

    assert walk(api, f"{URL}?limit=3") == sequences
    assert walk(api, f"{URL}?limit=3&ordering=sequence") == sequences[::-1]


def walk(api: APIClient, url: str | None) -> list[int]:
    found = []
    while url:
        body = api.get(url).json()
        found += [each["sequence"] for each in body["results"]]
        url = body["next"]
    return found


def test_a_page_costs_at_most_five_queries(
    api: APIClient, deployer: User, application: Application, django_assert_max_num_queries: Any
) -> None:
    for _ in range(60):
        updated(deployer, application)
    seal_pending(timezone.now())
    api.force_login(deployer)

    with django_assert_max_num_queries(5) as queries:
        api.get(URL)

    assert not any("COUNT(" in each["sql"] or "OFFSET" in each["sql"] for each in queries.captured_queries)


@pytest.mark.parametrize(
    ("query", "accept", "content_type"),
    [
        ("?format=csv", "*/*", "text/csv; charset=utf-8"),
        ("", "text/csv", "text/csv; charset=utf-8"),
        ("?format=jsonl", "*/*", "application/x-ndjson"),
        ("", "application/x-ndjson", "application/x-ndjson"),
        ("", "application/jsonl", "application/x-ndjson"),
    ],
)
def test_files_by_accept_or_format(
    api: APIClient, deployer: User, outsider: User, application: Application, query: str, accept: str, content_type: str
) -> None:
    updated(deployer, application)
    record("user.logged_in", actor=actor(outsider), subject=outsider)
    api.force_login(deployer)

    response = api.get(f"{URL}{query}", headers={"Accept": accept})

    assert response["Content-Type"] == content_type
    text = b"".join(response).decode()
    rows = (
        list(csv.DictReader(io.StringIO(text))) if "csv" in content_type else [json.loads(x) for x in text.splitlines()]
    )
    assert [row["action"] for row in rows] == ["application.updated"]


def test_a_refused_export_is_an_error_in_json(api: APIClient, deployer: User) -> None:
    api.force_login(deployer)

    response = api.get(f"{URL}?format=csv&since=x")

    assert response.status_code == 422
    assert response["Content-Type"] == "application/json"
    assert response.json()["details"]["since"]


def test_under_asgi_an_export_is_streamed_too(deployer: User, application: Application) -> None:
    updated(deployer, application)
    request = ASGIRequest({"type": "http", "method": "GET", "path": "/", "headers": []}, io.BytesIO())
    response = export(request, Event.objects.order_by("-sequence"), format="jsonl")

    async def gather() -> list[bytes]:
        return [chunk async for chunk in response]

    assert response.is_async
    assert json.loads(b"".join(async_to_sync(gather)()))["action"] == "application.updated"
