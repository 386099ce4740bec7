"""Tokens for automation: limited, expiring, revocable at once."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import ApiToken, User
from audit.models import Event
from tests.accounts.conftest import As

pytestmark = pytest.mark.django_db
TOKENS = "/api/v1/tokens"


def body(*scopes: str, days: float = 30, **fields: Any) -> dict[str, Any]:
    ends = timezone.now() + timedelta(days=days)
    return {"name": "ci", "scopes": list(scopes) or ["releases:write"], "expires_at": ends.isoformat()} | fields


def with_token(text: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {text}")
    return client


def test_a_token_is_shown_once_and_then_listed_without_its_text(as_user: As, deployer: User) -> None:
    client = as_user(deployer)
    issued = client.post(TOKENS, body("releases:write", "audit:read"))

    assert issued.status_code == 201
    assert with_token(issued.json()["token"]).get("/api/v1/users/me").status_code == 200
    listed = client.get(TOKENS).json()["results"]
    mine = next(each for each in listed if each["id"] == issued.json()["id"])
    assert (mine["name"], mine["scopes"]) == ("ci", ["audit:read", "releases:write"])
    assert issued.json()["token"] not in str(listed)
    assert Event.objects.get(action="token.issued").data["name"] == "ci"


@pytest.mark.parametrize(
    "fields",
    [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": "releases:write"},
        {"scopes": [1, None, {}]},
        {"scopes": None},
        {"scopes": ["releases:write"] * 50},
        {"expires_at": None},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "9999-12-31T23:59:59Z"},
        {"expires_at": "0001-01-01T00:00:00+14:00"},
        {"expires_at": "soon"},
        {"expires_at": 1e18},
        {"expires_at": []},
        {"name": ""},
        {"name": "x" * 101},
        {"name": ["a"]},
    ],
)
def test_a_token_that_cannot_be_is_422(as_user: As, deployer: User, fields: dict[str, Any]) -> None:
    assert as_user(deployer).post(TOKENS, body(**fields)).status_code == 422
    assert ApiToken.objects.filter(name="ci").count() == 0


def test_a_token_must_end_within_a_year(as_user: As, deployer: User) -> None:
    assert as_user(deployer).post(TOKENS, body(days=365)).status_code == 201
    assert as_user(deployer).post(TOKENS, body(days=367)).status_code == 422
    assert as_user(deployer).post(TOKENS, {"name": "ci", "scopes": ["audit:read"]}).status_code == 422


def test_a_viewer_gets_tokens_that_read_only(as_user: As, viewer: User) -> None:
    refused = as_user(viewer).post(TOKENS, body("releases:write"))
    assert refused.status_code == 403
    assert refused.json()["details"]["permission"] == "releases:write"
    assert as_user(viewer).post(TOKENS, body("releases:read")).status_code == 201


def test_a_token_gives_away_no_more_than_it_has(as_user: As, deployer: User) -> None:
    client = as_user(deployer, "releases:write", "audit:read")
    assert client.post(TOKENS, body("releases:read", days=0.5)).status_code == 201
    for scopes in (["deployments:read"], ["audit:write"], ["releases:write", "admin:read"]):
        assert client.post(TOKENS, body(*scopes, days=0.5)).status_code == 403


def test_a_token_cannot_outlive_the_one_that_issues_it(as_user: As, deployer: User) -> None:
    client = as_user(deployer, "releases:write")
    refused = client.post(TOKENS, body("releases:read", days=2))
    assert refused.status_code == 422
    assert "outlive" in refused.json()["message"]


def test_a_token_ends_with_the_one_that_issued_it(as_user: As, deployer: User) -> None:
    parent = as_user(deployer).post(TOKENS, body("releases:write")).json()
    child = with_token(parent["token"]).post(TOKENS, body("releases:read", days=1)).json()
    grandchild = with_token(child["token"]).post(TOKENS, body("releases:read", days=0.5)).json()

    as_user(deployer).delete(f"{TOKENS}/{parent['id']}")

    for each in (parent, child, grandchild):
        assert with_token(each["token"]).get("/api/v1/users/me").status_code == 401


def test_a_token_issued_after_a_login_outlives_the_login(as_user: As, deployer: User) -> None:
    client = as_user(deployer)
    issued = client.post(TOKENS, body()).json()
    client.post("/api/v1/auth/logout")
    assert with_token(issued["token"]).get("/api/v1/users/me").status_code == 200


def test_a_revoked_token_is_refused_by_its_next_request(as_user: As, deployer: User) -> None:
    owner = as_user(deployer)
    issued = owner.post(TOKENS, body()).json()
    automation = with_token(issued["token"])
    assert automation.get("/api/v1/users/me").status_code == 200

    assert owner.delete(f"{TOKENS}/{issued['id']}").status_code == 204

    assert automation.get("/api/v1/users/me").status_code == 401
    assert owner.delete(f"{TOKENS}/{issued['id']}").status_code == 404


def test_nobody_sees_or_revokes_the_tokens_of_others(as_user: As, deployer: User, admin: User) -> None:
    issued = as_user(deployer).post(TOKENS, body()).json()
    administrator = as_user(admin)
    assert [each["name"] for each in administrator.get(TOKENS).json()["results"]] == ["test"]
    assert administrator.delete(f"{TOKENS}/{issued['id']}").status_code == 404


def test_a_token_for_automation_neither_revokes_nor_changes_the_password(as_user: As, deployer: User) -> None:
    issued = as_user(deployer).post(TOKENS, body()).json()
    automation = as_user(deployer, "releases:write", "admin:read")
    assert automation.delete(f"{TOKENS}/{issued['id']}").status_code == 403
    change = {"current_password": "correct horse battery", "new_password": "something else entirely"}
    assert automation.post("/api/v1/users/me/password", change).status_code == 403


def test_a_token_cannot_do_what_its_scopes_leave_out(as_user: As, admin: User) -> None:
    team = {"slug": "web", "name": "Web"}
    for scopes in (["releases:write"], ["admin:read"], ["deployments:write", "audit:write"]):
        assert as_user(admin, *scopes).post("/api/v1/teams", team).status_code == 403
    assert as_user(admin, "admin:write").post("/api/v1/teams", team).status_code == 201


def test_without_the_admin_scope_a_token_sees_its_owner_only(as_user: As, admin: User, deployer: User) -> None:
    client = as_user(admin, "releases:write")
    assert [each["email"] for each in client.get("/api/v1/users").json()["results"]] == [admin.email]
    assert client.get("/api/v1/teams").json()["results"] == []


def test_changing_the_password_ends_logins_and_keeps_automation(as_user: As, deployer: User) -> None:
    here, elsewhere, automation = as_user(deployer), as_user(deployer), as_user(deployer, "audit:read")
    change = {"current_password": "correct horse battery", "new_password": "something else entirely"}

    assert here.post("/api/v1/users/me/password", change).status_code == 204

    statuses = [client.get("/api/v1/users/me").status_code for client in (here, elsewhere, automation)]
    assert statuses == [200, 401, 200]


def test_times_are_rfc_3339_in_utc(as_user: As, deployer: User) -> None:
    issued = as_user(deployer).post(TOKENS, body(expires_at=(timezone.now() + timedelta(days=1)).isoformat()))
    for name in ("created_at", "expires_at"):
        assert issued.json()[name].endswith("Z")
        assert datetime.fromisoformat(issued.json()[name]).utcoffset() == timedelta(0)
