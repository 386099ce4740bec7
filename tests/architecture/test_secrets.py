"""Canaries go in by every door for secrets; then everything breaks; nothing that comes out may hold one."""

import base64
import io
import json
import logging
import logging.config
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from deployments import services
from deployments.engine.runner import tick
from deployments.models import Cluster, Deployment, Target
from releasemgr.core.logging import logging_config
from tests import factories
from tests.architecture.test_addresses import ADDRESSES, expectation_of
from tests.architecture.world import World, build

TOKEN, PASSWORD = "CANARY-cluster-token-5b1d", "CANARY-password-77c2"
DATABASE, CHOSEN = "CANARY-database-90ab", "CANARY-chosen-password-1f"
KUBECONFIG = f"""
apiVersion: v1
kind: Config
current-context: it
clusters: [{{name: it, cluster: {{server: "http://127.0.0.1:1"}}}}]
users: [{{name: me, user: {{token: {TOKEN}, password: {PASSWORD}, username: u}}}}]
contexts: [{{name: it, context: {{cluster: it, user: me}}}}]
"""
# Their tables hold secrets on purpose, encrypted or hashed; the scan reads them all the same.
SCANNED = "SELECT coalesce(string_agg(t::text, ' '), '') FROM {} t"


@pytest.fixture(params=["development", "production"])
def logged(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """Everything that the program logs, as it would look on the server's stderr."""
    config = logging_config(human_readable=request.param == "development", level="DEBUG")
    logging.config.dictConfig(config)
    stream = io.StringIO()
    handler = logging.getLogger().handlers[-1]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    yield stream
    logging.config.dictConfig(logging_config(human_readable=True, level="INFO"))


@pytest.fixture
def world(db: None) -> World:
    made = build()
    Cluster.objects.filter(pk=made.cluster.pk).update(kubeconfig=KUBECONFIG)
    Target.objects.filter(pk=made.target.pk).update(database_url=f"postgresql://u:{DATABASE}@db/shop")
    return made


def forms_of(canary: str) -> set[str]:
    raw = canary.encode()
    return {canary, quote(canary), base64.b64encode(raw).decode().rstrip("="), raw.hex(), json.dumps(canary)[1:-1]}


def assert_clean(text: str, where: str, secrets: set[str]) -> None:
    for secret in secrets:
        for form in forms_of(secret):
            assert form not in text, f"{where} holds {secret[:14]}…"


def everything_stored() -> dict[str, str]:
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        found = {}
        for table in tables:
            cursor.execute(SCANNED.format(table))
            found[table] = cursor.fetchone()[0]
    return found


def test_no_secret_comes_out_anywhere(world: World, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {TOKEN, PASSWORD, DATABASE, CHOSEN}
    answers: list[tuple[str, str]] = []
    api = APIClient(raise_request_exception=False)
    api.force_login(world.people["admin"])  # type: ignore[arg-type]
    secrets.add(put_secrets_in(world, api, answers))
    break_things(world, api, answers, monkeypatch)
    read_everything(world, answers)

    for where, text in answers:
        assert_clean(text, where, secrets)
    assert_clean(logged.getvalue(), "the log", secrets)
    for table, text in everything_stored().items():
        assert_clean(text, table, secrets)
    assert "Traceback" in logged.getvalue(), "something must have broken, or this proves little"


def put_secrets_in(world: World, api: APIClient, answers: list[tuple[str, str]]) -> str:
    """Returns the token that was issued, which its own answer shows once."""
    member = world.people["approver"]
    assert member is not None
    sent: list[tuple[str, str, dict[str, object]]] = [
        ("POST", "/api/v1/clusters", {"name": "new", "kubeconfig": KUBECONFIG}),
        ("POST", "/api/v1/clusters", {"name": "new", "kubeconfig": f"{{{TOKEN}: ["}),
        ("POST", "/api/v1/clusters", {"name": "NOT A NAME", "kubeconfig": KUBECONFIG}),
        ("PATCH", f"/api/v1/clusters/{world.cluster.pk}", {"kubeconfig": KUBECONFIG}),
        ("PATCH", f"/api/v1/targets/{world.target.pk}", {"database_url": f"postgresql://x:{DATABASE}@db/shop"}),
        ("PATCH", f"/api/v1/targets/{world.target.pk}", {"database_url": [DATABASE]}),
        ("PATCH", f"/api/v1/targets/{world.target.pk}", {"database_url": DATABASE, "namespace": "NO"}),
        ("POST", f"/api/v1/users/{member.pk}/password", {"password": CHOSEN}),
        ("POST", "/api/v1/users", {"email": "n@example.com", "name": "N", "role": "viewer", "password": CHOSEN}),
        ("POST", "/api/v1/users", {"email": "not an address", "name": "N", "role": "viewer", "password": CHOSEN}),
        ("POST", "/api/v1/auth/login", {"email": "admin@example.com", "password": CHOSEN}),
        ("POST", "/api/v1/auth/login", {"email": CHOSEN, "password": CHOSEN}),
        ("POST", "/api/v1/users/me/password", {"old_password": CHOSEN, "new_password": CHOSEN}),
    ]
    for method, path, body in sent:
        response = api.generic(method, path, json.dumps(body), content_type="application/json")
        answers.append((f"{method} {path}", response.content.decode()))
    pages = Client(raise_request_exception=False)
    pages.force_login(world.people["admin"])  # type: ignore[arg-type]
    for path, form in (
        ("/clusters/new", {"name": "page", "kubeconfig": KUBECONFIG}),
        (f"/clusters/{world.cluster.name}/edit", {"name": "main", "kubeconfig": KUBECONFIG}),
        (f"/targets/{world.target.pk}/edit", {"namespace": "NO", "database_url": f"postgresql://x:{DATABASE}@db"}),
        (f"/accounts/people/{member.pk}/password", {"password": CHOSEN, "again": "other"}),
        ("/accounts/people/new", {"email": "no", "password": CHOSEN}),
        ("/accounts/login", {"login": "deployer", "password": CHOSEN}),
    ):
        answers.append((f"POST {path}", pages.post(path, form).content.decode()))
    ends = (timezone.now() + timedelta(days=1)).isoformat()
    issued = api.post("/api/v1/tokens", {"name": "ci", "scopes": ["releases:read"], "expires_at": ends})
    return str(issued.json()["token"])


def break_things(world: World, api: APIClient, answers: list[tuple[str, str]], patch: pytest.MonkeyPatch) -> None:
    """The engine meets a dead cluster, then a bug with a token in a local variable; services break in requests."""
    Deployment.objects.filter(pk=world.deployment.pk).update(gates=[])
    world.rule.delete()
    for _ in range(3):
        tick(world.deployment.pk)

    def bug(*_: object, **__: object) -> None:
        token = TOKEN
        raise RuntimeError(f"cannot use a token of {len(token)} characters")

    patch.setattr("deployments.services.planning.get_target", bug)
    Deployment.objects.filter(pk=world.deployment.pk).update(wake_at=timezone.now() - timedelta(hours=1))
    tick(world.deployment.pk)
    for path in ("cancel_deployment", "rollback_deployment"):
        patch.setattr(services, path, bug)
        verb = path.removesuffix("_deployment")
        response = api.post(f"/api/v1/deployments/{world.deployment.pk}/{verb}", {"reason": "x"})
        answers.append((verb, response.content.decode()))
        assert response.status_code == 500


def read_everything(world: World, answers: list[tuple[str, str]]) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.get(email="admin@example.com"))
    for address in ADDRESSES:
        if "GET" in expectation_of(address).allowed:
            path = address.filled(world.values_for(address))
            response = client.get(path, {"environment": "staging"})
            body = b"".join(response.streaming_content) if response.streaming else response.content
            answers.append((path, body.decode()))
    for kind in ("cluster", "target", "deployment", "step", "logline"):
        answers.append((kind, client.get(f"/admin/deployments/{kind}/").content.decode()))


def test_the_scan_finds_every_form_of_a_canary() -> None:
    for form in forms_of(TOKEN):
        with pytest.raises(AssertionError):
            assert_clean(f"before {form} after", "it", {TOKEN})


def test_the_database_of_these_tests_really_holds_the_secrets(world: World) -> None:
    assert Cluster.objects.get(pk=world.cluster.pk).kubeconfig == KUBECONFIG
    assert factories.PASSWORD not in "".join(everything_stored().values())
