"""What production must not run with. Errors of `manage.py check`, and enforced when a server starts."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cryptography.fernet import Fernet
from django.apps import AppConfig
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, Tags, run_checks
from django.db import DatabaseError, OperationalError, connection

PRODUCTION = "production"
DEFAULT_PASSWORD = "admin123"  # noqa: S105 - the one that is refused
MIN_SECRET_LENGTH = 32
# Hashing is slow on purpose. Only the demo sets the default password, and its people are an installation's first:
# everybody else's password passes the validators, which refuse this one.
OLDEST_PEOPLE = 10
NEW_SECRET_COMMAND = 'python -c "import secrets; print(secrets.token_urlsafe(48))"'  # noqa: S105
NEW_KEY_COMMAND = 'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'


def check_production_settings(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    errors = _encryption_keys()
    if not settings.PRODUCTION:
        return errors
    if settings.DEBUG:
        errors.append(_error(1, "DEBUG is on, which shows secrets to visitors.", "Unset DEBUG."))
    if settings.SECRET_KEY == settings.DEVELOPMENT_SECRET_KEY or len(settings.SECRET_KEY) < MIN_SECRET_LENGTH:
        what = f"SECRET_KEY is the development default or shorter than {MIN_SECRET_LENGTH} characters."
        errors.append(_error(2, what, f"Set it to the output of: {NEW_SECRET_COMMAND}"))
    if settings.DEVELOPMENT_ENCRYPTION_KEY in settings.ENCRYPTION_KEYS:
        what = "ENCRYPTION_KEYS is missing or holds the development default: anybody could read stored secrets."
        errors.append(_error(3, what, f"Set it to the output of: {NEW_KEY_COMMAND}"))
    if not any(settings.ALLOWED_HOSTS):
        what = "ALLOWED_HOSTS is empty, so every request would be refused."
        errors.append(_error(4, what, "Set it to the host names of this site."))
    return errors


def _error(number: int, what: str, hint: str) -> CheckMessage:
    return Error(what, hint=hint, id=f"releasemgr.E{number:03}")


def _encryption_keys() -> list[CheckMessage]:
    if not settings.ENCRYPTION_KEYS:
        return [_error(5, "ENCRYPTION_KEYS is empty.", f"Set it to the output of: {NEW_KEY_COMMAND}")]
    errors = []
    for number, key in enumerate(settings.ENCRYPTION_KEYS, start=1):
        try:
            Fernet(key)
        except ValueError:
            # Never the key itself: this is printed.
            what = f"Key {number} of ENCRYPTION_KEYS is not 32 bytes in URL-safe base64."
            errors.append(_error(6, what, f"Make one with: {NEW_KEY_COMMAND}"))
    return errors


def check_default_password(
    app_configs: Sequence[AppConfig] | None = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Asks the database, so only when a server starts or for `manage.py check --database default`."""
    if not settings.PRODUCTION or not databases:
        return []
    try:
        people = list(get_user_model().objects.filter(is_active=True).order_by("created_at")[:OLDEST_PEOPLE])
    except OperationalError as exc:
        what = f"The database does not answer, so nobody knows whether the default password is in use: {exc}"
        return [_error(8, what, "Check DATABASE_URL and that the server runs.")]
    except DatabaseError:
        # Not migrated yet: nobody is there.
        return []
    return [
        _error(
            7,
            f"{person.get_username()} can log in with the default password.",
            f"Run: python manage.py changepassword {person.get_username()}",
        )
        for person in people
        if person.check_password(DEFAULT_PASSWORD)
    ]


def refuse_unsafe_start() -> None:
    """End the process with one sentence for each thing that production must not run with."""
    if not settings.PRODUCTION:
        return
    # An ASGI server imports us inside its event loop, where Django refuses to ask the database.
    with ThreadPoolExecutor(max_workers=1) as thread:
        errors = thread.submit(_serious_errors).result()
    if errors:
        lines = [f"- {error.msg} {error.hint or ''}".rstrip() for error in errors]
        raise SystemExit("\n".join(["Release Manager does not start with ENVIRONMENT=production:", *lines]))


def _serious_errors() -> list[CheckMessage]:
    try:
        found = run_checks(tags=[PRODUCTION]) + run_checks(tags=[Tags.database], databases=["default"])
        return [error for error in found if error.is_serious()]
    finally:
        connection.close()
