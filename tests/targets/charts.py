"""A chart, packaged as people package them, and places to get it from."""

import base64
import gzip
import hashlib
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

WORKLOAD = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      containers:
        - name: app
          image: {{ required "image is needed" .Values.image }}
"""
CONFIGURATION = """
apiVersion: v1
kind: Secret
metadata:
  name: {{ .Release.Name }}
stringData:
  password: {{ .Values.password | quote }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  switch: "on"
  exponent: "1e3"
  template: '{{ "{{ .Values.kept }}" }}'
  random: {{ randAlphaNum 12 }}
"""
HOOK = """
{{- if .Values.migrate }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-migrate
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{name: migrate, image: {{ .Values.migrate }}}]
{{- end }}
"""
TEST = """
apiVersion: v1
kind: Pod
metadata: {name: {{ .Release.Name }}-test, annotations: {helm.sh/hook: test}}
spec: {containers: [{name: test, image: busybox}]}
"""
VALUES = "replicas: 2\nimage: registry.example/web:1.0.0\npassword: canary-7f3a\nmigrate: ''\n"


def packaged(
    name: str = "web", version: str = "0.1.0", *, files: Mapping[str, str] | None = None, values: str = VALUES
) -> bytes:
    """The .tgz. `files` replaces or adds templates and other files by path."""
    content = {
        "Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\n",
        "values.yaml": values,
        "templates/workload.yaml": WORKLOAD,
        "templates/configuration.yaml": CONFIGURATION,
        "templates/hook.yaml": HOOK,
        "templates/test.yaml": TEST,
        "templates/NOTES.txt": "Thank you for installing {{ .Chart.Name }}.",
    } | dict(files or {})
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for path, text in content.items():
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def inline(**options: object) -> dict[str, str]:
    """`artifacts.chart` with the chart in it."""
    return {"archive": base64.b64encode(packaged(**options)).decode(), "name": "web", "version": "0.1.0"}  # type: ignore[arg-type]


@contextmanager
def served(
    pages: Mapping[str, bytes], answers: Mapping[str, tuple[int, dict[str, str]]] | None = None
) -> Iterator[str]:
    """An HTTP server on this machine: path → body, and path → (status, headers) for what is no page."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            status, headers = (answers or {}).get(path, (200 if path in pages else 404, {}))
            if status == 401 and self.headers.get("Authorization") == "Bearer for-everybody":
                status, headers = 200, {}
            body = pages.get(path, b"") if status == 200 else b""
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def index(archive: bytes, *, url: str = "charts/web-0.1.0.tgz", said: str = "") -> bytes:
    entry = {
        "name": "web",
        "version": "0.1.0",
        "urls": [url],
        "digest": said or digest(archive).removeprefix("sha256:"),
    }
    return json.dumps({"apiVersion": "v1", "entries": {"web": [entry]}}).encode()


def registry_pages(archive: bytes) -> dict[str, bytes]:
    layer = {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "digest": digest(archive)}
    manifest = {"schemaVersion": 2, "layers": [layer | {"size": len(archive)}]}
    return {
        "/v2/charts/web/manifests/0.1.0": json.dumps(manifest).encode(),
        f"/v2/charts/web/blobs/{digest(archive)}": archive,
        "/token": json.dumps({"token": "for-everybody"}).encode(),
    }
