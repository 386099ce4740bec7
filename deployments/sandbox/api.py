"""From an HTTP request to an operation on the cluster, and back."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from deployments.sandbox import discovery, kinds, patches, protobuf
from deployments.sandbox.cluster import Cluster, WriteOptions
from deployments.sandbox.deletion import delete
from deployments.sandbox.errors import (
    ApiError,
    bad_request,
    method_not_allowed,
    unknown_resource,
    version_too_large,
)
from deployments.sandbox.http import Request, Response, json_response, text_response
from deployments.sandbox.identity import Identities, Identity, refusal
from deployments.sandbox.kinds import Kind
from deployments.sandbox.listing import list_objects, selection
from deployments.sandbox.objects import Object
from deployments.sandbox.routes import Route, verb_of
from deployments.sandbox.routes import route as route_of
from deployments.sandbox.scale import read_scale, scaled
from deployments.sandbox.schema import read_document, schema_of
from deployments.sandbox.watch import Watches, WatchQuestion

_APPLY_TYPES = ("application/apply-patch+yaml", "application/apply-patch+cbor")
# A watch without a time limit ends after this, as the real server ends it after half an hour or more.
_WATCH_SECONDS = 1800.0


class Api:
    """Answers every request. `address` is what discovery calls this server."""

    def __init__(self, cluster: Cluster, watches: Watches, identities: Identities, address: str) -> None:
        self._cluster = cluster
        self._watches = watches
        self._identities = identities
        self._address = address

    async def handle(self, request: Request) -> Response:
        try:
            return self._answer(request)
        except ApiError as error:
            response = json_response(error.status(), error.code)
            retry = (error.details or {}).get("retryAfterSeconds")
            if retry:
                response.headers.append(("Retry-After", str(retry)))
            return response

    def _answer(self, request: Request) -> Response:
        if request.path in ("/readyz", "/livez", "/healthz"):
            return text_response("ok")
        if request.method == "TOO-LARGE":
            raise ApiError(413, "Request entity too large: limit is 3145728", "RequestEntityTooLarge", {})
        identity = self._identities.identify(request.headers.get("authorization", ""))
        target = route_of(request.path, self._cluster.store.kinds)
        if target is None:
            return self._describe(request.path)
        verb = verb_of(request, target)
        if verb not in _verbs(target):
            raise method_not_allowed()
        if target.kind is kinds.ACCESS_REVIEW:
            return self._review(identity, request)
        if error := refusal(identity, verb, target.kind, target.subresource, target.namespace, target.name):
            raise error
        return _HANDLERS[verb](self, request, target)

    def _describe(self, path: str) -> Response:
        parts = path.strip("/").split("/")
        found: Object | None = None
        known = self._cluster.store.kinds.all()
        if path == "/version":
            found = discovery.VERSION
        elif path == "/":
            found = discovery.all_paths()
        elif parts == ["api"]:
            found = discovery.core_versions(self._address)
        elif parts == ["apis"]:
            found = discovery.groups(known)
        elif parts[0] == "api" and len(parts) == 2:
            found = discovery.resources("", parts[1], known)
        elif parts[0] == "apis" and len(parts) in (2, 3):
            found = _group_or_resources(parts[1:], known)
        elif parts[:2] == ["openapi", "v3"]:
            return _openapi(parts[2:])
        if found is not None:
            return json_response(found)
        if parts[0] in ("api", "apis"):
            raise unknown_resource()
        return text_response("404 page not found\n", 404)

    def _review(self, identity: Identity, request: Request) -> Response:
        body = _body(request)
        asked = (body.get("spec") or {}).get("resourceAttributes") or {}
        resource = "/".join(part for part in (asked.get("resource", ""), asked.get("subresource", "")) if part)
        allowed = identity.may(asked.get("verb", ""), asked.get("group", ""), resource, asked.get("namespace", ""))
        options = _write_options(request)
        review = self._cluster.answered_review(body, {"allowed": allowed}, options)
        return json_response(review, 201)

    def _get(self, request: Request, target: Route) -> Response:
        obj = self._cluster.get(target.kind, target.namespace, target.name)
        self._check_version(request)
        if target.subresource == "log":
            return text_response(pod_log(obj, request.query))
        return json_response(read_scale(target.kind, obj) if target.subresource == "scale" else obj)

    def _list(self, request: Request, target: Route) -> Response:
        self._check_version(request)
        store = self._cluster.store
        return json_response(list_objects(store, target.kind, target.namespace, request.query))

    def _watch(self, request: Request, target: Route) -> Response:
        version = request.query.get("resourceVersion", "")
        timeout = float(request.query.get("timeoutSeconds") or 0) or _WATCH_SECONDS
        question = WatchQuestion(
            kind=target.kind,
            namespace=target.namespace,
            selects=selection(target.kind, request.query, target.name),
            version=_version(version) or None,
            bookmarks=_is_true(request.query.get("allowWatchBookmarks")),
            timeout=timeout,
            initial_events=_is_true(request.query.get("sendInitialEvents")),
        )
        return Response(stream=self._watches.stream(question))

    def _create(self, request: Request, target: Route) -> Response:
        options = _write_options(request)
        created = self._cluster.create(target.kind, target.namespace, _body(request), options)
        return _written(created, options, 201)

    def _update(self, request: Request, target: Route) -> Response:
        options = _write_options(request)
        body = _body(request)
        kind, namespace, name = target.kind, target.namespace, target.name
        if target.subresource == "scale":
            obj = self._cluster.patch(kind, namespace, name, lambda old: scaled(old, body), options, "scale")
            return _written(read_scale(kind, obj), options)
        return _written(self._cluster.update(kind, namespace, name, body, options, target.subresource), options)

    def _patch(self, request: Request, target: Route) -> Response:
        options = _write_options(request)
        content_type = request.headers.get("content-type", "").partition(";")[0].strip()
        body = _body(request)
        kind, namespace, name = target.kind, target.namespace, target.name
        if content_type in _APPLY_TYPES and target.subresource != "scale":
            if "fieldManager" not in request.query:
                raise _unmanaged()
            obj, created = self._cluster.apply(kind, namespace, name, body, options, target.subresource)
            return _written(obj, options, 201 if created else 200)
        change = _change(content_type, body, kind)
        if target.subresource == "scale":
            obj = self._cluster.patch(
                kind, namespace, name, lambda old: scaled(old, change(read_scale(kind, old))), options, "scale"
            )
            return _written(read_scale(kind, obj), options)
        return _written(self._cluster.patch(kind, namespace, name, change, options, target.subresource), options)

    def _delete(self, request: Request, target: Route) -> Response:
        obj = self._cluster.get(target.kind, target.namespace, target.name)
        options = _delete_options(request)
        return json_response(delete(self._cluster.store, target.kind, obj, options, dry_run=_is_dry(request, options)))

    def _delete_collection(self, request: Request, target: Route) -> Response:
        store, options = self._cluster.store, _delete_options(request)
        selects = selection(target.kind, request.query)
        listed = list_objects(store, target.kind, target.namespace, request.query)
        for obj in [obj for obj in store.listed(target.kind, target.namespace) if selects(obj)]:
            delete(store, target.kind, obj, options, dry_run=_is_dry(request, options))
        return json_response(listed)

    def _check_version(self, request: Request) -> None:
        wanted, current = _version(request.query.get("resourceVersion", "")), self._cluster.store.version
        if wanted > current:
            raise version_too_large(wanted, current)


_HANDLERS: Mapping[str, Callable[[Api, Request, Route], Response]] = {
    "get": Api._get,
    "list": Api._list,
    "watch": Api._watch,
    "create": Api._create,
    "update": Api._update,
    "patch": Api._patch,
    "delete": Api._delete,
    "deletecollection": Api._delete_collection,
}


def _group_or_resources(parts: list[str], known: list[Kind]) -> Object | None:
    return discovery.group(parts[0], known) if len(parts) == 1 else discovery.resources(parts[0], parts[1], known)


def _verbs(target: Route) -> tuple[str, ...]:
    if not target.subresource:
        return target.kind.verbs
    return ("get",) if target.subresource == "log" else ("get", "patch", "update")


def _openapi(parts: list[str]) -> Response:
    if not parts:
        return json_response(discovery.openapi_paths())
    try:
        return Response(body=read_document("/".join(parts[1:])))
    except FileNotFoundError as error:
        raise unknown_resource() from error


def _body(request: Request) -> Any:
    """The body as JSON, YAML or protobuf (of few kinds). Raises ApiError 400, or 415 for other binary formats."""
    if "protobuf" in request.headers.get("content-type", "") or "cbor" in request.headers.get("content-type", ""):
        return _binary_body(request)
    try:
        return json.loads(request.body)
    except ValueError:
        if "json" in request.headers.get("content-type", "") and not request.headers["content-type"].endswith("yaml"):
            raise bad_request("the object provided is unrecognized: it is no JSON") from None
    try:
        return yaml.safe_load(request.body)
    except yaml.YAMLError as error:
        raise bad_request(f"error decoding YAML: {error}") from error


def _binary_body(request: Request) -> Any:
    try:
        return protobuf.decode(request.body)
    except protobuf.UnknownMessage:
        message = "the body of the request was in an unknown format - accepted media types include: "
        raise ApiError(415, f"{message}application/json, application/yaml", "UnsupportedMediaType", {}) from None


def _change(content_type: str, patch: Any, kind: Kind) -> Callable[[Object], Any]:
    if content_type == "application/json-patch+json":
        return lambda old: patches.json_patch(old, patch)
    if content_type == "application/merge-patch+json":
        return lambda old: patches.merge_patch(old, patch)
    if content_type == "application/strategic-merge-patch+json":
        return lambda old: patches.strategic_merge(old, patch, schema_of(kind))
    supported = (
        "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, "
        "application/apply-patch+yaml"
    )
    message = f"the body of the request was in an unknown format - accepted media types include: {supported}"
    raise ApiError(415, message, "UnsupportedMediaType", {})


def _write_options(request: Request) -> WriteOptions:
    agent = request.headers.get("user-agent", "").partition("/")[0]
    dry_run = request.query.get("dryRun", "")
    if dry_run not in ("", "All"):
        raise bad_request(f'Invalid value: "{dry_run}": supported values: "All"')
    return WriteOptions(
        manager=request.query.get("fieldManager") or agent or "unknown",
        dry_run=bool(dry_run),
        force=_is_true(request.query.get("force")),
        field_validation=request.query.get("fieldValidation") or "Warn",
    )


def _delete_options(request: Request) -> dict[str, Any]:
    options = dict(_body(request) or {}) if request.body else {}
    for name in ("propagationPolicy", "gracePeriodSeconds"):
        if name in request.query:
            options[name] = request.query[name]
    return options


def _unmanaged() -> ApiError:
    message = 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
    cause = {"reason": "FieldValueRequired", "message": "Required value: is required for apply patch"}
    details = {"group": "meta.k8s.io", "kind": "PatchOptions", "causes": [{**cause, "field": "fieldManager"}]}
    return ApiError(422, message, "Invalid", details)


def _is_dry(request: Request, options: Mapping[str, Any]) -> bool:
    return request.query.get("dryRun") == "All" or "All" in (options.get("dryRun") or ())


def _written(obj: Object, options: WriteOptions, status: int = 200) -> Response:
    response = json_response(obj, status)
    response.headers += [("Warning", f'299 - "{_quoted(text)}"') for text in options.warnings]
    return response


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').encode("ascii", "replace").decode()


def _is_true(text: str | None) -> bool:
    return text is not None and text.lower() in ("1", "true", "t")


def _version(text: str) -> int:
    if not text.isdigit():
        if text:
            raise bad_request(f"resourceVersion: Invalid value: {json.dumps(text)}: it is no version of this server")
        return 0
    return int(text)


def pod_log(pod: Object, query: Mapping[str, str]) -> str:
    """What a pod's container is supposed to have written. Raises ApiError 400 when it never started."""
    name = query.get("container") or pod["spec"]["containers"][0]["name"]
    statuses = {item["name"]: item for item in pod["status"].get("containerStatuses", ())}
    state = statuses.get(name)
    reason = ((state or {}).get("state", {}).get("waiting") or {}).get("reason", "")
    pod_name = pod["metadata"]["name"]
    if state is None or reason in ("ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError"):
        why = reason or "ContainerCreating"
        raise bad_request(f'container "{name}" in pod "{pod_name}" is waiting to start: {why}')
    lines = [f"{state['image']}: started"]
    if state["restartCount"] or "terminated" in state["state"] or reason == "CrashLoopBackOff":
        ended = state["state"].get("terminated") or state["lastState"].get("terminated") or {"exitCode": 1}
        lines.append(f"{state['image']}: exited with code {ended['exitCode']}")
    count = query.get("tailLines")
    return "".join(f"{line}\n" for line in (lines[-int(count) :] if count else lines))
