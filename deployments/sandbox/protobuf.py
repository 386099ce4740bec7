"""The binary form in which Go clients write Secrets, ConfigMaps and delete options. Nothing else is read in it.

An envelope (`k8s\\0` and a runtime.Unknown) holds the kind and the object; both are protocol buffers, whose field
numbers stand in Kubernetes' generated.proto files. Answers are always JSON, which every client takes.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

MAGIC = b"k8s\x00"
_VARINT, _LENGTH = 0, 2
# Field number → (name, shape). Fields that the server sets itself are left out: they would be ignored.
_META = {
    1: ("name", "text"),
    2: ("generateName", "text"),
    3: ("namespace", "text"),
    5: ("uid", "text"),
    6: ("resourceVersion", "text"),
    11: ("labels", "texts"),
    12: ("annotations", "texts"),
    14: ("finalizers", "list"),
}
_SHAPES: Mapping[str, Mapping[int, tuple[str, str]]] = {
    "Secret": {
        1: ("metadata", "meta"),
        2: ("data", "bytes"),
        3: ("type", "text"),
        4: ("stringData", "texts"),
        5: ("immutable", "bool"),
    },
    "ConfigMap": {1: ("metadata", "meta"), 2: ("data", "texts"), 3: ("binaryData", "bytes"), 4: ("immutable", "bool")},
    "DeleteOptions": {
        1: ("gracePeriodSeconds", "number"),
        2: ("preconditions", "preconditions"),
        4: ("propagationPolicy", "text"),
        5: ("dryRun", "list"),
    },
}
_PRECONDITIONS = {1: ("uid", "text"), 2: ("resourceVersion", "text")}


class UnknownMessage(ValueError):
    """Not an envelope, broken, or of a kind that is not read here."""


def decode(body: bytes) -> dict[str, Any]:
    """The object as JSON would say it. Raises UnknownMessage."""
    if not body.startswith(MAGIC):
        raise UnknownMessage
    envelope = dict(_fields(body[len(MAGIC) :]))
    type_meta = {number: _text(value) for number, value in _fields(_bytes(envelope.get(1, b"")))}
    kind = type_meta.get(2, "")
    if kind not in _SHAPES:
        raise UnknownMessage
    found = _message(_bytes(envelope.get(2, b"")), _SHAPES[kind])
    return {"apiVersion": type_meta.get(1, ""), "kind": kind, **found}


def _message(data: bytes, shape: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, value in _fields(data):
        name, what = shape.get(number, ("", ""))
        if what in ("texts", "bytes"):
            entry = dict(_fields(_bytes(value)))
            raw = _bytes(entry.get(2, b""))
            text = base64.b64encode(raw).decode() if what == "bytes" else _text(raw)
            found.setdefault(name, {})[_text(entry.get(1, b""))] = text
        elif what == "list":
            found.setdefault(name, []).append(_text(value))
        elif what in _NESTED:
            found[name] = _message(_bytes(value), _NESTED[what])
        elif what in ("bool", "number"):
            found[name] = bool(value) if what == "bool" else value
        elif what == "text" and value:
            # Go writes empty texts as well.
            found[name] = _text(value)
    return found


_NESTED: Mapping[str, Mapping[int, tuple[str, str]]] = {"meta": _META, "preconditions": _PRECONDITIONS}


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
        elif wire == _LENGTH:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise UnknownMessage
            yield number, data[at : at + length]
            at += length
        else:
            raise UnknownMessage


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
    raise UnknownMessage


def _bytes(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise UnknownMessage
    return value


def _text(value: bytes | int) -> str:
    return _bytes(value).decode("utf-8", "replace")
