"""Logging in and out over the API, and who one is then."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import ApiToken, User
from audit.models import Event
from tests.accounts.conftest import As, token_for
from tests.factories import PASSWORD, application

pytestmark = pytest.mark.django_db
LOGIN = "/api/v1/auth/login"
ME = "/api/v1/users/me"


def test_login_by_email_answers_a_token_that_works(api: APIClient, deployer: User) -> None:
    answer = api.post(LOGIN, {"email": "Deployer@Example.com", "password": PASSWORD})

    assert answer.status_code == 200
    assert answer.json().keys() == {"token", "expires_at", "user"}
    assert answer.json()["user"]["email"] == deployer.email
    api.credentials(HTTP_AUTHORIZATION=f"Token {answer.json()['token']}")
    assert api.get(ME).json()["id"] == str(deployer.pk)


@pytest.mark.parametrize("login", ["deployer", "DEPLOYER", "deployer@example.com"])
def test_username_may_be_the_short_name_or_the_email_in_any_case(api: APIClient, deployer: User, login: str) -> None:
    assert api.post(LOGIN, {"username": login, "password": PASSWORD}).status_code == 200


def test_the_token_is_stored_as_a_digest_only(api: APIClient, deployer: User) -> None:
    text = api.post(LOGIN, {"email": deployer.email, "password": PASSWORD}).json()["token"]
    row = ApiToken.objects.get(user=deployer)
    assert text not in str(vars(row))


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("deployer@example.com", "wrong"),
        ("nobody@example.com", PASSWORD),
        ("deployer@example.com", "x" * 10_000),
        ("x" * 10_000, PASSWORD),
        ("deployer@example.com", f" {PASSWORD} "),
    ],
)
def test_wrong_credentials_are_401_without_saying_what_was_wrong(
    api: APIClient, deployer: User, login: str, password: str
) -> None:
    answer = api.post(LOGIN, {"email": login, "password": password})

    assert answer.status_code == 401
    assert answer.json()["message"] == "This login or password is wrong. Check both and try again."
    assert answer["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize(
    "body",
    [{}, {"email": "a@b.c"}, {"password": "x"}, {"email": "a@b.c", "username": "a", "password": "x"}],
)
def test_an_incomplete_login_is_422(api: APIClient, db: None, body: dict[str, str]) -> None:
    assert api.post(LOGIN, body).status_code == 422


def test_a_person_without_password_cannot_log_in_until_one_is_set(api: APIClient, as_user: As, admin: User) -> None:
    administrator = as_user(admin)
    body = {"email": "new@example.com", "name": "New", "role": "engineer"}
    made = administrator.post("/api/v1/users", body)
    assert made.status_code == 201
    for guess in ("x", "!", "None"):
        assert api.post(LOGIN, {"email": "new@example.com", "password": guess}).status_code == 401

    set_to = administrator.post(f"/api/v1/users/{made.json()['id']}/password", {"password": PASSWORD})

    assert set_to.status_code == 204
    assert api.post(LOGIN, {"email": "new@example.com", "password": PASSWORD}).status_code == 200


def test_a_deactivated_person_is_told_the_same_as_one_with_a_wrong_password(api: APIClient, deployer: User) -> None:
    User.objects.filter(pk=deployer.pk).update(is_active=False)
    assert api.post(LOGIN, {"email": deployer.email, "password": PASSWORD}).status_code == 401


def test_logins_and_failures_are_on_record(api: APIClient, deployer: User) -> None:
    api.post(LOGIN, {"email": deployer.email, "password": "wrong"})
    api.post(LOGIN, {"email": deployer.email, "password": PASSWORD})

    failed, worked = Event.objects.filter(action__startswith="user.log").order_by("sequence")
    assert (failed.action, failed.resource_label, failed.ip) == ("user.login_failed", deployer.email, "127.0.0.1")
    assert (worked.action, worked.user) == ("user.logged_in", deployer)


def test_a_password_in_the_wrong_field_is_not_put_on_record(api: APIClient, deployer: User) -> None:
    api.post(LOGIN, {"username": PASSWORD, "password": "deployer"})
    assert PASSWORD not in str(list(Event.objects.values()))


def test_logout_ends_the_token_in_use_and_no_other(as_user: As, deployer: User) -> None:
    one, other = as_user(deployer), as_user(deployer)

    assert one.post("/api/v1/auth/logout").status_code == 204

    assert one.get(ME).status_code == 401
    assert other.get(ME).status_code == 200


def test_logout_of_a_session_ends_it(deployer: User) -> None:
    client = APIClient()
    client.force_login(deployer)

    assert client.post("/api/v1/auth/logout").status_code == 204

    assert client.get(ME).status_code == 401


def test_a_change_by_session_needs_the_csrf_token(deployer: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(deployer)

    answer = client.post("/api/v1/auth/logout")

    assert answer.status_code == 403
    assert "CSRF" in answer.json()["message"]
    assert client.get(ME).status_code == 200


@pytest.mark.parametrize(
    "header", ["Token", "Token x", "Token x y", "Token \xff\xfe", "Bearer x", "Token " + "x" * 9000]
)
def test_a_token_that_is_none_is_401(api: APIClient, db: None, header: str) -> None:
    answer = api.get(ME, HTTP_AUTHORIZATION=header)
    assert answer.status_code == 401
    assert answer.json().keys() == {"code", "message", "details"}


def test_an_expired_token_is_refused_at_its_second(api: APIClient, deployer: User) -> None:
    token, text = token_for(deployer, "releases:read")
    api.credentials(HTTP_AUTHORIZATION=f"Token {text}")
    assert token.expiry is not None
    with time_machine.travel(token.expiry - timedelta(seconds=1), tick=False):
        assert api.get(ME).status_code == 200
    with time_machine.travel(token.expiry, tick=False):
        assert api.get(ME).status_code == 401


def test_a_login_purges_the_expired_tokens_of_the_person(api: APIClient, deployer: User) -> None:
    token_for(deployer, days=-1)
    api.post(LOGIN, {"email": deployer.email, "password": PASSWORD})
    assert ApiToken.objects.get(user=deployer).expiry > timezone.now()


def test_the_use_of_a_token_is_noted_once_a_minute(
    api: APIClient, deployer: User, django_assert_num_queries: object
) -> None:
    token, text = token_for(deployer, "releases:read")
    api.credentials(HTTP_AUTHORIZATION=f"Token {text}")
    api.get(ME)
    first = ApiToken.objects.get(pk=token.pk).last_used_at
    api.get(ME)
    assert first is not None
    assert ApiToken.objects.get(pk=token.pk).last_used_at == first


def test_me_tells_role_teams_and_effective_permissions(as_user: As, deployer: User) -> None:
    app = application(deployer.memberships.get().team)

    me = as_user(deployer).get(ME).json()

    assert me["role"] == "engineer"
    assert [(team["slug"], team["role"]) for team in me["teams"]] == [("payments", "member")]
    assert me["permissions"]["deploy_application"] == [str(app.pk)]
    assert me["scopes"] is None


def test_what_me_tells_of_a_viewer_and_of_a_narrow_token_is_only_what_they_can_use(
    as_user: As, deployer: User, viewer: User, admin: User
) -> None:
    application(deployer.memberships.get().team)

    assert as_user(viewer).get(ME).json()["permissions"].keys() == {"view_application"}
    narrow = as_user(deployer, "releases:read").get(ME).json()
    assert narrow["permissions"].keys() == {"view_application"}
    assert narrow["scopes"] == ["releases:read"]
    assert as_user(admin).get(ME).json()["permissions"]["administer"] == "all"
    assert "administer" not in as_user(admin, "releases:write").get(ME).json()["permissions"]
