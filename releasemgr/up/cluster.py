"""Phase four: the first Kubernetes cluster, either the person's own or the sandbox."""

import re
from pathlib import Path

import yaml

from releasemgr.up import ports
from releasemgr.up.errors import StartError


def cluster_name(kubeconfig: Path) -> str:
    """The current context's name, as a short name for pages and addresses."""
    try:
        content = yaml.safe_load(kubeconfig.read_text())
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise StartError(f"KUBECONFIG={kubeconfig} cannot be read as YAML: {str(error).splitlines()[0]}.") from error
    context = content.get("current-context") if isinstance(content, dict) else None
    if not context:
        raise StartError(
            f"KUBECONFIG={kubeconfig} names no current-context, so it is unclear which cluster to register; "
            "choose one with `kubectl config use-context NAME`."
        )
    return re.sub(r"[^a-z0-9]+", "-", str(context).lower()).strip("-")[:50] or "cluster"


def sandbox_port(state: Path) -> int:
    """The same port as last time where it is free, because the registered cluster names it."""
    remembered = state / "port"
    try:
        preferred = int(remembered.read_text())
    except (FileNotFoundError, ValueError):
        preferred = None
    port = ports.choose(preferred)
    state.mkdir(parents=True, exist_ok=True)
    remembered.write_text(str(port))
    return port
