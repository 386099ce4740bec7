"""What earlier deployments of a target brought and a release no longer contains."""

from collections.abc import Mapping, Sequence
from typing import Any

from deployments.models import Deployment, Target
from deployments.models.places import TargetKind
from deployments.targets.base import Manifest

# Older deployments than these have had their chance.
LOOKED_AT = 20
# Everything that is left behind, nothing, or of it only what a person was shown.
Prune = bool | Sequence[Mapping[str, str]]


def left_behind(target: Target, manifests: Sequence[Manifest]) -> list[dict[str, str]]:
    """[{apiVersion, kind, name}] of objects that we applied here before and that are not in `manifests`."""
    if target.kind != TargetKind.MANIFESTS:
        # The objects of the other kinds are known only later, and a chart removes its own.
        return []
    kept = {_identity(item) for item in manifests}
    rows = Deployment.objects.filter(target=target, sequence__isnull=False).order_by("-sequence")
    earlier = rows.values_list("manifests", flat=True)[:LOOKED_AT]
    gone = {_identity(item) for manifests in earlier for item in manifests} - kept
    return [{"apiVersion": version, "kind": kind, "name": name} for version, kind, name in sorted(gone)]


def to_prune(target: Target, manifests: Sequence[Manifest], prune: Prune) -> list[dict[str, str]]:
    """What of the objects left behind is to be removed."""
    if prune is False:
        return []
    found = left_behind(target, manifests)
    return found if prune is True else [each for each in found if each in prune]


def _identity(item: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(item.get("apiVersion")), str(item.get("kind")), str((item.get("metadata") or {}).get("name"))
