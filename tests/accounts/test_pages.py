"""The pages of accounts: login, profile, password, tokens, people, teams."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import ApiToken, Membership, Team, User
from tests.factories import PASSWORD, join

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/login"


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text(answer: object) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())  # type: ignore[attr-defined]


def test_login_leads_to_the_page_one_wanted(client: Client, deployer: User) -> None:
    answer = client.post(LOGIN, {"login": "deployer", "password": PASSWORD, "next": "/accounts/profile"})

    assert (answer.status_code, answer["Location"]) == (302, "/accounts/profile")
    assert "Deployer" in text(client.get("/accounts/profile"))


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "\\\\evil", ""]
)
def test_login_never_leads_to_another_site(client: Client, deployer: User, elsewhere: str) -> None:
    answer = client.post(LOGIN, {"login": "deployer", "password": PASSWORD, "next": elsewhere})
    assert answer["Location"] == "/"


@pytest.mark.parametrize(
    ("login", "password", "status"),
    [
        ("deployer", "wrong", 401),
        ("nobody", PASSWORD, 401),
        ("", "", 422),
        ("deployer\x00", PASSWORD, 422),
        ("x" * 10_000, PASSWORD, 422),
        ("deployer", "x" * 10_000, 422),
        ("' OR 1=1 --", "x", 401),
    ],
)
def test_a_login_that_fails_says_so_and_opens_nothing(
    client: Client, deployer: User, login: str, password: str, status: int
) -> None:
    answer = client.post(LOGIN, {"login": login, "password": password})

    assert answer.status_code == status
    assert 'role="alert"' in text(answer) or "field-error" in text(answer)
    assert client.get("/accounts/profile").status_code == 302


def test_a_login_needs_the_csrf_token(deployer: User) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post(LOGIN, {"login": "deployer", "password": PASSWORD})
    assert answer.status_code == 403
    assert "no longer valid" in text(answer)


@pytest.mark.parametrize(("environment", "shown"), [("development", True), ("production", False), ("staging", False)])
def test_the_development_login_is_told_in_development_only(
    client: Client, settings: object, db: None, environment: str, shown: bool
) -> None:
    settings.ENVIRONMENT = environment  # type: ignore[attr-defined]
    assert ("admin123" in text(client.get(LOGIN))) is shown


def test_logout_takes_a_post_and_ends_the_session(deployer: User) -> None:
    client = logged_in(deployer)
    assert client.get("/accounts/logout").status_code == 405

    client.post("/accounts/logout")

    assert client.get("/accounts/profile").status_code == 302


def test_the_admin_login_is_ours(client: Client, deployer: User, admin: User) -> None:
    answer = client.get("/admin/", follow=True)
    assert answer.redirect_chain[-1][0] == "/accounts/login?next=%2Fadmin%2F"

    assert logged_in(deployer).get("/admin/", follow=True).status_code == 403
    assert logged_in(admin).get("/admin/").status_code == 200


def test_changing_the_password_keeps_this_session_and_ends_the_others(deployer: User) -> None:
    here, elsewhere = logged_in(deployer), logged_in(deployer)
    new = "a brand new secret"

    answer = here.post(
        "/accounts/password", {"current_password": PASSWORD, "new_password": new, "repeated": new}, follow=True
    )

    assert "logged out everywhere else" in text(answer)
    assert here.get("/accounts/profile").status_code == 200
    assert elsewhere.get("/accounts/profile").status_code == 302
    assert Client().post(LOGIN, {"login": "deployer", "password": new}).status_code == 302


@pytest.mark.parametrize(
    ("current", "new", "repeated", "sentence"),
    [
        ("wrong", "a brand new secret", "a brand new secret", "not your current password"),
        (PASSWORD, "short", "short", "too short"),
        (PASSWORD, "a brand new secret", "another one here", "differ"),
        (PASSWORD, "12345678901234", "12345678901234", "numeric"),
        (PASSWORD, "", "", "required"),
    ],
)
def test_a_password_change_that_is_refused_says_why(
    deployer: User, current: str, new: str, repeated: str, sentence: str
) -> None:
    fields = {"current_password": current, "new_password": new, "repeated": repeated}
    answer = logged_in(deployer).post("/accounts/password", fields)

    assert answer.status_code == 422
    assert sentence in text(answer)
    assert User.objects.get(pk=deployer.pk).check_password(PASSWORD)


def test_a_new_token_is_shown_once_and_works(deployer: User) -> None:
    client = logged_in(deployer)
    last_day = (timezone.now() + timedelta(days=30)).date().isoformat()

    answer = client.post("/accounts/tokens/issue", {"name": "ci", "scopes": ["releases:write"], "expires_on": last_day})

    shown = re.search(r'id="issued-token">([^<]+)<', text(answer))
    assert shown is not None
    assert shown[1] not in text(client.get("/accounts/tokens"))
    me = Client().get("/api/v1/users/me", headers={"Authorization": f"Token {shown[1]}"})
    assert me.json()["scopes"] == ["releases:write"]


@pytest.mark.parametrize(
    "fields",
    [
        {"scopes": ["releases:write"], "expires_on": "2020-01-01"},
        {"scopes": ["releases:write"], "expires_on": "2999-01-01"},
        {"scopes": ["releases:write"], "expires_on": "tomorrow"},
        {"scopes": ["everything"], "expires_on": "2027-01-01"},
        {"scopes": [], "expires_on": "2027-01-01"},
        {"scopes": ["releases:write"], "expires_on": "2027-01-01", "name": "x" * 200},
    ],
)
def test_a_token_that_cannot_be_is_refused_on_the_form(deployer: User, fields: dict[str, object]) -> None:
    answer = logged_in(deployer).post("/accounts/tokens/issue", {"name": "ci"} | fields)
    assert answer.status_code == 422
    assert not ApiToken.objects.exists()


def test_a_revoked_token_is_refused_at_once(deployer: User) -> None:
    client = logged_in(deployer)
    last_day = (timezone.now() + timedelta(days=30)).date().isoformat()
    answer = client.post("/accounts/tokens/issue", {"name": "ci", "scopes": ["audit:read"], "expires_on": last_day})
    shown = re.search(r'id="issued-token">([^<]+)<', text(answer))
    assert shown is not None

    client.post(f"/accounts/tokens/{ApiToken.objects.get().public_id}/revoke")

    assert Client().get("/api/v1/users/me", headers={"Authorization": f"Token {shown[1]}"}).status_code == 401


def test_an_administrator_adds_edits_deactivates_and_activates_a_person(admin: User) -> None:
    client = logged_in(admin)
    fields = {"email": "Ada@Example.com", "username": "Ada", "name": "Ada", "role": "engineer", "password": PASSWORD}
    assert client.post("/accounts/people/new", fields).status_code == 302
    ada = User.objects.get(email="ada@example.com")
    theirs = Client()
    assert theirs.post(LOGIN, {"login": "ada", "password": PASSWORD}).status_code == 302

    changed = {"email": ada.email, "username": "", "name": "Ada L.", "role": "viewer"}
    assert client.post(f"/accounts/people/{ada.pk}/edit", changed).status_code == 302
    ada.refresh_from_db()
    assert (ada.name, ada.role, ada.username) == ("Ada L.", "viewer", None)

    assert client.post(f"/accounts/people/{ada.pk}/deactivate").status_code == 302
    assert theirs.get("/accounts/profile").status_code == 302

    assert client.post(f"/accounts/people/{ada.pk}/activate").status_code == 302
    assert theirs.get("/accounts/profile").status_code == 302
    assert theirs.post(LOGIN, {"login": ada.email, "password": PASSWORD}).status_code == 302


def test_an_address_that_somebody_has_is_refused_on_the_form(admin: User, deployer: User) -> None:
    fields = {"email": "DEPLOYER@example.com", "name": "Double", "role": "viewer"}
    answer = logged_in(admin).post("/accounts/people/new", fields)
    assert answer.status_code == 409
    assert "Somebody else has the email address" in text(answer)


def test_an_administrator_sets_a_password(admin: User, deployer: User) -> None:
    new = "handed over on paper"
    answer = logged_in(admin).post(f"/accounts/people/{deployer.pk}/password", {"password": new})
    assert answer.status_code == 302
    assert Client().post(LOGIN, {"login": "deployer", "password": new}).status_code == 302


def test_people_are_found_by_filter_and_as_a_partial(admin: User, deployer: User, viewer: User) -> None:
    client = logged_in(admin)

    found = client.get("/accounts/people?q=deploy", headers={"HX-Request": "true"})

    assert "deployer@example.com" in text(found)
    assert "viewer@example.com" not in text(found)
    assert "<html" not in text(found)
    assert "viewer@example.com" in text(client.get("/accounts/people?role=viewer"))
    assert client.get("/accounts/people?cursor=nonsense").status_code == 400


def test_a_team_is_made_filled_and_emptied(admin: User, deployer: User) -> None:
    client = logged_in(admin)
    assert client.post("/accounts/teams/new", {"slug": "web", "name": "Web"}).status_code == 302
    assert client.post("/accounts/teams/web/members/add", {"user": deployer.email, "role": "member"}).status_code == 302
    group = Team.objects.get(slug="web").group
    assert group in deployer.groups.all()

    client.post(f"/accounts/teams/web/members/{deployer.pk}/role", {"role": "maintainer"})
    assert Membership.objects.get(team__slug="web").role == "maintainer"

    client.post(f"/accounts/teams/web/members/{deployer.pk}/remove")
    assert not Membership.objects.filter(team__slug="web").exists()
    assert group not in deployer.groups.all()

    assert client.post("/accounts/teams/web/edit", {"slug": "web-shop", "name": "Web"}).status_code == 302
    assert client.get("/accounts/teams/web-shop").status_code == 200


@pytest.mark.parametrize("user", ["nobody@example.com", "", "x" * 300, "not an address"])
def test_adding_somebody_who_is_not_there_is_refused_on_the_form(admin: User, team: Team, user: str) -> None:
    answer = logged_in(admin).post(f"/accounts/teams/{team.slug}/members/add", {"user": user, "role": "member"})
    assert answer.status_code == 422
    assert "field-error" in text(answer)


def test_a_maintainer_manages_the_own_team_and_no_other(team: Team, outsider: User, approver: User) -> None:
    maintainer = User.objects.create(email="m@example.com", name="M", role="engineer")
    join(maintainer, team, role="maintainer")
    client = logged_in(maintainer)

    added = client.post(f"/accounts/teams/{team.slug}/members/add", {"user": outsider.email, "role": "member"})

    assert added.status_code == 302
    assert client.get("/accounts/teams/others").status_code == 404
    assert client.get("/accounts/teams/new").status_code == 403
    assert client.get("/accounts/people/new").status_code == 403
    assert logged_in(approver).post(f"/accounts/teams/{team.slug}/members/add", {}).status_code == 403


@pytest.mark.parametrize(
    "path", ["profile", "password", "tokens", "people", "people/new", "teams", "teams/new", "teams/payments"]
)
def test_every_page_sends_a_visitor_to_the_login_and_renders_for_an_administrator(
    client: Client, admin: User, team: Team, path: str
) -> None:
    visitor = client.get(f"/accounts/{path}")
    assert (visitor.status_code, visitor["Location"]) == (302, f"/accounts/login?next=/accounts/{path}")
    assert logged_in(admin).get(f"/accounts/{path}").status_code == 200


@pytest.mark.parametrize("name", ["%00", "nothing", "é", "a" * 500])
def test_an_address_that_names_nothing_is_404(admin: User, name: str) -> None:
    client = logged_in(admin)
    for path in (f"teams/{name}", f"people/{name}/edit", f"teams/{name}/edit"):
        assert client.get(f"/accounts/{path}").status_code == 404
    assert client.post(f"/accounts/tokens/{name}/revoke").status_code == 404


def test_lists_cost_the_same_however_long(admin: User, team: Team, django_assert_max_num_queries: object) -> None:
    for number in range(15):
        join(User.objects.create(email=f"p{number}@example.com", name=f"P{number}", role="engineer"), team)
    client = logged_in(admin)
    for path in ("people", "teams", f"teams/{team.slug}", "tokens", "profile"):
        with django_assert_max_num_queries(8):  # type: ignore[operator]
            assert client.get(f"/accounts/{path}").status_code == 200


@pytest.mark.parametrize("model", ["user", "team", "apitoken", "failedlogin"])
def test_the_admin_shows_and_does_not_edit(admin: User, deployer: User, model: str) -> None:
    client = logged_in(admin)
    assert client.get(f"/admin/accounts/{model}/").status_code == 200
    assert client.get(f"/admin/accounts/{model}/add/").status_code == 403
    if model == "user":
        page = client.get(f"/admin/accounts/user/{deployer.pk}/change/")
        assert page.status_code == 200
        assert deployer.password not in text(page)


def test_the_admin_action_deactivates_through_the_service(admin: User, deployer: User) -> None:
    action = {"action": "deactivate", "_selected_action": [str(deployer.pk), str(admin.pk)]}
    answer = logged_in(admin).post("/admin/accounts/user/", action, follow=True)
    assert "last active administrator" in text(answer)
    assert set(User.objects.filter(is_active=True)) == {admin}
