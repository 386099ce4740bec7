"""With ENVIRONMENT=production the program refuses to start on what only development may have."""

import asyncio

import pytest
from cryptography.fernet import Fernet
from django.core.checks import Tags, run_checks
from django.db import OperationalError
from pytest_django import Settings

from accounts.models import User
from releasemgr.core import checks


@pytest.fixture
def production(settings: Settings) -> Settings:
    settings.PRODUCTION = True
    settings.DEBUG = False
    settings.SECRET_KEY = "s" * 50
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    settings.ALLOWED_HOSTS = ["releases.example"]
    return settings


def found() -> set[str | None]:
    return {error.id for error in run_checks(tags=[checks.PRODUCTION])}


def test_good_settings_pass(production: Settings) -> None:
    assert found() == set()


def test_development_passes_with_its_defaults(settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = [settings.DEVELOPMENT_ENCRYPTION_KEY]
    assert found() == set()


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("DEBUG", True, "releasemgr.E001"),
        ("SECRET_KEY", "development-only-secret-key-never-used-in-production", "releasemgr.E002"),
        ("SECRET_KEY", "short", "releasemgr.E002"),
        ("ENCRYPTION_KEYS", ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="], "releasemgr.E003"),
        ("ALLOWED_HOSTS", [], "releasemgr.E004"),
        ("ALLOWED_HOSTS", [""], "releasemgr.E004"),
        ("ENCRYPTION_KEYS", [], "releasemgr.E005"),
        ("ENCRYPTION_KEYS", ["not a key"], "releasemgr.E006"),
        ("ENCRYPTION_KEYS", [Fernet.generate_key().decode(), "caf\xe9"], "releasemgr.E006"),
    ],
)
def test_each_unsafe_setting_is_named(production: Settings, name: str, value: object, error: str) -> None:
    setattr(production, name, value)
    assert found() == {error}


def test_a_bad_key_is_not_shown(production: Settings) -> None:
    production.ENCRYPTION_KEYS = ["almost-a-secret-key"]
    [error] = run_checks(tags=[checks.PRODUCTION])
    assert "almost" not in str(error)


@pytest.mark.django_db
def test_a_person_with_the_default_password_is_named_and_one_without_is_not(production: Settings) -> None:
    for name, password, is_active in (("bad", "admin123", True), ("gone", "admin123", False), ("good", "long", True)):
        user = User(email=f"{name}@example.com", name=name, is_active=is_active)
        user.set_password(password)
        user.save()

    [error] = run_checks(tags=[Tags.database], databases=["default"])

    assert (error.id, error.msg) == ("releasemgr.E007", "bad@example.com can log in with the default password.")


def test_a_database_that_does_not_answer_is_named(production: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def down() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(checks, "get_user_model", down)
    [error] = run_checks(tags=[Tags.database], databases=["default"])
    assert error.id == "releasemgr.E008"


def test_a_server_does_not_start_unsafely_even_inside_an_event_loop(
    production: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    production.DEBUG = True
    monkeypatch.setattr(checks, "check_default_password", lambda **_: [])
    monkeypatch.setattr(checks, "_serious_errors", lambda: run_checks(tags=[checks.PRODUCTION]))

    async def start() -> None:
        checks.refuse_unsafe_start()

    with pytest.raises(SystemExit, match="DEBUG is on"):
        asyncio.run(start())


def test_development_starts(settings: Settings) -> None:
    settings.PRODUCTION = False
    checks.refuse_unsafe_start()
