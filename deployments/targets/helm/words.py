"""What Helm says when it fails: whether that may pass, and without what the values and Secrets hold. Pure."""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from deployments.targets.kubernetes.secrecy import TELLING_NAME

HIDDEN = "•••"
# Shorter texts stand everywhere, and hide nothing.
SHORTEST = 4
# Helm and Go give no codes for these.
_PASSING = re.compile(
    r"connection refused|connection reset|i/o timeout|TLS handshake timeout|no such host|\bEOF\b|unreachable"
    r"|context deadline exceeded|Too Many Requests|ServiceUnavailable|currently unable to handle|etcdserver"
    r"|another operation \(install/upgrade/rollback\) is in progress|the object has been modified|try again"
    r'|Internal error occurred|"sh\.helm\.release[^"]*" already exists',
    re.I,
)
_FINAL = re.compile(r"asked for the client to provide credentials|Unauthorized|forbidden|timed out waiting", re.I)


def may_pass(kind: str, message: str) -> bool:
    """Whether asking again may help. `kind` is the name of the library's exception."""
    if _FINAL.search(message):
        return False
    return kind in ("HelmPanicError", "HelmCancelledError") or bool(_PASSING.search(message))


def without_secrets(text: str, holders: Iterable[Mapping[str, Any]]) -> str:
    """`text` without the values that stand under telling names in `holders`, or in a Secret."""
    found = {value for holder in holders for value in _secrets(holder)}
    # Also as a Secret holds them, which is how most charts write them.
    found |= {base64.b64encode(value.encode()).decode() for value in found}
    for value in sorted(found, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text


def _secrets(holder: Mapping[str, Any]) -> Iterator[str]:
    if holder.get("kind") == "Secret":
        for value in _texts(holder.get("stringData")):
            yield value
        for value in _texts(holder.get("data")):
            yield value
            yield from _decoded(value)
        return
    yield from _under_telling_names(holder, is_secret=False)


def _under_telling_names(value: Any, *, is_secret: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _under_telling_names(each, is_secret=is_secret or bool(TELLING_NAME.search(str(name))))
    elif isinstance(value, list):
        for each in value:
            yield from _under_telling_names(each, is_secret=is_secret)
    elif is_secret and isinstance(value, str) and len(value) >= SHORTEST:
        yield value


def _texts(values: Any) -> Iterator[str]:
    found = values.values() if isinstance(values, Mapping) else ()
    return (value for value in found if isinstance(value, str) and len(value) >= SHORTEST)


def _decoded(value: str) -> Iterator[str]:
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return
    if len(text) >= SHORTEST:
        yield text
