"""What somebody with a login tries in order to get further than they may."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import services as account_services
from accounts.models import User
from accounts.scopes import SCOPES, WRITE_SCOPES
from audit.models import Event
from deployments.models import Deployment, Target
from releases.models import Release
from tests import factories
from tests.architecture.test_addresses import ADDRESSES, expectation_of, unchanged
from tests.architecture.world import World, build

ARTIFACTS = {"images": {"app": "registry.example/web:9.9.9"}, "manifests": None}


@pytest.fixture
def world(db: None) -> World:
    return build()


def person(world: World, name: str) -> User:
    found = world.people[name]
    assert found is not None
    return found


def api_of(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(None)
    client.force_login(user)
    return client


def token_client(user: User, scopes: list[str]) -> APIClient:
    ends = timezone.now() + timedelta(days=1)
    _, text = account_services.issue_token(actor=factories.actor(user), name="t", scopes=scopes, expires_at=ends)
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Token {text}")
    return client


READS = sorted(set(SCOPES) - set(WRITE_SCOPES))
# They end the token in use, or are open to everybody.
NO_SCOPE_NEEDED = {"auth-login", "auth-logout"}


def test_a_token_that_reads_changes_nothing_anywhere(world: World) -> None:
    """The administrator's, who may do everything in a session."""
    client, wrong = token_client(person(world, "admin"), READS), []
    # Its first use is noted.
    client.get("/api/v1/users/me")
    for address in ADDRESSES:
        if not address.is_api or address.name in NO_SCOPE_NEEDED:
            continue
        expectation = expectation_of(address)
        path = address.filled(world.values_for(address))
        for method in set(expectation.allowed) - {"GET"}:
            body = json.dumps(expectation.bodies.get(method, {}))
            with unchanged() as changes:
                status = client.generic(method, path, body, content_type="application/json").status_code
            if changes or status not in (403, 404, 422):
                wrong.append(f"{method} {path}: {status} {changes}")
    assert not wrong, "\n" + "\n".join(wrong)


# What a token sees of each area, by the first word of the address.
AREAS = {
    "applications": "releases", "releases": "releases", "deployments": "deployments", "targets": "deployments",
    "clusters": "deployments", "audit-logs": "audit", "teams": "admin",
}  # fmt: skip


@pytest.mark.parametrize("scope", READS)
def test_a_token_sees_nothing_outside_of_its_scopes(world: World, scope: str) -> None:
    client, wrong = token_client(person(world, "admin"), [scope]), []
    for address in ADDRESSES:
        area = AREAS.get(address.route.removeprefix("/api/v1/").split("/")[0]) if address.is_api else None
        if area is None or f"{area}:read" == scope or "GET" not in expectation_of(address).allowed:
            continue
        response = client.get(address.filled(world.values_for(address)), {"environment": "staging"})
        empty = response.status_code == 200 and response.json().get("results") == []
        if not (response.status_code in (403, 404) or empty):
            wrong.append(f"{address.route}: {response.status_code}")
    assert not wrong, "\n" + "\n".join(wrong)


def test_a_token_loses_what_its_owner_loses(world: World) -> None:
    deployer = person(world, "deployer")
    client = token_client(deployer, ["releases:write", "deployments:write"])
    path = f"/api/v1/releases/{world.release.pk}"
    assert client.patch(path, {"description": "New."}, format="json").status_code == 200

    User.objects.filter(pk=deployer.pk).update(role="viewer")
    assert client.patch(path, {"description": "Newer."}, format="json").status_code == 403

    deployer.groups.clear()
    assert client.get(path).status_code == 404

    User.objects.filter(pk=deployer.pk).update(is_active=False)
    assert client.get(path).status_code == 401


FORGED_FIELDS: dict[str, Any] = {
    "status": "released", "digest": "sha256:" + "0" * 64, "created_by": "admin", "edited_by": None,
    "approvals": [{"user": "x", "decision": "approved"}], "approved_at": "2020-01-01T00:00:00Z", "id": "1",
    "released_at": "2020-01-01T00:00:00Z", "submitted_at": "2020-01-01T00:00:00Z", "team": "others", "is_staff": True,
    "is_superuser": True, "sequence": 99, "kind": "rollback", "automatic": True, "manifests": [], "wake_at": None,
    "deployed_by": None, "release_digest": "x", "rolls_back": None,
}  # fmt: skip
GUARDED = ("status", "digest", "created_by_id", "edited_by_id", "approved_at", "released_at", "submitted_at")


def test_no_body_assigns_what_services_decide(world: World) -> None:
    api = api_of(person(world, "deployer"))
    before = Release.objects.filter(pk=world.release.pk).values(*GUARDED)[0]

    api.patch(f"/api/v1/releases/{world.release.pk}", FORGED_FIELDS | {"description": "x"})
    made = api.post("/api/v1/releases", FORGED_FIELDS | {"version": "9.9.9", "artifacts": ARTIFACTS})

    assert Release.objects.filter(pk=world.release.pk).values(*GUARDED)[0] == before
    assert not world.release.approvals.exists()
    if made.status_code == 201:
        release = Release.objects.get(pk=made.json()["id"])
        assert (release.status, release.created_by_id) == ("draft", person(world, "deployer").pk)
        assert not release.approvals.exists()


def test_a_deployment_is_asked_for_never_described(world: World) -> None:
    release = world.deployment.release
    body = FORGED_FIELDS | {"environment": "staging", "status": "succeeded"}
    api_of(person(world, "deployer")).post(f"/api/v1/releases/{release.pk}/deploy", body)

    made = Deployment.objects.exclude(pk=world.deployment.pk).filter(release=release)
    assert all(
        (each.status, each.kind, each.automatic, each.sequence) == ("pending", "deploy", False, None) for each in made
    )


def test_nobody_makes_themselves_an_administrator(world: World) -> None:
    deployer = person(world, "deployer")
    api = api_of(deployer)
    for path in (f"/api/v1/users/{deployer.pk}", "/api/v1/users/me"):
        api.patch(path, {"role": "admin", "is_staff": True, "is_superuser": True})
    api.post(
        "/api/v1/users", {"email": "evil@example.com", "name": "Evil", "role": "admin", "password": "long enough 1"}
    )

    deployer.refresh_from_db()
    assert (deployer.role, deployer.is_superuser) == ("engineer", False)
    assert not User.objects.filter(email="evil@example.com").exists()


@pytest.fixture
def theirs(world: World) -> Target:
    """The same things of another team, in the same environment."""
    team = person(world, "outsider").memberships.get().team
    application = factories.application(team, "ledger", "Ledger")
    return factories.target(application, world.environment, factories.cluster(name="theirs"))


def test_ids_of_others_in_bodies_are_as_good_as_none(world: World, theirs: Target) -> None:
    outsider = person(world, "outsider")
    second = factories.user("second", teams=[outsider.memberships.get().team])
    foreign = factories.approved(outsider, second, theirs.application, "1.0.0")
    api = api_of(person(world, "deployer"))
    for reference in (theirs.application.slug, str(theirs.application.pk)):
        body = {"application": reference, "version": "9.9.9", "artifacts": ARTIFACTS}
        with unchanged() as changes:
            assert api.post("/api/v1/releases", body).status_code in (404, 422)
        assert not changes
    attempts = (
        ("POST", f"/api/v1/releases/{foreign.pk}/deploy", {"environment": "staging"}),
        ("POST", f"/api/v1/deployments/{world.deployment.pk}/rollback", {"reason": "x", "to": str(foreign.pk)}),
        ("PATCH", f"/api/v1/releases/{world.draft.pk}", {"application": theirs.application.slug}),
        ("PATCH", f"/api/v1/applications/{world.application.slug}", {"team": "others"}),
        ("PATCH", f"/api/v1/targets/{world.target.pk}", {"cluster": "theirs"}),
        ("POST", f"/api/v1/teams/{world.team.slug}/members", {"user": str(outsider.pk), "role": "member"}),
    )
    for method, path, body in attempts:
        api.generic(method, path, json.dumps(body), content_type="application/json")
    world.draft.refresh_from_db()
    world.application.refresh_from_db()
    world.target.refresh_from_db()
    assert world.draft.application_id == world.application.pk
    assert world.application.team_id == world.team.pk
    assert world.target.cluster_id == world.cluster.pk
    assert not Deployment.objects.filter(release=foreign).exists()
    assert not world.team.memberships.filter(user=outsider).exists()


def test_a_refusal_does_not_tell_what_exists(world: World, theirs: Target) -> None:
    """What is somebody else's and what is nobody's are answered in the same words."""
    api = api_of(person(world, "deployer"))

    def answer(reference: str) -> tuple[int, str]:
        response = api.post("/api/v1/releases", {"application": reference, "version": "9.9.9", "artifacts": ARTIFACTS})
        return response.status_code, response.content.decode().replace(reference, "…")

    assert answer(theirs.application.slug) == answer("nowhere")
    path = "/api/v1/releases/{}"
    foreign = factories.draft(person(world, "outsider"), theirs.application)
    nobodys = path.format("00000000-0000-4000-8000-000000000000")
    assert api.get(path.format(foreign.pk)).content == api.get(nobodys).content


def test_a_form_that_starts_from_somebody_elses_release_shows_nothing_of_it(world: World, theirs: Target) -> None:
    foreign = factories.draft(person(world, "outsider"), theirs.application, description="CONFIDENTIAL")
    client = Client()
    client.force_login(person(world, "deployer"))
    for path in (f"/releases/new?from={foreign.pk}", f"/audit/for/release/{foreign.pk}", f"/audit/?q={foreign.pk}"):
        assert "CONFIDENTIAL" not in client.get(path).content.decode()
    lists = (
        "",
        "releases",
        "deployments",
        "applications",
        "audit/",
        "accounts/teams",
        "clusters",
        "environments/staging",
    )
    for page in lists:
        assert "ledger" not in client.get(f"/{page}").content.decode().lower(), page
    for noun in (
        "applications",
        "releases",
        "deployments",
        "targets",
        "clusters",
        "audit-logs",
        "teams",
        "approval-rules",
    ):
        text = client.get(f"/api/v1/{noun}?limit=200").content.decode()
        assert "ledger" not in text.lower(), noun
        assert "theirs" not in text.lower(), noun


def test_without_its_csrf_token_no_change_is_made(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person(world, "admin"))
    wrong = []
    for address in ADDRESSES:
        expectation = expectation_of(address)
        if address.name == "auth-login":
            continue
        path = address.filled(world.values_for(address))
        for method in set(expectation.allowed) - {"GET"}:
            with unchanged() as changes:
                body = json.dumps(expectation.bodies.get(method, {}))
                response = client.generic(
                    method, path, body, content_type="application/json", HTTP_ORIGIN="https://evil.example"
                )
            if response.status_code != 403 or changes:
                wrong.append(f"{method} {path}: {response.status_code} {changes}")
    assert not wrong, "\n" + "\n".join(wrong)


OVERRIDES = {
    "HTTP_X_HTTP_METHOD_OVERRIDE": "DELETE",
    "HTTP_X_METHOD_OVERRIDE": "DELETE",
    "HTTP_X_HTTP_METHOD": "DELETE",
}


def test_no_header_or_field_turns_one_method_into_another(world: World) -> None:
    api = api_of(person(world, "admin"))
    for path in (f"/api/v1/releases/{world.draft.pk}", f"/api/v1/approval-rules/{world.rule.pk}"):
        with unchanged() as changes:
            assert api.get(path, **OVERRIDES).status_code == 200
            assert api.post(f"{path}?_method=DELETE", {"_method": "DELETE"}, **OVERRIDES).status_code == 405
        assert not changes


FORGERIES = (
    {"HTTP_X_FORWARDED_FOR": "6.6.6.6"}, {"HTTP_X_FORWARDED_FOR": "6.6.6.6, 127.0.0.1"}, {"HTTP_X_REAL_IP": "6.6.6.6"},
    {"HTTP_FORWARDED": "for=6.6.6.6"}, {"HTTP_CLIENT_IP": "6.6.6.6"}, {"HTTP_X_FORWARDED_FOR": "\x00"},
    {"HTTP_X_FORWARDED_FOR": "999.1.1.1, ,,"}, {"HTTP_CF_CONNECTING_IP": "6.6.6.6"}, {"HTTP_TRUE_CLIENT_IP": "6.6.6.6"},
)  # fmt: skip


def test_nobody_writes_another_address_into_the_record(world: World) -> None:
    api = api_of(person(world, "deployer"))
    path = f"/api/v1/releases/{world.draft.pk}"
    for number, headers in enumerate(FORGERIES):
        changed = api.patch(path, {"description": f"x{number}"}, REMOTE_ADDR="192.0.2.7", **headers)
        assert changed.status_code == 200
        assert Event.objects.filter(action="release.updated").latest("sequence").ip == "192.0.2.7", headers


HARMFUL_IDS = ("a\r\nSet-Cookie: x=y", "a" * 500, "<script>", "short", "\x00" * 9, "ünïcödë-id")


def test_a_request_id_that_could_do_harm_is_not_taken(world: World) -> None:
    api = api_of(person(world, "deployer"))
    for number, offered in enumerate(HARMFUL_IDS):
        body = {"description": f"x{number}"}
        response = api.patch(f"/api/v1/releases/{world.draft.pk}", body, HTTP_X_REQUEST_ID=offered)
        assert response["X-Request-ID"] != offered
        assert Event.objects.latest("sequence").request_id == response["X-Request-ID"]


ELSEWHERE = (
    "NaN",
    "-1",
    "accounts:logout",
    "//e.example",
    "/\\e.example",
    "http:e",
    "https://e.example",
    "javascript:x",
)


def test_next_leads_a_logged_in_person_to_a_page_of_ours(world: World) -> None:
    client = Client()
    client.force_login(person(world, "viewer"))
    for elsewhere in ELSEWHERE:
        assert client.get("/accounts/login", {"next": elsewhere})["Location"] == "/", elsewhere


def test_a_login_gets_a_new_session_and_a_logout_ends_it_everywhere(world: World) -> None:
    client, password = Client(), factories.PASSWORD
    client.get("/accounts/login")
    planted = client.session
    planted["planted"] = True
    planted.save()
    before = planted.session_key
    client.cookies["sessionid"] = before

    client.post("/accounts/login", {"login": "deployer@example.com", "password": password})
    after = client.cookies["sessionid"].value
    assert after != before

    thief = Client()
    thief.cookies["sessionid"] = after
    assert thief.get("/").status_code == 200
    client.post("/accounts/logout")
    assert thief.get("/").status_code == 302


def test_an_audit_that_cannot_be_written_stops_every_change(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail closed: no fact, no change."""

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the audit table is full")

    monkeypatch.setattr("audit.services.Event.objects.create", broken)
    client = APIClient(raise_request_exception=False)
    client.force_login(person(world, "approver"))
    attempts = {
        f"/api/v1/releases/{world.release.pk}/approve": {},
        f"/api/v1/releases/{world.release.pk}/cancel": {},
        f"/api/v1/releases/{world.release.pk}/comments": {"body": "x"},
        f"/api/v1/releases/{world.draft.pk}/submit": {},
        f"/api/v1/releases/{world.deployment.release_id}/deploy": {"environment": "staging"},
        f"/api/v1/deployments/{world.deployment.pk}/approve": {},
        f"/api/v1/deployments/{world.deployment.pk}/cancel": {},
        "/api/v1/releases": {"application": "checkout", "version": "9.9.9", "artifacts": ARTIFACTS},
    }
    for path, body in attempts.items():
        with unchanged() as changes:
            assert client.post(path, body).status_code == 500, path
        assert not changes, path
