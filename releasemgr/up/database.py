"""Phase one: a database that answers."""

from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from releasemgr.embedded import EmbeddedDatabaseError, ensure_running
from releasemgr.up.errors import StartError

CONNECT_TIMEOUT_SECONDS = 5


def start_embedded(state_dir: Path) -> str:
    try:
        return ensure_running(state_dir)
    except EmbeddedDatabaseError as error:
        raise StartError(str(error)) from error


def require_answer(url: str) -> None:
    """Raises StartError, without the password, when DATABASE_URL leads to no PostgreSQL database."""
    if not url.startswith(("postgresql://", "postgres://")):
        raise StartError(
            "DATABASE_URL is no PostgreSQL address; write it as postgresql://user:password@host:5432/name, "
            "or unset it to use the embedded PostgreSQL."
        )
    try:
        psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_SECONDS).close()
    except (psycopg.Error, UnicodeError) as error:
        raise StartError(
            f"The database of DATABASE_URL cannot be used: {_reason(error, url)}. Start that server, correct the "
            "variable, or unset it to use the embedded PostgreSQL."
        ) from error


def _reason(error: Exception, url: str) -> str:
    # libpq adds hints and a line for each address; the cause stands where something failed.
    lines = [line.strip() for line in str(error).splitlines()]
    reason = next((line for line in lines if "failed: " in line), lines[0]).rstrip(".")
    try:
        password = urlsplit(url).password
    except ValueError:
        return "it cannot be read as an address"
    return reason.replace(password, "***") if password else reason
