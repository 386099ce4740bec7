"""The kinds of one cluster: those that every server knows, and those that CustomResourceDefinitions make.

Simpler than a real server: each served version of a custom kind keeps objects of its own, none is converted.
"""

from collections.abc import Mapping
from typing import Any

from deployments.sandbox.kinds import BY_NAME, BY_PATH, KINDS, Kind
from deployments.sandbox.objects import Object, find_condition, name_of

_OBJECT_META = {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
_TEXT = {"type": "string"}


class KnownKinds:
    """Found by path or by name, as the server's own kinds are in `kinds`."""

    def __init__(self) -> None:
        self._custom: dict[str, tuple[Kind, ...]] = {}

    def all(self) -> list[Kind]:
        return [*KINDS, *(kind for found in self._custom.values() for kind in found)]

    def by_path(self, group: str, version: str, plural: str) -> Kind | None:
        found = BY_PATH.get((group, version, plural))
        wanted = (group, version, plural)
        return found or next((k for k in self._all_custom() if (k.group, k.version, k.plural) == wanted), None)

    def by_name(self, api_version: str, kind: str) -> Kind:
        """Raises KeyError."""
        found = BY_NAME.get((api_version, kind))
        found = found or next((k for k in self._all_custom() if (k.api_version, k.kind) == (api_version, kind)), None)
        if found is None:
            raise KeyError(f"{kind} in {api_version}")
        return found

    def of(self, definition: str) -> tuple[Kind, ...]:
        """The kinds that the definition of this name makes, one for each version."""
        return self._custom.get(definition, ())

    def define(self, definition: Object) -> None:
        self._custom[name_of(definition)] = tuple(_kinds_of(definition))

    def forget(self, definition: str) -> None:
        self._custom.pop(definition, None)

    def _all_custom(self) -> list[Kind]:
        return self.all()[len(KINDS) :]


def is_established(definition: Object) -> bool:
    return (find_condition(definition.get("status") or {}, "Established") or {}).get("status") == "True"


def _kinds_of(definition: Object) -> list[Kind]:
    spec = definition["spec"]
    names = spec["names"]
    return [
        Kind(
            group=spec["group"],
            version=version["name"],
            plural=names["plural"],
            kind=names["kind"],
            singular=names.get("singular") or names["kind"].lower(),
            namespaced=spec["scope"] == "Namespaced",
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            subresources=("status",) if "status" in (version.get("subresources") or {}) else (),
            generation=True,
            schema=_schema((version.get("schema") or {}).get("openAPIV3Schema") or {}),
        )
        for version in spec.get("versions") or ()
        if version.get("served")
    ]


def _schema(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """With what every object has; a schema that knows no fields takes any `spec` and `status`."""
    fields = raw.get("properties") or ({"spec": {}, "status": {}} if raw.get(_PRESERVE) else {})
    return {
        **raw,
        "properties": {**fields, "apiVersion": _TEXT, "kind": _TEXT, "metadata": {**_OBJECT_META, "default": {}}},
    }


_PRESERVE = "x-kubernetes-preserve-unknown-fields"
