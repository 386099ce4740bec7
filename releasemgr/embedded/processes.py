"""Which process is really the server of a data directory: a pid alone may be reused, or a zombie."""

import contextlib
import os
import subprocess
from pathlib import Path


def postmaster_pid(data: Path) -> int | None:
    """The living server of this data directory, whatever `postmaster.pid` claims."""
    lines = _pid_file(data)
    if not lines or not lines[0].strip().isdigit():
        return None
    pid = int(lines[0])
    return pid if is_postmaster(pid, data) else None


def postmaster_port(data: Path) -> int | None:
    lines = _pid_file(data)
    return int(lines[3]) if len(lines) > 3 and lines[3].strip().isdigit() else None


def remove_stale_pid_file(data: Path) -> None:
    """PostgreSQL refuses to start while the pid in the file exists, even if a stranger got that number meanwhile."""
    if postmaster_pid(data) is None:
        (data / "postmaster.pid").unlink(missing_ok=True)


def is_postmaster(pid: int, data: Path) -> bool:
    return is_alive(pid) and f"-D {data} " in _command_line(pid)


def is_alive(pid: int) -> bool:
    """Alive and not a zombie (in a container nobody may collect those)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # alive, and somebody else's
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return not Path("/proc/self").exists()


def _command_line(pid: int) -> str:
    if Path("/proc/self").exists():
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
        return ""
    return subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout


def _pid_file(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []
