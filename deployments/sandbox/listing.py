"""Lists: selectors, pages, and the version that a watch goes on from."""

import base64
import json
from collections.abc import Mapping

from deployments.sandbox.errors import ApiError, bad_request
from deployments.sandbox.kinds import Kind
from deployments.sandbox.objects import Object, name_of, namespace_of
from deployments.sandbox.selectors import Predicate, field_selector, label_selector
from deployments.sandbox.store import Store


def selection(kind: Kind, query: Mapping[str, str], name: str = "") -> Predicate:
    """Whether an object is asked for by the query's selectors (and, in an old-style watch, by its name)."""
    by_label = label_selector(query.get("labelSelector", ""))
    by_field = field_selector(kind, query.get("fieldSelector", ""))
    return lambda obj: (not name or name_of(obj) == name) and by_label(obj) and by_field(obj)


def list_objects(store: Store, kind: Kind, namespace: str, query: Mapping[str, str]) -> Object:
    selects = selection(kind, query)
    found = [obj for obj in store.listed(kind, namespace) if selects(obj)]
    version, start = store.version, ("", "")
    if token := query.get("continue"):
        version, start = _read_token(token)
        found = [obj for obj in found if (namespace_of(obj), name_of(obj)) > start]
    metadata: Object = {"resourceVersion": str(version)}
    limit = int(query.get("limit") or 0)
    if limit and len(found) > limit:
        last = found[limit - 1]
        metadata["continue"] = _token(version, (namespace_of(last), name_of(last)))
        metadata["remainingItemCount"] = len(found) - limit
        found = found[:limit]
    items = [{name: value for name, value in obj.items() if name not in ("kind", "apiVersion")} for obj in found]
    return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata, "items": items}


def _token(version: int, start: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([version, *start]).encode()).decode()


def _read_token(token: str) -> tuple[int, tuple[str, str]]:
    try:
        version, namespace, name = json.loads(base64.urlsafe_b64decode(token))
    except ValueError as error:
        raise bad_request("continue key is not valid") from error
    if not isinstance(version, int):
        raise ApiError(410, "The provided continue parameter is too old to display a consistent list", "Expired")
    return version, (str(namespace), str(name))
