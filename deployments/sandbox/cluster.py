"""Creating, changing and reading objects, with everything the server does around a write.

The order is the real server's: namespace, schema, defaults, ownership, the server's own fields, validation, quota.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from deployments.sandbox import kinds
from deployments.sandbox.apply import apply
from deployments.sandbox.defaults import with_defaults
from deployments.sandbox.deletion import remove_now
from deployments.sandbox.errors import (
    ApiError,
    already_exists,
    bad_request,
    forbidden,
    modified_meanwhile,
    not_found,
    uid_precondition,
)
from deployments.sandbox.kinds import Kind
from deployments.sandbox.managed import Writer, record_update, same_apart_from_times
from deployments.sandbox.objects import (
    Object,
    clone,
    is_terminating,
    name_of,
    namespace_of,
    random_suffix,
    uid_of,
    with_metadata,
)
from deployments.sandbox.quota import check_quota
from deployments.sandbox.schema import schema_of
from deployments.sandbox.store import Store
from deployments.sandbox.strategies import prepared_for_create, prepared_for_update, without_server_fields
from deployments.sandbox.typecheck import SchemaError, check_typed, find_mistyped, prune_unknown
from deployments.sandbox.validation import validate


@dataclass(slots=True)
class WriteOptions:
    """What the query of a write says. `warnings` collects what goes into Warning headers."""

    manager: str = "unknown"
    dry_run: bool = False
    force: bool = False
    field_validation: str = "Warn"
    warnings: list[str] = field(default_factory=list)


class Cluster:
    def __init__(self, store: Store) -> None:
        self.store = store

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        found = self.store.get(kind, namespace, name)
        if found is None:
            raise not_found(kind, name)
        return found

    def create(self, kind: Kind, namespace: str, body: Object, options: WriteOptions) -> Object:
        self._require_namespace(kind, namespace)
        obj = _decoded(kind, body, namespace, options)
        obj = without_server_fields(obj)
        generated = obj["metadata"].get("generateName", "")
        if not name_of(obj):
            if not generated:
                raise _unnamed(kind)
            obj = with_metadata(obj, name=generated + random_suffix())
        if self.store.get(kind, namespace, name_of(obj)):
            raise already_exists(kind, name_of(obj))
        obj = with_defaults(kind, obj)
        writer = Writer(options.manager, "Update", kind.api_version)
        obj = record_update(None, obj, schema_of(kind), writer, ignore=_ignored(kind))
        return self._insert(kind, obj, options)

    def update(
        self, kind: Kind, namespace: str, name: str, body: Object, options: WriteOptions, subresource: str = ""
    ) -> Object:
        old = self.get(kind, namespace, name)
        new = _decoded(kind, body, namespace, options)
        if name_of(new) != name:
            raise bad_request(f"the name of the object ({name_of(new)}) does not match the name on the URL ({name})")
        return self._replace(kind, old, new, options, subresource)

    def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        change: Callable[[Object], Any],
        options: WriteOptions,
        subresource: str = "",
    ) -> Object:
        """`change` turns the object as it is into the object as it should be."""
        old = self.get(kind, namespace, name)
        new = _decoded(kind, change(clone(old)), namespace, options)
        if name_of(new) != name or namespace_of(new) != namespace_of(old):
            raise bad_request("metadata.name and metadata.namespace may not be changed by a patch")
        return self._replace(kind, old, new, options, subresource)

    def apply(
        self, kind: Kind, namespace: str, name: str, body: Object, options: WriteOptions, subresource: str = ""
    ) -> tuple[Object, bool]:
        """Server-side apply. Returns the object and whether it was created."""
        live = self.store.get(kind, namespace, name)
        config = _applied(kind, namespace, name, body)
        if live is None:
            if subresource:
                raise not_found(kind, name)
            self._require_namespace(kind, namespace)
        _check_preconditions(kind, live, config)
        writer = Writer(options.manager, "Apply", kind.api_version, subresource)
        ignore = _ignored(kind, subresource)
        merged = apply(live, config, schema_of(kind), writer, force=options.force, ignore=ignore)
        if live is None:
            merged = {"kind": kind.kind, "apiVersion": kind.api_version, **merged}
            return self._insert(kind, with_defaults(kind, without_server_fields_but_owners(merged)), options), True
        if subresource == "status":
            new = {**live, "status": merged.get("status", {})}
            new = with_metadata(new, managedFields=merged["metadata"].get("managedFields"))
        else:
            new = prepared_for_update(kind, live, with_defaults(kind, merged))
        if same_apart_from_times(live, new):
            return live, False
        validate(kind, new, live)
        return self._store(kind, new, options), False

    def answered_review(self, body: Object, status: Object, options: WriteOptions) -> Object:
        """An access review with its answer; it is never stored."""
        kind = kinds.ACCESS_REVIEW
        obj = {name: value for name, value in _decoded(kind, body, "", options).items() if name != "status"}
        writer = Writer(options.manager, "Update", kind.api_version)
        return {**record_update(None, obj, schema_of(kind), writer, ignore=("status",)), "status": status}

    def write_status(self, kind: Kind, obj: Object, status: Object, manager: str, **metadata: Any) -> Object:
        """A controller's status update on the object as it is now; unchanged status is not written."""
        current = self.store.get(kind, namespace_of(obj), name_of(obj))
        if current is None or uid_of(current) != uid_of(obj):
            return obj
        new = {**current, "status": status}
        if metadata:
            new = with_metadata(new, **metadata)
        if new == current:
            return current
        writer = Writer(manager, "Update", kind.api_version, "status")
        return self.store.put(kind, record_update(current, new, schema_of(kind), writer))

    def write(self, kind: Kind, new: Object, manager: str) -> Object:
        """A controller's update of spec or metadata; `new` is built on the object as it is now."""
        current = self.get(kind, namespace_of(new), name_of(new))
        return self._replace(kind, current, new, WriteOptions(manager=manager), "")

    def _replace(self, kind: Kind, old: Object, new: Object, options: WriteOptions, subresource: str) -> Object:
        _check_preconditions(kind, old, new)
        writer = Writer(options.manager, "Update", kind.api_version, subresource)
        new = {**old, "status": new.get("status", {})} if subresource == "status" else with_defaults(kind, new)
        bare, ignore = with_metadata(new, managedFields=None), _ignored(kind, subresource)
        new = record_update(old, bare, schema_of(kind), writer, ignore=ignore)
        if subresource != "status":
            new = prepared_for_update(kind, old, new)
        if same_apart_from_times(old, new):
            return old
        validate(kind, new, old)
        if _may_go(kind, new):
            if not options.dry_run:
                remove_now(self.store, kind, new)
            return new
        return self._store(kind, new, options)

    def _insert(self, kind: Kind, obj: Object, options: WriteOptions) -> Object:
        obj = prepared_for_create(kind, obj)
        validate(kind, obj, None)
        check_quota(self.store, kind, obj)
        return self._store(kind, obj, options)

    def _store(self, kind: Kind, obj: Object, options: WriteOptions) -> Object:
        return obj if options.dry_run else self.store.put(kind, obj)

    def _require_namespace(self, kind: Kind, namespace: str) -> None:
        if not kind.namespaced:
            return
        found = self.store.get(kinds.NAMESPACE, "", namespace)
        if found is None:
            raise not_found(kinds.NAMESPACE, namespace)
        if is_terminating(found):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise forbidden(kind, "", why)


def _may_go(kind: Kind, obj: Object) -> bool:
    """Whether nothing holds a deleted object any more: no finalizer, and no node that still runs the pod."""
    if not is_terminating(obj) or obj["metadata"].get("finalizers") or kind is kinds.NAMESPACE:
        return False
    return kind is not kinds.POD or obj["metadata"].get("deletionGracePeriodSeconds") == 0


def without_server_fields_but_owners(obj: Object) -> Object:
    owners = obj["metadata"].get("managedFields")
    return with_metadata(without_server_fields(obj), managedFields=owners)


def _ignored(kind: Kind, subresource: str = "") -> tuple[str, ...]:
    """Top-level fields that this endpoint does not write."""
    if "status" not in kind.subresources:
        return ()
    return ("spec",) if subresource == "status" else ("status",)


def _unnamed(kind: Kind) -> ApiError:
    cause = {
        "reason": "FieldValueRequired",
        "message": "Required value: name or generateName is required",
        "field": "metadata.name",
    }
    message = f'{kind.kind} "" is invalid: metadata.name: Required value: name or generateName is required'
    details = {"group": kind.group, "kind": kind.kind, "causes": [cause]}
    return ApiError(422, message, "Invalid", details)


def _check_identity(kind: Kind, body: Any) -> None:
    if not isinstance(body, dict):
        raise bad_request("the object provided is unrecognized: must be of type Object")
    for name, wanted in (("apiVersion", kind.api_version), ("kind", kind.kind)):
        if body.get(name, wanted) != wanted:
            said = f"{body.get('kind', kind.kind)} in version {body.get('apiVersion', kind.api_version)}"
            raise bad_request(
                f"the object provided ({said}) does not match the expected {kind.kind} in version {kind.api_version}"
            )


def _decoded(kind: Kind, body: Any, namespace: str, options: WriteOptions) -> Object:
    """The body as a typed object: identity checked, types checked, unknown fields dropped or refused."""
    _check_identity(kind, body)
    node = schema_of(kind)
    if mistyped := find_mistyped(body, node):
        path, value, wanted = mistyped
        raise bad_request(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: json: cannot unmarshal '
            f"{_json_type(value)} into Go struct field {kind.kind}{path} of type {wanted}"
        )
    unknown: list[str] = []
    obj = prune_unknown({"kind": kind.kind, "apiVersion": kind.api_version, **body}, node, unknown.append)
    if unknown and options.field_validation == "Strict":
        raise bad_request("strict decoding error: " + ", ".join(f'unknown field "{path}"' for path in unknown))
    if options.field_validation == "Warn":
        options.warnings += [f'unknown field "{path}"' for path in unknown]
    return _in_namespace(kind, {**obj, "metadata": obj.get("metadata") or {}}, namespace)


def _in_namespace(kind: Kind, obj: Object, namespace: str) -> Object:
    said = namespace_of(obj)
    if said and said != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    return with_metadata(obj, namespace=namespace if kind.namespaced else None)


def _json_type(value: Any) -> str:
    names = {str: "string", bool: "bool", dict: "object", list: "array"}
    return names.get(type(value), "number")


def _applied(kind: Kind, namespace: str, name: str, body: Any) -> Object:
    """An applied configuration, held to the schema and to its URL."""
    _check_identity(kind, body)
    metadata = body.get("metadata") or {}
    if isinstance(metadata, dict) and metadata.get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    try:
        check_typed(body, schema_of(kind))
    except SchemaError as error:
        where = f"{metadata.get('namespace', '') if isinstance(metadata, dict) else ''}/{name}"
        group_kind = f"{kind.api_version}, Kind={kind.kind}"
        message = f"failed to create typed patch object ({where}; {group_kind}): {error}"
        raise ApiError(500, message) from error
    if metadata.get("name", name) != name:
        raise bad_request(f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})")
    return with_metadata(_in_namespace(kind, {**body, "metadata": metadata}, namespace), name=name)


def _check_preconditions(kind: Kind, old: Object | None, new: Object) -> None:
    wanted_version = new["metadata"].get("resourceVersion")
    wanted_uid = new["metadata"].get("uid")
    if old is None:
        if wanted_version or wanted_uid:
            raise modified_meanwhile(kind, name_of(new))
        return
    if wanted_version and wanted_version != old["metadata"]["resourceVersion"]:
        raise modified_meanwhile(kind, name_of(old))
    if wanted_uid and wanted_uid != uid_of(old):
        raise uid_precondition(kind, name_of(old), wanted_uid, uid_of(old))
