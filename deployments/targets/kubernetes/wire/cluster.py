"""The few things we ask of a cluster: plain mappings in and out, and only errors from `errors`."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import urllib3
from kubernetes.dynamic import Resource

from deployments.targets.base import Connection, Manifest
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.wire import answers
from deployments.targets.kubernetes.wire.connections import Timing, forget_client, get_client
from deployments.targets.kubernetes.wire.errors import NotFound, Unauthenticated, Unavailable, ask
from deployments.targets.kubernetes.wording import clean

FIELD_MANAGER = "releasemgr"
APPLY = "application/apply-patch+yaml"
MERGE = "application/strategic-merge-patch+json"
PAGE_SIZE = 500
MOST_ITEMS = 20_000

Answer = TypeVar("Answer")
Query = Sequence[tuple[str, str]]
# To connect, and between two reads, in seconds.
Timeouts = tuple[float, float]


@dataclass(frozen=True, slots=True)
class ClusterVersion:
    """A cluster that answered: its URL and its version, such as `v1.36.0`."""

    server: str
    version: str


def check_cluster(connection: Connection) -> ClusterVersion:
    """Asks the cluster for its version. Raises InvalidKubeconfig or a ClusterError with a sentence for people."""
    return Cluster(connection).version()


class Cluster:
    """One cluster, through the cached client of this process."""

    def __init__(self, connection: Connection, *, timeouts: Timeouts | None = None) -> None:
        """`timeouts` of each request, where somebody waits for the answer; otherwise those of the client."""
        self._connection = connection
        self._timeouts = timeouts
        self._client = get_client(connection)
        self.key = connection.key
        self.server: str = self._client.configuration.host

    def version(self) -> ClusterVersion:
        answer = self._request("reach the cluster", "GET", "/version")
        version = str(answer.get("gitVersion") or "")
        if not version:
            raise Unavailable(f"Could not reach the cluster: {self.server} does not speak the Kubernetes API.")
        if version.startswith("v0.0.0"):
            # Built without a tag: only the numbers tell.
            version = f"v{answer.get('major')}.{answer.get('minor')}"
        return ClusterVersion(self.server, clean(version, limit=60))

    def resource(self, api_version: str, kind: str) -> Resource:
        """How the cluster serves a kind. Asks again before it says UnknownKind, so a new CRD is seen."""
        group, _, version = api_version.rpartition("/")
        # Without prefix and group the client would ask for the resources of every group that has this version.
        where = {"prefix": "apis", "group": group} if group else {"prefix": "api"}
        return ask(
            f"find {kind} ({api_version})",
            self.server,
            lambda: self._client.resources.get(**where, api_version=version, kind=kind),
        )

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """The live object, or None when there is none."""
        try:
            found = self._request(f"read {kind} {name}", "GET", self._path(api_version, kind, namespace, name))
        except NotFound:
            return None
        wanted = {"kind": kind, "metadata": {"name": name, "namespace": namespace}}
        return answers.the_object(found, wanted, self.server)

    def list(
        self, api_version: str, kind: str, namespace: str, *, labels: str = "", fields: str = ""
    ) -> list[dict[str, Any]]:
        """The objects that match the selectors, page by page, at most MOST_ITEMS or so."""
        query = [("limit", str(PAGE_SIZE))]
        query += [("labelSelector", labels)] if labels else []
        query += [("fieldSelector", fields)] if fields else []
        path = self._path(api_version, kind, namespace)
        found: list[dict[str, Any]] = []
        token = ""
        while True:
            answer = self._request(f"list {kind}", "GET", path, query=[*query, ("continue", token)] if token else query)
            found += answers.the_items(answer, api_version, kind, self.server)
            token = str((answer.get("metadata") or {}).get("continue") or "")
            if not token or len(found) >= MOST_ITEMS:
                return found

    def apply(
        self, manifest: Manifest, *, dry_run: bool = False, force: bool = False, resource_version: str = ""
    ) -> dict[str, Any]:
        """Server-side apply as our field manager. Raises OwnedByOthers where others hold fields, unless forced.

        With `resource_version` the cluster refuses (Modified) if the object has changed since that version.
        """
        body = {**manifest, "metadata": dict(manifest["metadata"])}
        if resource_version:
            body["metadata"]["resourceVersion"] = resource_version
        kind, name = str(manifest["kind"]), str(body["metadata"]["name"])
        path = self._path(str(manifest["apiVersion"]), kind, str(body["metadata"].get("namespace", "")), name)
        query = [("fieldManager", FIELD_MANAGER), ("fieldValidation", "Strict")]
        query += [("dryRun", "All")] if dry_run else []
        query += [("force", "true")] if force else []
        written = self._request(
            f"apply {kind} {name}",
            "PATCH",
            path,
            query=query,
            body=body,
            content_type=APPLY,
            quote_answer=kind.lower() != "secret",
        )
        return answers.the_object(written, body, self.server)

    def merge(self, part: Manifest, resource_version: str = "", *, dry_run: bool = False) -> dict[str, Any]:
        """Strategic merge of `part` into an object that exists, as `kubectl set image` does. Raises NotFound.

        With `resource_version` the cluster refuses (Modified) if the object has changed since that version.
        """
        body = {**part, "metadata": dict(part["metadata"])}
        if resource_version:
            body["metadata"]["resourceVersion"] = resource_version
        kind, name = str(part["kind"]), str(body["metadata"]["name"])
        path = self._path(str(part["apiVersion"]), kind, str(body["metadata"].get("namespace", "")), name)
        query = [("fieldManager", FIELD_MANAGER), ("fieldValidation", "Strict")]
        query += [("dryRun", "All")] if dry_run else []
        written = self._request(f"change {kind} {name}", "PATCH", path, query=query, body=body, content_type=MERGE)
        return answers.the_object(written, body, self.server)

    def delete_pod(self, namespace: str, name: str, uid: str) -> None:
        """Deletes the pod with this uid. Raises NotFound when it is gone, Modified when a successor has its name."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        self._request(f"delete pod {name}", "DELETE", self._path("v1", "Pod", namespace, name), body=body)

    def delete(self, live: Manifest, namespace: str) -> None:
        """Deletes exactly this object as it was read. Raises NotFound, or Modified when it has changed since."""
        meta = live["metadata"]
        conditions = {"uid": meta.get("uid"), "resourceVersion": meta.get("resourceVersion")}
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": conditions,
            "propagationPolicy": "Background",
        }
        kind, name = str(live["kind"]), str(meta["name"])
        path = self._path(str(live["apiVersion"]), kind, namespace, name)
        self._request(f"delete {kind} {name}", "DELETE", path, body=body)

    def merge_patch(self, live: Manifest, namespace: str, change: Mapping[str, Any], *, manager: str) -> dict[str, Any]:
        """Changes an object that others own, on condition that it is as it was read (otherwise Modified)."""
        kind, name = str(live["kind"]), objects.name_of(live)
        version = {"resourceVersion": objects.metadata(live).get("resourceVersion")}
        body = {**change, "metadata": {**(change.get("metadata") or {}), **version}}
        return self._request(
            f"change {kind} {name}",
            "PATCH",
            self._path(str(live["apiVersion"]), kind, namespace, name),
            query=[("fieldManager", manager)],
            body=body,
            content_type="application/merge-patch+json",
        )

    def read(self, doing: str, path: str, query: Query = ()) -> dict[str, Any]:
        """Any JSON answer by its path."""
        return self._request(doing, "GET", path, query=query)

    def read_bytes(
        self, doing: str, path: str, query: Query = (), *, timeouts: tuple[float, float] | None = None
    ) -> bytes:
        """Any answer by its path, as it came."""
        return self._raw(doing, "GET", path, query=query, timeouts=timeouts)

    def open_stream(self, doing: str, path: str, query: Query, timeouts: tuple[float, float]) -> urllib3.HTTPResponse:
        """A response whose body is still to be read; `timeouts` are (connect, between two reads) in seconds."""

        def send() -> urllib3.HTTPResponse:
            answer: urllib3.HTTPResponse = self._client.request(
                "GET", path, query_params=list(query), serialize=False, _request_timeout=Timing(*timeouts, total=None)
            )
            return answer

        return self._guarded(doing, send)

    def review(self, attributes: Mapping[str, str]) -> bool:
        """Whether our credentials may do this, as the cluster's authorizer sees it. Ask by `granted`."""
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": dict(attributes)},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = self._request("ask for our rights", "POST", path, body=review)
        return (answer.get("status") or {}).get("allowed") is True

    def _path(self, api_version: str, kind: str, namespace: str, name: str = "") -> str:
        resource = self.resource(api_version, kind)
        path: str = resource.path(
            name=quote(name, safe="") or None, namespace=quote(namespace, safe="") if resource.namespaced else None
        )
        return path

    def _request(self, doing: str, method: str, path: str, **options: Any) -> dict[str, Any]:
        data = self._raw(doing, method, path, **options)

        def parse() -> dict[str, Any]:
            answer = json.loads(data)
            if not isinstance(answer, dict):
                raise TypeError
            return answer

        return ask(doing, self.server, parse)

    def _raw(
        self,
        doing: str,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        quote_answer: bool = True,
        timeouts: tuple[float, float] | None = None,
    ) -> bytes:
        def send() -> bytes:
            answer = self._client.request(
                method,
                path,
                body=body,
                query_params=list(query),
                content_type=content_type,
                serialize=False,
                _request_timeout=timeouts or self._timeouts,
            )
            # Of an empty body the client makes nothing at all.
            data: bytes = answer.data or b""
            return data

        return self._guarded(doing, send, quote_answer=quote_answer)

    def _guarded(self, doing: str, send: Callable[[], Answer], *, quote_answer: bool = True) -> Answer:
        try:
            return ask(doing, self.server, send, quote=quote_answer)
        except Unauthenticated:
            forget_client(self._connection)
            raise
