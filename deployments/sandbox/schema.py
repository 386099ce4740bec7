"""The types of the API's fields, read from the server's own OpenAPI documents in `openapi/`.

A document is parsed when its group is first used, so that starting costs nothing.
"""

import gzip
import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal

from deployments.sandbox.kinds import Kind

Shape = Literal["scalar", "struct", "map", "list"]

_REF = "#/components/schemas/"


def document_name(api_version: str) -> str:
    """`apps/v1` → the file's name in `openapi/`."""
    prefix = "apis_" if "/" in api_version else "api_"
    return prefix + api_version.replace("/", "_") + ".json.gz"


def read_document(api_version: str) -> bytes:
    """The OpenAPI v3 document as JSON. Raises FileNotFoundError for a group that this server does not know."""
    packed = resources.files("deployments.sandbox") / "openapi" / document_name(api_version)
    return gzip.decompress(packed.read_bytes())


class Node:
    """The type of one value. `keys` names a list's map keys; an atomic value is owned and replaced as a whole.

    `embedded`: the field is always there in the server's own representation, so nobody owns its mere presence.
    """

    __slots__ = ("_fields", "_item", "_raw", "_schemas", "atomic", "embedded", "is_set", "keys", "scalar_type", "shape")

    def __init__(self, raw: Mapping[str, Any], schemas: Mapping[str, Any]) -> None:
        self._schemas = schemas
        self.embedded = raw.get("default") == {}
        raw = _resolved(raw, schemas)
        self._raw = raw
        self._fields: dict[str, Node] | None = None
        self._item: Node | None = None
        self.keys: tuple[str, ...] = tuple(raw.get("x-kubernetes-list-map-keys", ()))
        self.shape: Shape = _shape(raw)
        list_type = raw.get("x-kubernetes-list-type", "atomic")
        self.is_set = self.shape == "list" and list_type == "set"
        self.atomic = (
            self.shape == "scalar"
            or raw.get("x-kubernetes-map-type") == "atomic"
            or (self.shape == "list" and list_type == "atomic")
        )
        self.scalar_type: str = raw.get("type", "any") if self.shape == "scalar" else ""

    @property
    def fields(self) -> dict[str, "Node"]:
        if self._fields is None:
            properties, required = self._raw.get("properties", {}), self._raw.get("required", ())
            self._fields = {name: Node(raw, self._schemas) for name, raw in properties.items()}
            for name in required:
                field = self._fields[name]
                field.embedded = field.embedded or field.shape == "list"
        return self._fields

    @property
    def item(self) -> "Node":
        """The type of a list's items or a map's values."""
        if self._item is None:
            raw = self._raw.get("items") or self._raw.get("additionalProperties") or {}
            self._item = Node(raw if isinstance(raw, dict) else {}, self._schemas)
        return self._item

    @property
    def merge_key(self) -> str | None:
        """The key by which a strategic merge patch matches a list's items."""
        key = self._raw.get("x-kubernetes-patch-merge-key")
        return str(key) if key and "merge" in str(self._raw.get("x-kubernetes-patch-strategy", "")) else None

    @property
    def merges_primitives(self) -> bool:
        return self.shape == "list" and "merge" in str(self._raw.get("x-kubernetes-patch-strategy", ""))

    @property
    def retains_keys(self) -> bool:
        return "retainKeys" in str(self._raw.get("x-kubernetes-patch-strategy", ""))

    def child(self, name: str) -> "Node | None":
        if self.shape == "map":
            return self.item
        return self.fields.get(name)

    def key_of(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """The values of an item's map keys, defaults filled in; a key without either is left out."""
        found: dict[str, Any] = {}
        for key in sorted(self.keys):
            field = self.item.fields[key]
            if key in item:
                found[key] = item[key]
            elif field._raw.get("default") not in (None, 0, ""):
                found[key] = field._raw["default"]
        return found


def _resolved(raw: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    ref = raw.get("$ref") or next((part["$ref"] for part in raw.get("allOf", ()) if "$ref" in part), None)
    if ref is None:
        return raw
    target = schemas[ref.removeprefix(_REF)]
    return {**_resolved(target, schemas), **{key: value for key, value in raw.items() if key.startswith("x-")}}


def _shape(raw: Mapping[str, Any]) -> Shape:
    if raw.get("type") == "array":
        return "list"
    if "properties" in raw:
        return "struct"
    if raw.get("type") == "object" and "additionalProperties" in raw:
        return "map"
    return "scalar"


@cache
def _schemas(api_version: str) -> tuple[Mapping[str, Any], Mapping[tuple[str, str, str], str]]:
    schemas = json.loads(read_document(api_version))["components"]["schemas"]
    names: dict[tuple[str, str, str], str] = {}
    for name, raw in schemas.items():
        for gvk in raw.get("x-kubernetes-group-version-kind", ()):
            names[(gvk["group"], gvk["version"], gvk["kind"])] = name
    return schemas, names


def schema_of(kind: Kind) -> Node:
    return _own_schema(kind) if kind.schema is None else Node(kind.schema, _schemas("v1")[0])


@cache
def _own_schema(kind: Kind) -> Node:
    schemas, names = _schemas(kind.api_version)
    return Node(schemas[names[(kind.group, kind.version, kind.kind)]], schemas)
