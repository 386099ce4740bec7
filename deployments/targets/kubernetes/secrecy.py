"""What of an object nobody may see. Pure.

A Secret is known by its kind alone, in any group and any spelling, wherever it stands in an object; of it only what is
listed here may be shown. Whatever compares must compare first and hide afterwards, or two secrets look the same.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

HIDDEN = "•••"
# Of a value or of an environment variable: what stands under it is nobody's business, wherever it is written.
TELLING_NAME = re.compile(r"pass|token|secret|credential|private|api_?key|access_?key|key$|auth|dsn|connection", re.I)
# What kubectl, kapp, helm's and rancher's tools remember of an object: the whole of it, data included.
COPIES = ("last-applied", "objectset.rio.cattle.io", "kapp.k14s.io/original", "original-configuration")
SHOWN_OF_A_SECRET = frozenset({"apiVersion", "kind", "type", "immutable"})
# Where the names of what is inside may be told; anywhere else a name may be a value.
OPEN_IN_A_SECRET = frozenset(
    {(), ("data",), ("stringData",), ("metadata",), ("metadata", "labels"), ("metadata", "annotations")}
)


def is_secret(value: Any) -> bool:
    return isinstance(value, Mapping) and str(value.get("kind", "")).strip().lower() == "secret"


def as_stored(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Secret with its texts where the server keeps them; anything else, and what the server would refuse, as it is.

    An apply owns what it names: texts sent as `stringData` would be owned under that name only, so a key that the next
    release leaves out would stay in the cluster for ever.
    """
    texts, data = item.get("stringData"), item.get("data") or {}
    if not (is_secret(item) and isinstance(texts, Mapping) and isinstance(data, Mapping)):
        return item
    if not all(isinstance(text, str) for text in texts.values()):
        return item
    coded = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
    return {name: value for name, value in item.items() if name != "stringData"} | {"data": {**data, **coded}}


def is_telling_variable(value: Mapping[str, Any]) -> bool:
    """Whether it is an environment variable whose name says that its value, which stands right there, is secret."""
    return isinstance(value.get("value"), str) and bool(TELLING_NAME.search(str(value.get("name", ""))))


def is_value_of_telling_variable(path: Sequence[str]) -> bool:
    """As a path to it: `…, env, DB_PASSWORD, value`. A reference to a Secret may be shown."""
    tail = path[-3:] if path[-1:] == ("value",) else (*path[-2:], "value")
    return len(tail) == 3 and tail[0] == "env" and bool(TELLING_NAME.search(tail[1]))


def is_copy(annotation: str) -> bool:
    """Whether an annotation of this name may hold a copy of the object."""
    return any(word in annotation.lower() for word in COPIES)


def may_be_shown(of_secret: Sequence[str]) -> bool:
    """`of_secret` is the path inside of a Secret: its fields by name, its labels, no annotation and no data."""
    if len(of_secret) == 1:
        return of_secret[0] in SHOWN_OF_A_SECRET
    return of_secret[:1] == ("metadata",) and of_secret[1] in {"name", "namespace", "labels"}


def concealed(value: Any) -> Any:
    """A copy in which the Secrets inside are hidden: for values that are shown as a whole."""
    if isinstance(value, Mapping):
        if is_secret(value):
            return {name: each if name in SHOWN_OF_A_SECRET else HIDDEN for name, each in value.items()}
        shown = {name: HIDDEN if is_copy(str(name)) else concealed(each) for name, each in value.items()}
        return shown | {"value": HIDDEN} if is_telling_variable(value) else shown
    return [concealed(each) for each in value] if isinstance(value, list) else value
