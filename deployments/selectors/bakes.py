"""Reads about the watch after a deployment's success."""

from deployments.models import Deployment


def successor_of(deployment: Deployment) -> Deployment | None:
    """The newest deployment that has started in the same target since: what runs there is no longer this one."""
    later = Deployment.objects.filter(target=deployment.target_id, sequence__gt=deployment.sequence)
    return later.select_related("release").defer("manifests", "release__artifacts").order_by("-sequence").first()
