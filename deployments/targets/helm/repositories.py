"""Where charts come from: packaged in the release itself, an HTTP repository, or an OCI registry.

{"repository": "https://…" | "oci://…", "name", "version", "digest"?}   or   {"archive": "<base64 tgz>"}
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import yaml

from deployments.targets.helm.download import Answer, Refused, Unavailable, download
from deployments.targets.kubernetes.wording import clean

MOST_ARCHIVE_BYTES = 5 * 1024 * 1024
MOST_INDEX_BYTES = 10 * 1024 * 1024
MOST_ANSWER_BYTES = 512 * 1024
OCI = "oci://"
CHART_LAYERS = (
    "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
    "application/tar+gzip",
)
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


def archive_of(chart: Mapping[str, Any]) -> bytes:
    """The packaged chart. Raises Refused, or Unavailable when asking again may help."""
    if chart.get("archive"):
        return _inline(str(chart["archive"]))
    repository = str(chart["repository"])
    name, version = str(chart["name"]), str(chart["version"])
    if repository.startswith(OCI):
        found = _from_registry(repository, name, version)
    else:
        found = _from_index(repository, name, version)
    wanted = str(chart.get("digest") or "")
    if wanted and _digest(found) != wanted:
        raise Refused(
            f"The chart {name} {version} of {repository} is {_digest(found)}, not {wanted} as the release says: "
            "somebody replaced it since."
        )
    return found


def _inline(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("The release's chart is no base64.") from None


def _from_index(repository: str, name: str, version: str) -> bytes:
    base = repository.rstrip("/") + "/"
    index = _parsed(_ok(download(base + "index.yaml", most_bytes=MOST_INDEX_BYTES), f"The repository {repository}"))
    entries = (index.get("entries") or {}).get(name) if isinstance(index.get("entries"), Mapping) else None
    versions = [entry for entry in entries or [] if isinstance(entry, Mapping)]
    if not versions:
        raise Refused(f"{repository} has no chart named {name}.")
    entry = next((entry for entry in versions if entry.get("version") == version), None)
    if entry is None:
        there = ", ".join(clean(entry.get("version"), limit=60) for entry in versions[:8])
        raise Refused(f"{repository} has no version {version} of {name}. Versions there: {there}.")
    urls = [url for url in entry.get("urls") or [] if isinstance(url, str)]
    if not urls:
        raise Refused(f"{repository} names no address for {name} {version}.")
    answer = download(urljoin(base, urls[0]), most_bytes=MOST_ARCHIVE_BYTES)
    found = _ok(answer, f"The chart {name} {version}")
    listed = str(entry.get("digest") or "").removeprefix("sha256:")
    if listed and _digest(found) != f"sha256:{listed}":
        raise Refused(
            f"The chart {name} {version} is not the one that the index of {repository} names: digests differ."
        )
    return found


def _parsed(data: bytes) -> Mapping[str, Any]:
    try:
        # Aliases stay references, so nothing can unfold: only one entry is looked at.
        index = yaml.load(data, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, AttributeError, LookupError):
        raise Refused("The repository's index.yaml is not valid YAML.") from None
    return index if isinstance(index, Mapping) else {}


def _from_registry(repository: str, name: str, version: str) -> bytes:
    parts = urlsplit(repository)
    registry = _Registry(f"{_scheme(parts.netloc)}://{parts.netloc}", f"{parts.path.strip('/')}/{name}".strip("/"))
    # A tag can't hold the plus sign of a version's build part; Helm writes an underscore.
    manifest = registry.manifest(version.replace("+", "_"))
    for layer in manifest.get("layers") or []:
        if layer.get("mediaType") in CHART_LAYERS:
            return registry.blob(str(layer.get("digest")))
    raise Refused(f"{repository}/{name}:{version} is no Helm chart.")


def _scheme(netloc: str) -> str:
    """Plain HTTP to this machine only, as Helm and Docker do; whether it may be asked at all is judged later."""
    host = urlsplit(f"//{netloc}").hostname or ""
    return "http" if host in ("localhost", "127.0.0.1", "::1") else "https"


class _Registry:
    """One repository of an OCI registry, read without an account."""

    def __init__(self, base: str, path: str) -> None:
        self._url = f"{base}/v2/{path}"
        self._path = path
        self._headers: dict[str, str] = {}

    def manifest(self, tag: str) -> dict[str, Any]:
        answer = self._get(f"{self._url}/manifests/{tag}", MOST_ANSWER_BYTES, {"Accept": MANIFEST})
        data = _ok(answer, f"The chart {self._path}:{tag}")
        try:
            found = json.loads(data)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Refused(f"What answers at {self._url} is no OCI registry.")
        return found

    def blob(self, digest: str) -> bytes:
        answer = self._get(f"{self._url}/blobs/{digest}", MOST_ARCHIVE_BYTES, {})
        data = _ok(answer, f"The chart {self._path}")
        if _digest(data) != digest:
            raise Refused(f"The registry sent other content for {self._path} than its manifest names.")
        return data

    def _get(self, url: str, most_bytes: int, headers: Mapping[str, str]) -> Answer:
        answer = download(url, most_bytes=most_bytes, headers={**headers, **self._headers})
        if answer.status == 401 and not self._headers:
            self._headers = {"Authorization": f"Bearer {self._token(answer)}"}
            answer = download(url, most_bytes=most_bytes, headers={**headers, **self._headers})
        return answer

    def _token(self, answer: Answer) -> str:
        """A token for everybody, from where the registry says."""
        challenge = dict(_CHALLENGE.findall(answer.headers.get("www-authenticate", "")))
        if not challenge.get("realm"):
            raise _needs_account(self._path)
        query = {name: challenge[name] for name in ("service", "scope") if name in challenge}
        given = download(f"{challenge['realm']}?{urlencode(query)}", most_bytes=MOST_ANSWER_BYTES)
        try:
            found = json.loads(given.body) if given.status == 200 else {}
        except ValueError:
            found = {}
        token = found.get("token") or found.get("access_token") if isinstance(found, dict) else None
        if not isinstance(token, str):
            raise _needs_account(self._path)
        return token


def _needs_account(path: str) -> Refused:
    return Refused(
        f"{path} asks for an account, and charts are read without one. Put the packaged chart in the release."
    )


def _ok(answer: Answer, what: str) -> bytes:
    if answer.status == 404:
        raise Refused(f"{what} does not exist (404).")
    if answer.status in (401, 403):
        raise Refused(f"{what} may not be read without an account ({answer.status}).")
    if answer.status != 200:
        raise Unavailable(f"{what} was answered with {answer.status}.")
    return answer.body


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
