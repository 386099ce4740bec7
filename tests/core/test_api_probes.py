"""Health, readiness, metrics and the API's description."""

import json
import re
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.staticfiles import finders
from django.db import OperationalError
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from accounts.models import User
from releasemgr import probes

READY = "/api/v1/ready"
METRICS = "/api/v1/metrics"


def test_health_needs_neither_login_nor_database(client: Client) -> None:
    """Without the database mark any query would fail this test."""
    answer = client.get("/api/v1/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


@pytest.mark.django_db
def test_ready_asks_every_part(client: Client) -> None:
    answer = client.get(READY)
    assert answer.status_code == 200
    assert answer.json()["checks"] == dict.fromkeys(("database", "migrations", "queue", "channel layer"), "ok")


@pytest.mark.django_db
@pytest.mark.parametrize("part", ["database", "migrations", "queue", "channel layer"])
def test_ready_is_503_and_names_the_part_that_fails(client: Client, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    def broken() -> str:
        raise OperationalError("connection to 10.1.2.3 refused, password=secret")

    monkeypatch.setitem(probes.CHECKS, part, broken)

    answer = client.get(READY)

    assert answer.status_code == 503
    assert part in answer.json()["message"]
    assert answer.json()["details"]["checks"][part] != "ok"
    assert "secret" not in answer.content.decode()


@pytest.mark.django_db
def test_ready_names_the_migrations_that_wait(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    class Waiting:
        app_label, name = "accounts", "0099_more"

    monkeypatch.setattr(probes.MigrationExecutor, "migration_plan", lambda *_: [(Waiting(), False)])
    assert "accounts.0099_more" in client.get(READY).json()["details"]["checks"]["migrations"]


@pytest.mark.django_db
def test_metrics_are_true_and_parse(client: Client, admin: User) -> None:
    families = {each.name: each for each in text_string_to_metric_families(client.get(METRICS).content.decode())}

    assert families["releasemgr_users_active"].samples[0].value == 1
    statuses = {sample.labels["status"] for sample in families["releasemgr_deployments"].samples}
    assert {"pending", "in_progress", "succeeded", "failed", "rolled_back", "cancelled"} == statuses
    assert "process_resident_memory_bytes" in families
    assert "releasemgr_queue_waiting" in families


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("header", "status"), [("", 403), ("Bearer wrong", 403), ("Bearer scrape", 200), ("Token scrape", 200)]
)
def test_from_elsewhere_metrics_need_the_scrape_token(
    client: Client, settings: Settings, header: str, status: int
) -> None:
    settings.METRICS_NETWORKS = ["10.0.0.0/8"]
    settings.METRICS_TOKEN = "scrape"
    assert client.get(METRICS, headers={"Authorization": header}).status_code == status


@pytest.mark.django_db
def test_an_empty_scrape_token_opens_nothing(client: Client, settings: Settings) -> None:
    settings.METRICS_NETWORKS = []
    settings.METRICS_TOKEN = ""
    assert client.get(METRICS, headers={"Authorization": "Bearer "}).status_code == 403


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    description: dict[str, Any] = json.loads(Client().get("/openapi.json").content)
    return description


def test_the_description_has_the_paths_that_others_rely_on(openapi: dict[str, Any]) -> None:
    paths = openapi["paths"]
    assert {
        "/api/v1/auth/login",
        "/api/v1/auth/logout",
        "/api/v1/users/me",
        "/api/v1/users",
        "/api/v1/users/{id}",
        "/api/v1/teams/{id}/members",
        "/api/v1/teams/{id}/members/{user}",
        "/api/v1/tokens/{id}",
    } <= paths.keys()


def test_the_description_names_the_token(openapi: dict[str, Any]) -> None:
    assert openapi["components"]["securitySchemes"]["token"]["name"] == "Authorization"
    assert {"token": []} in openapi["paths"]["/api/v1/users"]["post"]["security"]


def test_the_description_tells_input_from_output(openapi: dict[str, Any]) -> None:
    post = openapi["paths"]["/api/v1/users"]["post"]
    body = post["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    answer = post["responses"]["201"]["content"]["application/json"]["schema"]["$ref"]
    assert (body, answer) == ("#/components/schemas/UserInput", "#/components/schemas/UserOutput")
    assert "Idempotency-Key" in {each["name"] for each in post["parameters"]}
    patch = openapi["paths"]["/api/v1/users/{id}"]["patch"]
    assert "If-Match" in {each["name"] for each in patch["parameters"]}
    assert "default" in post["responses"]


@pytest.mark.parametrize("path", ["/docs", "/docs?script=", "/redoc"])
def test_the_readers_load_nothing_from_elsewhere_and_run_no_inline_script(client: Client, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 200
    page = answer.content.decode()
    assert "http://" not in page and "https://" not in page
    if "script" not in path:
        assert re.findall(r"<script(?![^>]*src=)[^>]*>", page) == []
        for address in re.findall(r'(?:src|href)="/static/([^"]+)"', page):
            assert finders.find(address), address
    policy = answer["Content-Security-Policy"]
    assert "script-src" not in policy and "default-src 'self'" in policy


def test_styles_are_relaxed_for_the_readers_only(client: Client) -> None:
    assert "unsafe-inline" in client.get("/redoc")["Content-Security-Policy"]
    assert "unsafe-inline" not in client.get("/accounts/login")["Content-Security-Policy"]
    assert "unsafe-inline" not in str(django_settings.CONTENT_SECURITY_POLICY)
