"""What earlier deployments of a target brought and a release no longer contains."""

from collections.abc import Mapping, Sequence

from deployments.models import Deployment, Target
from deployments.models.places import TargetKind
from deployments.targets import guardrails
from deployments.targets.base import Manifest
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.applying.prune import MOST_OBJECTS

# Older deployments than these have had their chance.
LOOKED_AT = 20
# Everything that is left behind, nothing, or of it only what a person was shown.
Prune = bool | Sequence[Mapping[str, str]]


def left_behind(target: Target, manifests: Sequence[Manifest]) -> list[dict[str, str]]:
    """[{apiVersion, kind, name}] of objects that we applied here before and that are not in `manifests`.

    Without those that are never removed here (see the guardrails), and never more than are removed at once. Whether
    they are still there, and still ours, only the cluster can tell.
    """
    if target.kind != TargetKind.MANIFESTS:
        # The objects of the other kinds are known only later, and a chart removes its own.
        return []
    kept = {_identity(item) for item in manifests}
    rails = guardrails.read(target.guardrails)
    rows = Deployment.objects.filter(target=target, sequence__isnull=False).order_by("-sequence")
    gone: dict[tuple[str, str, str], str] = {}
    for earlier in rows.values_list("manifests", flat=True)[:LOOKED_AT]:
        for item in earlier:
            is_here = objects.metadata(item).get("namespace") in (None, target.namespace)
            if is_here and _identity(item) not in kept and rails.may_prune(*objects.group_kind(item)):
                # The newest way to write it: the API version may have changed since.
                gone.setdefault(objects.identity(item), str(item.get("apiVersion")))
    named = [{"apiVersion": gone[each], "kind": each[1], "name": each[2]} for each in sorted(gone)]
    return named[:MOST_OBJECTS]


def to_prune(target: Target, manifests: Sequence[Manifest], prune: Prune) -> list[dict[str, str]]:
    """What of the objects left behind is to be removed."""
    if prune is False:
        return []
    found = left_behind(target, manifests)
    return found if prune is True else [each for each in found if each in prune]


def _identity(item: Manifest) -> tuple[str, str, str]:
    """Group, kind and name in the release: a workload that a blue/green rollout renamed is still the same."""
    return (*objects.group_kind(item), objects.base_name(item))
