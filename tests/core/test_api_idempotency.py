"""A POST that is sent twice happens once."""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import ApiToken, Team, User
from audit.models import Event
from releasemgr.core.models import IdempotencyKey
from tests.accounts.conftest import token_for
from tests.factories import PASSWORD

TEAMS = "/api/v1/teams"
BODY = {"slug": "web", "name": "Web"}


def client_of(user: User, *scopes: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token_for(user, *scopes)[1]}")
    return client


def post(client: APIClient, body: object, key: str = "key-1", path: str = TEAMS) -> Any:
    return client.post(path, body, HTTP_IDEMPOTENCY_KEY=key)


@pytest.mark.django_db
def test_the_same_key_and_body_answer_the_first_result_again(admin: User) -> None:
    client = client_of(admin)
    first = post(client, BODY)

    again = post(client, BODY)

    assert first.status_code == again.status_code == 201
    assert again.json() == first.json()
    assert (again["ETag"], again["Location"]) == (first["ETag"], first["Location"])
    assert (first.headers.get("Idempotent-Replayed"), again["Idempotent-Replayed"]) == (None, "true")
    assert Team.objects.count() == 1
    assert Event.objects.filter(action="team.created").count() == 1


@pytest.mark.django_db
def test_another_body_with_the_same_key_is_422(admin: User) -> None:
    client = client_of(admin)
    post(client, BODY)

    other = post(client, {"slug": "other", "name": "Other"})

    assert other.status_code == 422
    assert "Idempotency-Key" in other.json()["details"]
    assert Team.objects.count() == 1


@pytest.mark.django_db
def test_the_same_key_on_another_address_or_of_another_person_is_another_key(admin: User, team: Team) -> None:
    person = User.objects.create(email="second@example.com", name="Second", role="admin")
    client = client_of(admin)
    post(client, BODY)

    on_other_address = post(client, {"user": str(person.pk)}, path=f"{TEAMS}/web/members")
    by_other_person = post(client_of(person), BODY)

    assert on_other_address.status_code == 201
    assert by_other_person.status_code == 409


@pytest.mark.django_db
def test_a_narrower_token_of_the_same_person_is_not_given_the_answer(admin: User) -> None:
    post(client_of(admin), BODY)
    assert post(client_of(admin, "audit:read"), BODY).status_code == 422


@pytest.mark.django_db
def test_an_error_is_not_kept_so_the_key_may_be_used_again(admin: User) -> None:
    client = client_of(admin)

    assert post(client, {"slug": "web"}).status_code == 422
    assert IdempotencyKey.objects.count() == 0

    assert post(client, BODY).status_code == 201


@pytest.mark.django_db
def test_a_kept_answer_cannot_be_read_in_the_database(admin: User) -> None:
    body = {"name": "ci", "scopes": ["audit:read"], "expires_at": "2026-12-01T00:00:00Z"}
    client = client_of(admin)
    text = post(client, body, path="/api/v1/tokens").json()["token"]

    assert post(client, body, path="/api/v1/tokens").json()["token"] == text
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(k)::text FROM core_idempotencykey k")
        [(row,)] = cursor.fetchall()
    assert text not in row
    assert json.loads(row)["answer"].startswith("gAAAA")
    assert ApiToken.objects.filter(name="ci").count() == 1


@pytest.mark.django_db
def test_after_a_day_the_key_is_new_again(admin: User) -> None:
    client = client_of(admin)
    post(client, BODY)
    kept = IdempotencyKey.objects.get()
    IdempotencyKey.objects.update(created_at=kept.created_at - timedelta(hours=25))
    Team.objects.update(slug="renamed")

    assert post(client, BODY).status_code == 409
    Team.objects.update(slug="renamed-again")
    post(client, {"slug": "a", "name": "A"}, key="key-2")
    assert not IdempotencyKey.objects.filter(pk=kept.pk).exists()


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9", "tab\tbed"])
def test_a_key_that_is_none_is_422(admin: User, key: str) -> None:
    answer = post(client_of(admin), BODY, key=key)
    assert answer.status_code == 422
    assert Team.objects.count() == 0


@pytest.mark.django_db
def test_a_replayed_login_needs_the_password_and_its_failures_stay_counted(api: APIClient, deployer: User) -> None:
    right, wrong = ({"email": deployer.email, "password": password} for password in (PASSWORD, "wrong"))
    first = post(api, right, path="/api/v1/auth/login")
    again = post(api, right, path="/api/v1/auth/login")
    guesses = [post(api, wrong, key=f"k{n}", path="/api/v1/auth/login").status_code for n in range(6)]

    assert again.json() == first.json()
    assert guesses == [401] * 5 + [429]


@pytest.mark.django_db(transaction=True)
def test_duplicates_at_the_same_moment_happen_once(admin: User) -> None:
    header = f"Token {token_for(admin)[1]}"
    barrier = threading.Barrier(8)
    answers: list[Any] = []

    def send() -> None:
        client = Client(raise_request_exception=False)
        barrier.wait()
        answers.append(
            client.post(TEAMS, BODY, "application/json", headers={"Authorization": header, "Idempotency-Key": "race"})
        )
        connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in answers] == [201] * 8
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 7
    assert Team.objects.filter(slug="web").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_duplicate_that_waited_for_a_failure_takes_its_place(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first claims the key and fails only once the second is waiting at it."""
    from accounts import services

    header = f"Token {token_for(admin)[1]}"
    create_team, is_first = services.create_team, threading.Lock()

    def create_slowly(**fields: Any) -> Team:
        if is_first.acquire(blocking=False):
            wait_until_somebody_waits_for_a_lock()
            raise RuntimeError("the first one breaks")
        return create_team(**fields)

    monkeypatch.setattr(services, "create_team", create_slowly)
    statuses: list[int] = []

    def send() -> None:
        client = Client(raise_request_exception=False)
        answer = client.post(
            TEAMS, BODY, "application/json", headers={"Authorization": header, "Idempotency-Key": "race"}
        )
        statuses.append(answer.status_code)
        connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [201, 500]


def wait_until_somebody_waits_for_a_lock() -> None:
    for _ in range(500):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
            cursor.execute("SELECT pg_sleep(0.01), pg_stat_clear_snapshot()")
    raise AssertionError("nobody came to wait")
