"""Makes a new data directory, and gives an old one new passwords when the remembered ones were lost."""

import os
import shutil
from pathlib import Path

from releasemgr.embedded.account import Account
from releasemgr.embedded.binaries import major_version
from releasemgr.embedded.errors import EmbeddedDatabaseError
from releasemgr.embedded.state import ROLE, SUPERUSER, State

FIRST_MAJOR_WITH_BUILTIN_LOCALES = 17


def create_data(programs: Path, account: Account, state: State) -> None:
    """Builds beside and renames, so that a killed initdb never looks like a database."""
    unfinished = state.data.with_name("data.unfinished")
    password_file = state.data.with_name("password.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    password_file.unlink(missing_ok=True)
    unfinished.mkdir(mode=0o700)
    account.own(unfinished)
    with os.fdopen(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(state.superuser_password)
    account.own(password_file)
    try:
        answer = account.run(
            [programs / "initdb", "-D", unfinished, "-U", SUPERUSER, f"--pwfile={password_file}", *_options(programs)]
        )
    finally:
        password_file.unlink()
    if answer.returncode != 0:
        raise EmbeddedDatabaseError(f"The database could not be created in {state.home}: {answer.stdout.strip()}")
    unfinished.rename(state.data)


def require_same_major(programs: Path, data: Path) -> None:
    written_by, have = int((data / "PG_VERSION").read_text()), major_version(programs)
    if written_by != have:
        raise EmbeddedDatabaseError(
            f"The data in {data} was written by PostgreSQL {written_by}, but {programs} holds PostgreSQL {have}. "
            f"Set POSTGRES_BIN to PostgreSQL {written_by}, run `python -m releasemgr.embedded dump FILE`, move the "
            "directory away, and `restore FILE` with the new version."
        )


def reset_passwords(programs: Path, account: Account, state: State) -> None:
    """For data whose state file was lost; needs a stopped server (single-user mode asks for no password)."""
    # A role may be missing when the very first start was killed, hence the DO block; passwords are URL-safe text.
    statements = (
        f"ALTER ROLE {SUPERUSER} PASSWORD '{state.superuser_password}';\n"
        f"DO $$ BEGIN ALTER ROLE {ROLE} PASSWORD '{state.password}'; EXCEPTION WHEN undefined_object THEN END $$;\n"
    )
    answer = account.run([programs / "postgres", "--single", "-D", state.data, "postgres"], stdin=statements)
    if answer.returncode != 0 or "ERROR:" in answer.stdout:
        raise EmbeddedDatabaseError(f"The passwords of {state.data} could not be reset: {answer.stdout.strip()}")


def _options(programs: Path) -> list[str]:
    options = ["--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions"]
    if major_version(programs) < FIRST_MAJOR_WITH_BUILTIN_LOCALES:
        return [*options, "--locale=C.UTF-8"]
    return [*options, "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
