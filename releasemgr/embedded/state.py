"""What is remembered between runs beside the data: port, passwords and where the data lies."""

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from releasemgr.embedded.errors import EmbeddedDatabaseError

HOST = "127.0.0.1"
ROLE = "releasemgr"
DATABASE = "releasemgr"
SUPERUSER = "postgres"


def _new_password() -> str:
    return secrets.token_urlsafe(24)


@dataclass(frozen=True)
class State:
    """`home` holds `data/` and `postgres.log`: the state directory, or elsewhere when the account cannot reach that."""

    home: str
    port: int
    superuser_password: str = field(default_factory=_new_password, repr=False)
    password: str = field(default_factory=_new_password, repr=False)

    @property
    def data(self) -> Path:
        return Path(self.home) / "data"

    @property
    def log(self) -> Path:
        return Path(self.home) / "postgres.log"

    @property
    def url(self) -> str:
        return f"postgresql://{ROLE}:{self.password}@{HOST}:{self.port}/{DATABASE}"


def load(state_dir: Path) -> State | None:
    """The remembered state, or None when there is none or it cannot be understood. Raises PermissionError."""
    try:
        return State(**json.loads((state_dir / "state.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def save(state_dir: Path, state: State) -> None:
    unfinished = state_dir / "state.json.unfinished"
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(state), file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(state_dir / "state.json")


@contextlib.contextmanager
def locked(state_dir: Path) -> Iterator[None]:
    """One process at a time starts or stops this server; the kernel frees the lock when its holder dies."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except PermissionError as error:
        raise EmbeddedDatabaseError(
            f"{error.filename} cannot be opened: it was made by another user. Run as that user, or remove {state_dir}."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
