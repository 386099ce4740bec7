"""Dump and restore with the server's own programs: for backups and for the move to a new PostgreSQL version."""

import os
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from releasemgr.embedded import binaries
from releasemgr.embedded.errors import EmbeddedDatabaseError
from releasemgr.embedded.state import DATABASE

INCOMING = f"{DATABASE}_incoming"


def dump(url: str, file: Path) -> None:
    """Writes a custom-format archive, readable by its owner only; an existing file is replaced when all went well."""
    unfinished = file.with_name(f"{file.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    try:
        _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={unfinished}", url=url)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def restore(url: str, file: Path) -> None:
    """Loads an archive into a database beside, then takes the old one's place: a bad archive changes nothing."""
    if not file.is_file():
        raise EmbeddedDatabaseError(f"{file} does not exist, so nothing was restored.")
    incoming, current = sql.Identifier(INCOMING), sql.Identifier(DATABASE)
    with psycopg.connect(url, dbname="postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(incoming))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(incoming))
        into = f"{url.rpartition('/')[0]}/{INCOMING}"
        _run("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={INCOMING}", str(file), url=into)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(current))
        connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(incoming, current))


def _run(program: str, *arguments: str, url: str) -> None:
    # By environment: a command line, and with it a password, can be read by every account of the machine.
    target = psycopg.conninfo.conninfo_to_dict(url)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PGHOST": str(target["host"]),
        "PGPORT": str(target["port"]),
        "PGUSER": str(target["user"]),
        "PGPASSWORD": str(target["password"]),
        "PGDATABASE": str(target["dbname"]),
    }
    command = [str(binaries.find_programs() / program), *arguments]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise EmbeddedDatabaseError(f"{program} failed, so nothing was changed: {answer.stderr.strip()}")
