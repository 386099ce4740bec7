"""What the server says about itself: versions, groups and resources."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from deployments.sandbox.kinds import KINDS, Kind
from deployments.sandbox.objects import Object

VERSION: Object = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.0+sandbox",
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "linux/amd64",
}


def core_versions(address: str) -> Object:
    servers = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": servers}


def groups(known: Sequence[Kind]) -> Object:
    names = sorted({kind.group for kind in known if kind.group})
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name, known) for name in names]}


def group(name: str, known: Sequence[Kind]) -> Object | None:
    if not name or not any(kind.group == name for kind in known):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, known)}


def _group(name: str, known: Sequence[Kind]) -> Object:
    versions = dict.fromkeys(kind.version for kind in known if kind.group == name)
    served = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": served, "preferredVersion": served[0]}


def resources(name: str, version: str, known: Sequence[Kind]) -> Object | None:
    found = [kind for kind in known if (kind.group, kind.version) == (name, version)]
    if not found:
        return None
    head: Object = {"kind": "APIResourceList", "groupVersion": found[0].api_version}
    if name:
        head["apiVersion"] = "v1"
    entries = [entry for kind in found for entry in _entries(kind)]
    return {**head, "resources": sorted(entries, key=lambda entry: entry["name"])}


def openapi_paths() -> Object:
    versions = sorted({kind.api_version for kind in KINDS})
    prefixes = [f"apis/{version}" if "/" in version else f"api/{version}" for version in versions]
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}?hash=SANDBOX"} for path in prefixes}}


def all_paths() -> Object:
    versions = [api_version for api_version, _ in groupby(kind.api_version for kind in KINDS)]
    known = sorted({f"/apis/{version}" for version in versions if "/" in version})
    return {"paths": ["/api", "/api/v1", "/apis", *known, "/livez", "/openapi/v3", "/readyz", "/version"]}


def _entries(kind: Kind) -> Iterator[Object]:
    yield _with_hints(kind, _entry(kind, kind.plural, kind.singular, kind.kind, kind.verbs))
    for subresource in kind.subresources:
        name = f"{kind.plural}/{subresource}"
        if subresource == "scale":
            entry = _entry(kind, name, "", "Scale", ("get", "patch", "update"))
            yield {**entry, "group": "autoscaling", "version": "v1"}
        else:
            verbs = ("get",) if subresource == "log" else ("get", "patch", "update")
            yield _entry(kind, name, "", kind.kind, verbs)


def _entry(kind: Kind, name: str, singular: str, title: str, verbs: tuple[str, ...]) -> Object:
    return {
        "name": name,
        "singularName": singular,
        "namespaced": kind.namespaced,
        "kind": title,
        "verbs": list(verbs),
    }


def _with_hints(kind: Kind, entry: Object) -> Object:
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    return entry
