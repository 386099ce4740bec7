"""Paths of the API: which kind, namespace, name and subresource they mean."""

from dataclasses import dataclass

from deployments.sandbox.custom import KnownKinds
from deployments.sandbox.http import Request
from deployments.sandbox.kinds import NAMESPACE, Kind


@dataclass(frozen=True, slots=True)
class Route:
    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def route(path: str, known: KnownKinds) -> Route | None:
    """The meaning of a path, or None when it names no resource of this server."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    if rest[0] == "namespaces" and len(rest) >= 3 and (group or rest[2] not in NAMESPACE.subresources):
        return _inside(known.by_path(group, version, rest[2]), rest[1], rest[3:])
    kind = known.by_path(group, version, rest[0])
    return _inside(kind, "", rest[1:]) if kind else None


def _inside(kind: Kind | None, namespace: str, rest: list[str]) -> Route | None:
    if kind is None or len(rest) > 2 or (namespace and not kind.namespaced):
        return None
    name, subresource = (*rest, "", "")[:2]
    if subresource and subresource not in kind.subresources:
        return None
    if name and kind.namespaced and not namespace:
        return None
    return Route(kind, namespace, name, subresource)


def verb_of(request: Request, target: Route) -> str:
    """The verb that authorization and the handlers know the request by."""
    if request.method in ("GET", "HEAD"):
        if request.query.get("watch", "").lower() in ("1", "true", "t"):
            return "watch"
        return "get" if target.name else "list"
    if request.method == "DELETE":
        return "delete" if target.name else "deletecollection"
    if target.name:
        return {"PUT": "update", "PATCH": "patch"}.get(request.method, "")
    return "create" if request.method == "POST" else ""
