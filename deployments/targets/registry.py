"""Kind of target → its adapter. Adapters load on first use: their clients cost up to a second and 60 MB to import."""

from functools import cache
from importlib import import_module

from deployments.targets.base import Target

ADAPTERS = {
    "manifests": "deployments.targets.kubernetes.manifests:ManifestsTarget",
    "images": "deployments.targets.kubernetes.images:ImagesTarget",
    "helm": "deployments.targets.helm.adapter:HelmTarget",
}


class UnknownTargetKind(LookupError):
    """No adapter is registered for this kind."""


@cache
def get_target(kind: str) -> Target:
    """The adapter for `kind`; adapters hold no state, so one instance serves everybody. Raises UnknownTargetKind."""
    try:
        module_name, class_name = ADAPTERS[kind].split(":")
    except KeyError:
        known = ", ".join(sorted(ADAPTERS))
        raise UnknownTargetKind(f"There is no adapter for targets of kind “{kind}”. Known kinds: {known}.") from None
    target: Target = getattr(import_module(module_name), class_name)()
    return target
