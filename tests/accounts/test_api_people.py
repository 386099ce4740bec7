"""People and teams over the API: who may do what, and what then is true."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connections
from django.test import Client
from rest_framework.test import APIClient

from accounts import services
from accounts.models import Membership, Team, User
from audit.models import Event
from releasemgr.core.errors import WrongState
from tests import factories
from tests.accounts.conftest import As, token_for
from tests.factories import PASSWORD, application, join

pytestmark = pytest.mark.django_db
USERS, TEAMS = "/api/v1/users", "/api/v1/teams"
NEW_PERSON = {"email": "ada@example.com", "name": "Ada", "role": "engineer"}
PEOPLE = ("anonymous", "viewer", "deployer", "outsider", "maintainer", "admin")


@pytest.fixture
def maintainer(team: Team) -> User:
    person = factories.user("maintainer")
    join(person, team, role="maintainer")
    return person


@pytest.fixture(params=["token", "session"])
def by(request: pytest.FixtureRequest, as_user: As) -> Any:
    """`by(name)`: a client of that person, once with a token and once with a session."""

    def client(name: str) -> APIClient:
        if name == "anonymous":
            return APIClient()
        person = request.getfixturevalue(name)
        if request.param == "token":
            return as_user(person)
        made = APIClient()
        made.force_login(person)
        return made

    return client


MATRIX = [
    # what, path, body, then the status for each of PEOPLE
    ("GET", "users", None, (401, 200, 200, 200, 200, 200)),
    ("GET", "users/me", None, (401, 200, 200, 200, 200, 200)),
    ("GET", "users/{approver}", None, (401, 200, 200, 404, 200, 200)),
    ("POST", "users", NEW_PERSON, (401, 403, 403, 403, 403, 201)),
    ("PATCH", "users/{approver}", {"name": "N"}, (401, 403, 403, 404, 403, 200)),
    ("POST", "users/{approver}/password", {"password": "a long enough one"}, (401, 403, 403, 404, 403, 204)),
    ("GET", "teams", None, (401, 200, 200, 200, 200, 200)),
    ("GET", "teams/payments", None, (401, 200, 200, 404, 200, 200)),
    ("POST", "teams", {"slug": "web", "name": "Web"}, (401, 403, 403, 403, 403, 201)),
    ("PATCH", "teams/payments", {"name": "N"}, (401, 403, 403, 404, 200, 200)),
    ("GET", "teams/payments/members", None, (401, 200, 200, 404, 200, 200)),
    ("POST", "teams/payments/members", {"user": "loner@example.com"}, (401, 403, 403, 404, 201, 201)),
    ("PATCH", "teams/payments/members/{approver}", {"role": "maintainer"}, (401, 403, 403, 404, 200, 200)),
    ("DELETE", "teams/payments/members/{approver}", None, (401, 403, 403, 404, 204, 204)),
    ("GET", "tokens", None, (401, 200, 200, 200, 200, 200)),
]


@pytest.mark.parametrize(("method", "path", "body", "statuses"), MATRIX, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("name", PEOPLE)
def test_who_may_do_what(
    by: Any, approver: User, name: str, method: str, path: str, body: object, statuses: tuple[int, ...]
) -> None:
    factories.user("loner")
    address = f"/api/v1/{path.format(approver=approver.pk)}"

    answer = by(name).generic(method, address) if body is None else getattr(by(name), method.lower())(address, body)

    assert answer.status_code == statuses[PEOPLE.index(name)], answer.content
    if answer.status_code == 403:
        assert answer.json()["details"]["permission"] == "admin"


def test_people_see_their_team_mates_and_administrators_everybody(
    as_user: As, deployer: User, approver: User, outsider: User, admin: User
) -> None:
    def seen(client: APIClient) -> set[str]:
        return {each["email"].split("@")[0] for each in client.get(USERS).json()["results"]}

    assert seen(as_user(deployer)) == {"deployer", "approver"}
    assert seen(as_user(outsider)) == {"outsider"}
    assert seen(as_user(admin)) == {"deployer", "approver", "outsider", "admin"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("role=viewer", {"viewer"}),
        ("email=DEPLOYER@example.com", {"deployer"}),
        ("q=plo", {"deployer"}),
        ("team=others", {"outsider"}),
        ("is_active=false", set()),
        ("role=viewer&q=zzz", set()),
    ],
)
def test_people_are_filtered(
    as_user: As, deployer: User, viewer: User, outsider: User, admin: User, query: str, expected: set[str]
) -> None:
    found = as_user(admin).get(f"{USERS}?{query}").json()["results"]
    assert {each["email"].split("@")[0] for each in found} == expected


def test_no_answer_shows_a_password(as_user: As, admin: User) -> None:
    client = as_user(admin)
    made = client.post(USERS, NEW_PERSON | {"password": PASSWORD})
    assert made.status_code == 201
    assert "password" not in made.json()
    assert PASSWORD not in made.content.decode()
    assert PASSWORD not in str(list(Event.objects.values()))


@pytest.mark.parametrize("wrong", [None, True, 7, -1.5, "", " ", [], {}, [{}], "x" * 5000, "\u202e", "a\nb"])
@pytest.mark.parametrize("field", ["email", "name", "role", "username", "password"])
def test_no_type_in_any_field_of_a_person_breaks_the_server(
    as_user: As, admin: User, field: str, wrong: object
) -> None:
    client = as_user(admin)
    body = NEW_PERSON | {"password": PASSWORD, field: wrong}
    assert client.post(USERS, body).status_code in (201, 422)
    assert client.patch(f"{USERS}/{admin.pk}", {field: wrong}).status_code in (200, 409, 422)


@pytest.mark.parametrize("password", ["short", "12345678901234", "password123", "ada@example.com"])
def test_a_weak_password_is_refused(as_user: As, admin: User, password: str) -> None:
    answer = as_user(admin).post(USERS, NEW_PERSON | {"password": password})
    assert answer.status_code == 422
    assert "password" in answer.json()["details"]
    assert not User.objects.filter(email="ada@example.com").exists()


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"email": "DEPLOYER@Example.com"}, "email"), ({"username": "Deployer"}, "username")],
)
def test_what_somebody_logs_in_with_is_taken(
    as_user: As, admin: User, deployer: User, fields: dict[str, str], field: str
) -> None:
    answer = as_user(admin).post(USERS, NEW_PERSON | fields)
    assert answer.status_code == 409
    assert field in answer.json()["details"]


def test_a_change_is_on_record_with_before_and_after(as_user: As, admin: User, deployer: User) -> None:
    as_user(admin).patch(f"{USERS}/{deployer.pk}", {"role": "viewer", "name": deployer.name})
    event = Event.objects.get(action="user.updated")
    assert event.changes == {"role": ["engineer", "viewer"]}
    assert (event.user, event.resource_id) == (admin, str(deployer.pk))


def test_a_new_role_holds_from_the_next_request(as_user: As, admin: User, deployer: User) -> None:
    application(deployer.memberships.get().team)
    client = as_user(deployer)
    assert "deploy_application" in client.get(f"{USERS}/me").json()["permissions"]
    as_user(admin).patch(f"{USERS}/{deployer.pk}", {"role": "viewer"})
    assert "deploy_application" not in client.get(f"{USERS}/me").json()["permissions"]


def test_a_deactivated_person_is_out_at_once_and_stays_out(as_user: As, admin: User, deployer: User) -> None:
    administrator, token = as_user(admin), as_user(deployer)
    session, other_session = Client(), Client()
    session.force_login(deployer)
    other_session.force_login(admin)

    administrator.patch(f"{USERS}/{deployer.pk}", {"is_active": False})

    assert (token.get(f"{USERS}/me").status_code, session.get(f"{USERS}/me").status_code) == (401, 401)
    assert Event.objects.filter(action="user.deactivated").count() == 1
    administrator.patch(f"{USERS}/{deployer.pk}", {"is_active": True})
    assert (token.get(f"{USERS}/me").status_code, session.get(f"{USERS}/me").status_code) == (401, 401)
    assert other_session.get(f"{USERS}/me").status_code == 200
    assert Session.objects.count() == 1


@pytest.mark.parametrize("change", [{"role": "engineer"}, {"is_active": False}])
def test_the_last_active_administrator_stays_one(as_user: As, admin: User, change: dict[str, Any]) -> None:
    User.objects.create(email="gone@example.com", name="Gone", role="admin", is_active=False)
    answer = as_user(admin).patch(f"{USERS}/{admin.pk}", change)
    assert answer.status_code == 409
    assert "last active administrator" in answer.json()["message"]
    User.objects.create(email="second@example.com", name="Second", role="admin")
    assert as_user(admin).patch(f"{USERS}/{admin.pk}", change).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_two_administrators_who_demote_each_other_leave_one() -> None:
    one, two = factories.user("one", role="admin"), factories.user("two", role="admin")
    barrier = threading.Barrier(2)

    def demote(pair: tuple[User, User]) -> bool:
        actor = factories.actor(pair[0])
        barrier.wait()
        try:
            services.update_user(actor=actor, user=pair[1], changes={"role": "viewer"})
        except WrongState:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(demote, [(one, two), (two, one)]))

    assert sorted(done) == [False, True]
    assert User.objects.filter(role="admin", is_active=True).count() == 1


def test_a_member_has_the_rights_of_the_team_until_removed(as_user: As, admin: User, team: Team) -> None:
    app = application(team)
    person = factories.user("ada")
    administrator, client = as_user(admin), as_user(person)

    added = administrator.post(f"{TEAMS}/{team.pk}/members", {"user": str(person.pk), "role": "member"})

    assert added.status_code == 201
    assert added.json().keys() == {"user", "email", "name", "role", "created_at"}
    assert client.get(f"{USERS}/me").json()["permissions"]["deploy_application"] == [str(app.pk)]
    assert administrator.delete(f"{TEAMS}/{team.slug}/members/{person.pk}").status_code == 204
    assert client.get(f"{USERS}/me").json()["permissions"] == {}
    assert [event.action for event in Event.objects.filter(resource_type="team").order_by("sequence")] == [
        "team.member_added",
        "team.member_removed",
    ]


def test_members_are_named_by_id_or_email_in_any_case(as_user: As, admin: User, team: Team) -> None:
    factories.user("ada")
    answer = as_user(admin).post(f"{TEAMS}/{team.slug}/members", {"user": "ADA@Example.com"})
    assert (answer.status_code, answer.json()["role"]) == (201, "member")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"user": "nobody@example.com"}, 422),
        ({"user": "00000000-0000-0000-0000-000000000000"}, 422),
        ({"user": ""}, 422),
        ({"user": None}, 422),
        ({"user": 7}, 422),
        ({"user": {"id": 1}}, 422),
        ({}, 422),
        ({"user": "ada@example.com", "role": "king"}, 422),
        ({"user": "ada@example.com", "role": None}, 422),
        ({"user": "deployer@example.com"}, 409),
        ({"user": "gone@example.com"}, 422),
    ],
)
def test_a_member_who_cannot_be_added(
    as_user: As, admin: User, deployer: User, team: Team, body: dict[str, Any], status: int
) -> None:
    factories.user("ada")
    User.objects.create(email="gone@example.com", name="Gone", is_active=False)
    assert as_user(admin).post(f"{TEAMS}/{team.slug}/members", body).status_code == status
    assert Membership.objects.filter(team=team).count() == 1


@pytest.mark.parametrize("method", ["patch", "delete"])
@pytest.mark.parametrize("identifier", ["x", "%00", "00000000-0000-0000-0000-000000000000"])
def test_somebody_who_is_no_member_is_404(as_user: As, admin: User, team: Team, method: str, identifier: str) -> None:
    answer = getattr(as_user(admin), method)(f"{TEAMS}/{team.slug}/members/{identifier}", {"role": "member"})
    assert answer.status_code == 404


def test_a_role_in_the_team_is_changed_and_on_record(as_user: As, admin: User, deployer: User, team: Team) -> None:
    client = as_user(admin)
    path = f"{TEAMS}/{team.slug}/members/{deployer.pk}"
    assert client.patch(path, {"role": "maintainer"}).json()["role"] == "maintainer"
    assert client.patch(path, {"role": "king"}).status_code == 422
    assert client.patch(path, {}).status_code == 422
    assert Event.objects.get(action="team.member_changed").changes == {"role": ["member", "maintainer"]}


def test_a_taken_slug_is_409_and_leaves_nothing(as_user: As, admin: User, team: Team) -> None:
    answer = as_user(admin).post(TEAMS, {"slug": team.slug, "name": "Again"})
    assert answer.status_code == 409
    assert Team.objects.count() == 1


def test_a_viewer_who_maintains_a_team_changes_nothing(as_user: As, viewer: User, team: Team) -> None:
    Membership.objects.filter(user=viewer).update(role="maintainer")
    assert as_user(viewer).patch(f"{TEAMS}/{team.slug}", {"name": "N"}).status_code == 403


def test_a_refused_attempt_is_on_record(as_user: As, deployer: User) -> None:
    as_user(deployer).post(USERS, NEW_PERSON)
    event = Event.objects.get(action="access.denied")
    assert (event.user, event.resource_label) == (deployer, "POST /api/v1/users")


def test_lists_cost_the_same_however_long(
    as_user: As, deployer: User, team: Team, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        join(User.objects.create(email=f"p{number}@example.com", name=f"P{number}"), team)
        token_for(deployer, "audit:read")
    client = as_user(deployer)
    client.get(f"{USERS}/me")
    for path, queries in (("users", 2), ("teams", 2), (f"teams/{team.slug}/members", 3), ("tokens", 2)):
        with django_assert_max_num_queries(queries):
            assert client.get(f"/api/v1/{path}").status_code == 200
