"""The system account that the server runs as: PostgreSQL refuses to run as root."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from releasemgr.embedded.errors import EmbeddedDatabaseError

OWN_NAME = "releasemgr"


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int

    def run(
        self, command: list[str | Path], *, stdin: str = "", stderr: IO[bytes] | int = subprocess.STDOUT
    ) -> subprocess.CompletedProcess[str]:
        """Runs a short program as this account; output is in `stdout`, never raises on a bad exit code."""
        # PG* variables of the person's shell (PGOPTIONS, PGDATA ...) must not leak into the server.
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
        return subprocess.run(
            command,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            check=False,
            env=environment,
            cwd="/",
            start_new_session=True,
            user=self.uid if self._is_other else None,
            group=self.gid if self._is_other else None,
            extra_groups=[] if self._is_other else None,
        )

    def can_enter(self, directory: Path) -> bool:
        """Asks the kernel as the account itself, so that access lists and odd mounts count too."""
        return self.run(["test", "-x", directory]).returncode == 0

    def own(self, path: Path) -> None:
        if self._is_other:
            os.chown(path, self.uid, self.gid)

    @property
    def _is_other(self) -> bool:
        return self.uid != os.geteuid()


def server_account(data: Path) -> Account:
    """Whoever owns existing data; for new data the person, or a service account when that is root."""
    if data.exists():
        return _owner(data)
    if os.geteuid() != 0:
        return _account(pwd.getpwuid(os.geteuid()))
    return _service_account()


def _owner(data: Path) -> Account:
    uid = data.stat().st_uid
    try:
        owner = pwd.getpwuid(uid)
    except KeyError:
        owner = None
    if owner is None or os.geteuid() not in (0, uid):
        raise EmbeddedDatabaseError(
            f"The database in {data} belongs to {owner.pw_name if owner else f'the unknown user {uid}'}. "
            "Run as the user who made it (or as root), or move the directory away to begin with an empty one."
        )
    return _account(owner)


def _service_account() -> Account:
    found = _lookup("postgres") or _lookup(OWN_NAME)
    if found is None:
        _create_own_account()
        found = _lookup(OWN_NAME) or _lookup("nobody")
    if found is None:
        raise EmbeddedDatabaseError(
            "PostgreSQL cannot run as root, and no service account could be made. Run as an ordinary user, "
            f"or create one with `useradd --system {OWN_NAME}`."
        )
    return found


def _create_own_account() -> None:
    command = ["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin"]
    try:
        subprocess.run([*command, OWN_NAME], capture_output=True, check=False)
    except FileNotFoundError:
        return  # an image without useradd: the caller falls back to `nobody`


def _lookup(name: str) -> Account | None:
    try:
        return _account(pwd.getpwnam(name))
    except KeyError:
        return None


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)
