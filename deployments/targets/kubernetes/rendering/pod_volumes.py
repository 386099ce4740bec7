"""Which volumes a pod may mount: those that bring nothing of the node or of another account into it. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

SOURCES = frozenset(
    {
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected",
        "secret",
    }
)  # fmt: skip
PROJECTIONS = frozenset({"clusterTrustBundle", "configMap", "downwardAPI", "secret"})
TOKENS = frozenset({"podCertificate", "serviceAccountToken"})


def volume_problems(volumes: Any, *, tokens: bool) -> list[str]:
    """Half sentences about a pod spec's `volumes`. `tokens`: whether those of its service account may be mounted."""
    if volumes is None:
        return []
    if not isinstance(volumes, list):
        return ["spec.volumes must be a list"]
    return [problem for volume in volumes for problem in _volume(volume, tokens=tokens)]


def _volume(volume: Any, *, tokens: bool) -> Iterator[str]:
    if not isinstance(volume, Mapping):
        yield "spec.volumes must hold objects"
        return
    where = f"spec.volumes[{str(volume.get('name', ''))[:63]}]"
    for source, value in volume.items():
        if source == "name":
            continue
        if source not in SOURCES:
            yield f"{where}.{str(source)[:63]} is not a volume that a release may mount"
        elif source == "projected" and value is not None:
            yield from _projected(value, where, tokens=tokens)


def _projected(value: Any, where: str, *, tokens: bool) -> Iterator[str]:
    sources = value.get("sources") if isinstance(value, Mapping) else None
    if not isinstance(sources, list) or not all(isinstance(source, Mapping) for source in sources):
        yield f"{where}.projected needs a list of sources"
        return
    allowed = PROJECTIONS | TOKENS if tokens else PROJECTIONS
    for source in sources:
        for name in source:
            if name in TOKENS and not tokens:
                yield f"{where} must not project a {name}: an operator has to allow service_account_tokens"
            elif name not in allowed:
                yield f"{where}.projected.{str(name)[:63]} is not a volume that a release may mount"
