"""What the environment (and `.env.local`) asks `make up` to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from releasemgr.up.errors import StartError

WILDCARD_HOSTS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - recognised, not bound


@dataclass(frozen=True)
class Configuration:
    root: Path
    bind: str
    port: int
    database_url: str | None
    kubeconfig: Path | None

    @property
    def state(self) -> Path:
        return self.root / ".local"

    @property
    def reachable_host(self) -> str:
        host = WILDCARD_HOSTS.get(self.bind, self.bind)
        return f"[{host}]" if ":" in host else host

    @property
    def address(self) -> str:
        return f"http://{self.reachable_host}:{self.port}/"


def read_configuration(root: Path, environment: Mapping[str, str]) -> Configuration:
    """Raises StartError for what can be seen to be wrong without trying it."""
    if environment.get("ENVIRONMENT", "development") == "production":
        raise StartError(
            "`make up` is for development and was not started with ENVIRONMENT=production; "
            "use the container image or the Helm chart in deploy/ there."
        )
    return Configuration(
        root=root,
        bind=environment.get("BIND", "127.0.0.1"),
        port=_port(environment.get("PORT", "8000")),
        database_url=environment.get("DATABASE_URL") or None,
        kubeconfig=_kubeconfig(environment.get("KUBECONFIG", "")),
    )


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise StartError(f"PORT={text} is no port number; choose one from 1 to 65535, for example `PORT=8001 make up`.")
    return int(text)


def _kubeconfig(text: str) -> Path | None:
    if not text:
        return None
    path = Path(text).expanduser()
    if not path.is_file():
        raise StartError(
            f"KUBECONFIG={text} is not one readable file; name the file of the first cluster, "
            "or unset KUBECONFIG to use the sandbox cluster."
        )
    return path.resolve()
