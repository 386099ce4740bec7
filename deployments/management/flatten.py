"""A kubeconfig from this machine's disk, with the files that it names put inline.

Only for commands run by somebody who may read those files anyway; over the web such references are refused.
"""

import base64
from pathlib import Path
from typing import Any

import yaml

from releasemgr.core.errors import Invalid

EMBEDDED = {
    "certificate-authority": "certificate-authority-data",
    "client-certificate": "client-certificate-data",
    "client-key": "client-key-data",
}


def read_kubeconfig_file(path: Path) -> str:
    """YAML text without references to files. Raises Invalid naming what cannot be read."""
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as exc:
        raise Invalid(f"{path} cannot be read: {exc}") from None
    except yaml.YAMLError:
        raise Invalid(f"{path} is not valid YAML.") from None
    if not isinstance(content, dict):
        raise Invalid(f"{path} is no kubeconfig: it must be a mapping with clusters, contexts and users.")
    for section, entry in (("clusters", "cluster"), ("users", "user")):
        for item in content.get(section) or []:
            if isinstance(item, dict) and isinstance(item.get(entry), dict):
                _embed(item[entry], path.parent)
    return yaml.safe_dump(content, sort_keys=True)


def _embed(entry: dict[str, Any], folder: Path) -> None:
    for name, inline in EMBEDDED.items():
        if reference := entry.pop(name, None):
            entry.setdefault(inline, base64.b64encode(_read(folder / str(reference))).decode())
    if reference := entry.pop("tokenFile", None):
        entry.setdefault("token", _read(folder / str(reference)).decode().strip())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise Invalid(f"The kubeconfig names {path}, which cannot be read: {exc.strerror}.") from None
