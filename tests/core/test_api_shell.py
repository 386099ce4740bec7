"""What every address of the API promises: one error shape, hostile bodies survived, stale changes refused."""

import json
from io import BytesIO
from typing import Any

import pytest
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.test import Client
from rest_framework.test import APIClient

from accounts.api import Teams
from accounts.models import Team, User
from tests.accounts.conftest import token_for

pytestmark = pytest.mark.django_db
TEAMS = "/api/v1/teams"


@pytest.fixture
def client_of_admin(admin: User) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token_for(admin)[1]}")
    return client


def send(client: APIClient, body: bytes, path: str = TEAMS, **extra: Any) -> Any:
    return client.generic("POST", path, body, content_type="application/json", **extra)


def assert_error(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/json"
    body: dict[str, Any] = json.loads(answer.content)
    assert body.keys() == {"code", "message", "details"}
    return body


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"[]", 400),
        (b"[1, 2]", 400),
        (b'"text"', 400),
        (b"null", 400),
        (b"17", 400),
        (b"true", 400),
        (b'{"slug": NaN, "name": "x"}', 400),
        (b'{"slug": "a", "slug": "b", "name": "x"}', 400),
        (b'{"slug": "\xff\xfe", "name": "x"}', 400),
        (b'\xef\xbb\xbf{"slug": "a", "name": "x"}', 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
        (b'{"name": "x", "slug": ' + b"[" * 70 + b"]" * 70 + b"}", 400),
        (b'{"slug": "a", "name": ' + b"9" * 5_000 + b"}", 400),
        (b'{"slug": "a", "name": ' + b"9" * 30 + b"}", 422),
        (b'{"slug": "a", "name": 1e999}', 422),
        (b'{"slug": "a", "name": "a\\u0000b"}', 422),
        (b'{"slug": "a", "name": "\\ud800"}', 422),
        (b'{"slug": "a", "name": "x", "\\ud800": 1}', 422),
        (b'{"slug": "a", "name": "' + b"x" * 100_000 + b'"}', 422),
        (b'{"slug": "' + "é".encode() * 10 + b'", "name": "x"}', 422),
        (b"{}", 422),
    ],
    ids=lambda value: str(value[:30]) if isinstance(value, bytes) else str(value),
)
def test_a_hostile_body_gets_the_error_shape(client_of_admin: APIClient, body: bytes, status: int) -> None:
    assert_error(send(client_of_admin, body), status)


@pytest.mark.parametrize("wrong", [None, True, 0, -1, 1.5, "", " ", [], {}, [1], {"a": 1}, "x" * 500, "\u202e", 2**62])
@pytest.mark.parametrize("field", ["slug", "name"])
def test_no_type_in_any_field_breaks_the_server(client_of_admin: APIClient, field: str, wrong: object) -> None:
    body = {"slug": "fine", "name": "Fine"} | {field: wrong}
    assert client_of_admin.post(TEAMS, body).status_code in (201, 422)


def test_a_body_past_the_limit_is_413(client_of_admin: APIClient) -> None:
    body = b'{"name": "' + b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + b'"}'
    assert "too large" in assert_error(send(client_of_admin, body), 413)["message"]


def send_unannounced(admin: User, body: bytes) -> Any:
    """As a server hands over a chunked request: a stream, and no Content-Length."""
    headers = [
        (b"content-type", b"application/json"),
        (b"authorization", f"Token {token_for(admin)[1]}".encode()),
        (b"transfer-encoding", b"chunked"),
    ]
    request = ASGIRequest({"type": "http", "method": "POST", "path": TEAMS, "headers": headers}, BytesIO(body))
    return Teams.as_view({"post": "create"})(request).render()


def test_a_body_past_the_limit_whose_length_was_not_announced_is_413(admin: User) -> None:
    body = b'{"name": "' + b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + b'"}'
    assert_error(send_unannounced(admin, body), 413)


def test_a_chunked_body_within_the_limit_is_read(admin: User) -> None:
    answer = send_unannounced(admin, b'{"slug": "chunked", "name": "Chunked"}')
    assert (answer.status_code, json.loads(answer.content)["slug"]) == (201, "chunked")


def test_another_content_type_is_415(client_of_admin: APIClient) -> None:
    answer = client_of_admin.generic("POST", TEAMS, b"slug=a&name=b", content_type="application/x-www-form-urlencoded")
    assert_error(answer, 415)


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/v1/", "/api/v2/teams", "/api", "/api/", "/api/v1/teams/", "/api/v1/users/x/y/z"]
)
def test_an_address_that_is_none_is_404_in_the_error_shape(client_of_admin: APIClient, path: str) -> None:
    assert_error(client_of_admin.get(path), 404)


def test_an_unknown_address_is_404_for_a_post_without_csrf_token_too(db: None) -> None:
    assert_error(Client(enforce_csrf_checks=True).post("/api/v1/nothing"), 404)


@pytest.mark.parametrize("noun", ["users", "teams", "tokens"])
@pytest.mark.parametrize("identifier", ["x", "0", "null", "%00", "%ff", "a" * 3000, "{}", "..%2f", "é", "1e9", "-"])
def test_a_malformed_id_is_404(client_of_admin: APIClient, noun: str, identifier: str) -> None:
    method = client_of_admin.delete if noun == "tokens" else client_of_admin.get
    assert_error(method(f"/api/v1/{noun}/{identifier}"), 404)


def test_a_method_that_is_none_is_405(client_of_admin: APIClient) -> None:
    answer = client_of_admin.delete(TEAMS)
    assert_error(answer, 405)
    assert "POST" in answer["Allow"]


def test_without_credentials_everything_is_401(api: APIClient) -> None:
    for path in ("users", "users/me", "teams", "tokens", "teams/x/members"):
        assert_error(api.get(f"/api/v1/{path}"), 401)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("q=%00", 422),
        ("%00=1", 422),
        ("role=king", 422),
        ("ordering=password", 422),
        ("ordering=-password", 422),
        ("cursor=%00", 422),
        ("cursor=nonsense", 404),
        ("cursor=cD0lMDA%3D", 422),
        ("cursor=cD14", 422),
        ("limit=99999999999999999999", 200),
        ("limit=-1", 200),
        ("is_active=maybe", 200),
    ],
)
def test_no_query_breaks_a_list(client_of_admin: APIClient, query: str, status: int) -> None:
    answer = client_of_admin.get(f"/api/v1/users?{query}")
    assert answer.status_code == status, answer.content


def test_a_bug_is_a_500_in_the_error_shape_without_its_cause(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(actor: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("accounts.policies.visible_teams", broken)
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Token {token_for(admin)[1]}")

    body = assert_error(client.get(TEAMS), 500)

    assert "secret" not in json.dumps(body)
    assert body["details"]["request_id"]


def test_a_read_has_an_etag_and_is_304_to_whoever_has_it(client_of_admin: APIClient, team: Team) -> None:
    first = client_of_admin.get(f"{TEAMS}/{team.slug}")

    again = client_of_admin.get(f"{TEAMS}/{team.pk}", HTTP_IF_NONE_MATCH=first["ETag"])

    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("wrap", ["{}", "W/{}", '"other", {}', "*"])
def test_a_change_of_what_was_read_is_made(client_of_admin: APIClient, team: Team, wrap: str) -> None:
    etag = client_of_admin.get(f"{TEAMS}/{team.pk}")["ETag"]
    if wrap == "*":
        etag, wrap = "*", "{}"

    answer = client_of_admin.patch(f"{TEAMS}/{team.pk}", {"name": "New"}, HTTP_IF_MATCH=wrap.format(etag))

    assert answer.status_code == 200
    assert answer["ETag"] == client_of_admin.get(f"{TEAMS}/{team.pk}")["ETag"] != etag


@pytest.mark.parametrize("stale", ['"0123"', "nonsense", ""])
def test_a_change_of_what_was_changed_since_is_412_and_not_made(
    client_of_admin: APIClient, team: Team, stale: str
) -> None:
    answer = client_of_admin.patch(f"{TEAMS}/{team.pk}", {"name": "New"}, HTTP_IF_MATCH=stale)

    current = client_of_admin.get(f"{TEAMS}/{team.pk}")
    assert assert_error(answer, 412)["details"]["etag"] == current["ETag"]
    assert current.json()["name"] == "Payments"


def test_what_is_made_says_where_it_is(client_of_admin: APIClient) -> None:
    made = client_of_admin.post(TEAMS, {"slug": "web", "name": "Web"})

    read = client_of_admin.get(made["Location"])

    assert (read.json(), read["ETag"]) == (made.json(), made["ETag"])


def test_lists_come_in_pages_without_gap_or_repetition(client_of_admin: APIClient, db: None) -> None:
    for number in range(7):
        client_of_admin.post(TEAMS, {"slug": f"team-{number}", "name": "Same"})
    seen, path = [], f"{TEAMS}?limit=3&ordering=name"
    while path:
        page = client_of_admin.get(path).json()
        seen += [each["slug"] for each in page["results"]]
        path = page["next"]
    assert sorted(seen) == [f"team-{number}" for number in range(7)]
