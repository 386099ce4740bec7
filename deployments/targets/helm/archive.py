"""Rendered objects as a chart, so that Helm brings out exactly what was judged, shown and stored. Pure."""

import gzip
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

from deployments.targets.base import Manifest
from deployments.targets.kubernetes import objects

# On objects of a chart's crds/ directory: Helm makes them first and never changes them.
FROM_CRDS = "releasemgr.dev/chart-crd"


def chart_of(items: Sequence[Manifest], metadata: Mapping[str, Any]) -> bytes:
    """A packaged chart with the name and version in `metadata`, whose templates are the objects themselves."""
    head = {"apiVersion": "v2", "name": metadata["name"], "version": metadata["version"]}
    files = {"Chart.yaml": json.dumps(head | {"description": "Rendered by Release Manager"})}
    for number, item in enumerate(items):
        name = f"{number:03d}-{str(item['kind']).lower()}-{objects.name_of(item)}.yaml"
        if objects.annotation(item, FROM_CRDS):
            files[f"crds/{name}"] = json.dumps(item)
        else:
            files[f"templates/{name}"] = _literal(json.dumps(item, indent=1))
    return _packed(str(metadata["name"]), files)


def _literal(text: str) -> str:
    """As a template that comes to `text`: what a ConfigMap holds may look like a template itself."""
    return text.replace("{{", '{{"{{"}}')


def _packed(name: str, files: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for path, text in files.items():
            data = text.encode()
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()
