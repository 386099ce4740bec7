"""The file by which clients find the cluster."""

import base64
import os
from pathlib import Path
from typing import Any

import yaml

from deployments.sandbox.identity import Identity


def kubeconfig(url: str, identity: Identity, certificate: str = "") -> dict[str, Any]:
    """`certificate`: the PEM by which the server is known, when it speaks TLS."""
    cluster = {"server": url}
    if certificate:
        cluster["certificate-authority-data"] = base64.b64encode(certificate.encode()).decode()
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "sandbox", "cluster": cluster}],
        "users": [{"name": identity.user, "user": {"token": identity.token}}],
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": identity.user}}],
        "current-context": "sandbox",
    }


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read; readers see the old or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)


def write_kubeconfig(path: Path, config: dict[str, Any]) -> None:
    write_private(path, yaml.safe_dump(config, sort_keys=False))
