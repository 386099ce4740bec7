"""An eye of our own on the cluster: when a rollout began and when it was done, by one clock for both candidates."""

import base64
import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.stack import Broken

ROLLOUT_SECONDS = 60.0
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments"
PODS = "/api/v1/namespaces/{}/pods"


@dataclass
class Sighting:
    """Moments of one rollout to `image`, by `time.perf_counter`; None until seen."""

    image: str
    applied: float | None = None
    first_pod: float | None = None
    last_ready: float | None = None
    complete: float | None = None
    settled: float | None = None


@dataclass
class Witness:
    """Follows the Deployments and pods of one namespace by two standing watches."""

    namespace: str
    server: str
    token: str
    tls: ssl.SSLContext
    sighting: Sighting | None = None
    pods: dict[str, Any] = field(default_factory=dict)
    moved: threading.Condition = field(default_factory=threading.Condition)
    trouble: str = ""
    line: http.client.HTTPConnection = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.line = http.client.HTTPSConnection(self.server, context=self.tls)

    @classmethod
    def of(cls, kubeconfig: Path, namespace: str) -> "Witness":
        content = yaml.safe_load(kubeconfig.read_text())
        cluster = content["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        tls = ssl.create_default_context(cadata=authority)
        witness = cls(namespace, urlsplit(cluster["server"]).netloc, content["users"][0]["user"]["token"], tls)
        witness.create_namespace()
        witness.follow(DEPLOYMENTS.format(namespace), witness._note_deployment)
        witness.follow(PODS.format(namespace), witness._note_pod)
        return witness

    def follow(self, path: str, note: Callable[[str, dict[str, Any], float], None]) -> None:
        threading.Thread(target=self._follow, args=(path, note), daemon=True).start()

    def create_namespace(self) -> None:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        status = self.ask("POST", "/api/v1/namespaces", json.dumps(body)).status
        if status not in (201, 409):
            raise Broken(f"The namespace {self.namespace} could not be made: HTTP {status}.")

    def expect(self, image: str) -> Sighting:
        """From now on the rollout to `image` is noted."""
        with self.moved:
            self.sighting = Sighting(image)
            return self.sighting

    def wait(self, condition: Callable[[Sighting], bool]) -> Sighting:
        """Until the rollout that is expected has come so far."""
        with self.moved:
            assert self.sighting is not None
            seen = self.sighting
            if not self.moved.wait_for(lambda: condition(seen) or bool(self.trouble), ROLLOUT_SECONDS):
                raise Broken(f"The rollout to {seen.image} was not done after {ROLLOUT_SECONDS:.0f} s: {seen}")
        if self.trouble:
            raise Broken(f"The benchmark's own watch broke: {self.trouble}")
        return seen

    def ask(
        self, method: str, path: str, body: str | None = None, content_type: str = "application/json"
    ) -> http.client.HTTPResponse:
        """Over the line that is kept, as a script would; the answer has been read."""
        answer = self._send(self.line, method, path, body, content_type)
        answer.read()
        return answer

    def _send(
        self, line: http.client.HTTPConnection, method: str, path: str, body: str | None, content_type: str
    ) -> http.client.HTTPResponse:
        line.request(
            method, path, body=body, headers={"Authorization": f"Bearer {self.token}", "Content-Type": content_type}
        )
        return line.getresponse()

    def _follow(self, path: str, note: Callable[[str, dict[str, Any], float], None]) -> None:
        try:
            line = http.client.HTTPSConnection(self.server, context=self.tls)
            answer = self._send(line, "GET", f"{path}?watch=true&timeoutSeconds=3600", None, "application/json")
            for told in answer:
                at = time.perf_counter()
                change = json.loads(told)
                with self.moved:
                    note(change["type"], change["object"], at)
                    self.moved.notify_all()
            self.trouble = f"the watch on {path} ended"
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.trouble = f"{type(error).__name__}: {error}"
        with self.moved:
            self.moved.notify_all()

    def _note_deployment(self, change: str, item: dict[str, Any], at: float) -> None:
        seen = self.sighting
        if seen is None or _image(item["spec"]["template"]["spec"]) != seen.image:
            return
        seen.applied = seen.applied or at
        if is_complete(item):
            seen.complete = seen.complete or at

    def _note_pod(self, change: str, item: dict[str, Any], at: float) -> None:
        uid = item["metadata"]["uid"]
        was_ready = uid in self.pods and _is_ready(self.pods[uid])
        if change == "DELETED":
            self.pods.pop(uid, None)
        else:
            self.pods[uid] = item
        seen = self.sighting
        if seen is None:
            return
        if _image(item["spec"]) == seen.image:
            seen.first_pod = seen.first_pod or at
            if _is_ready(item) and not was_ready:
                seen.last_ready = at
        if seen.last_ready and all(_image(pod["spec"]) == seen.image for pod in self.pods.values()):
            seen.settled = at if change == "DELETED" or seen.settled is None else seen.settled


def is_complete(deployment: dict[str, Any]) -> bool:
    """As `kubectl rollout status` sees it."""
    status, wanted = deployment.get("status") or {}, deployment["spec"]["replicas"]
    current = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    counters = ("updatedReplicas", "replicas", "availableReplicas")
    return current and all(status.get(name, 0) == wanted for name in counters)


def _image(pod_spec: dict[str, Any]) -> str:
    image: str = pod_spec["containers"][0]["image"]
    return image


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
