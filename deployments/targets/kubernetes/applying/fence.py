"""Who wrote a live object last, by the annotations that each of our applies leaves on it.

The sequence grows with each deployment of one target, so it is compared only between deployments of the same target.
An object of another target (a second application, or a database that was made anew) is taken over, and said so.
"""

from deployments.targets.base import Manifest, Work
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.wire.errors import Refused, Unavailable


class Superseded(Refused):
    """The live object belongs to a newer deployment."""


def refuse_if_newer(live: Manifest | None, work: Work) -> None:
    """Raises Superseded when a newer deployment of the same target has written the object."""
    if live is not None and is_ours(live, work) and objects.sequence_of(live) > work.sequence:
        raise Superseded(
            f"A newer deployment (number {objects.sequence_of(live)}) has already written {objects.title(live)}; "
            f"this one (number {work.sequence}) leaves it alone."
        )


def refuse_if_stale(live: Manifest, work: Work) -> None:
    """Raises Unavailable when the cluster shows the object as it was before this deployment wrote it."""
    ours, shown = work.written.get(objects.title(live), {}), objects.metadata(live)
    same = ours.get("uid") == shown.get("uid")
    if ours and same and int(shown.get("generation") or 0) < int(ours.get("generation") or 0):
        raise Unavailable(f"The cluster still shows {objects.title(live)} as it was before this deployment changed it.")


def refuse_if_lost(live: Manifest, work: Work) -> None:
    """Raises Superseded when any other deployment has written the object since ours."""
    refuse_if_newer(live, work)
    writer = objects.annotation(live, objects.DEPLOYMENT)
    if writer and writer != work.deployment_id:
        raise Superseded(
            f"Another deployment ({objects.annotation(live, objects.RELEASE)}) has taken over {objects.title(live)}, "
            "so this one can't be told to work."
        )


def taken_over_from(live: Manifest | None, work: Work) -> str:
    """The release of another target that holds the object so far; empty when it is ours or new."""
    if live is None or not objects.annotation(live, objects.DEPLOYMENT) or is_ours(live, work):
        return ""
    return objects.annotation(live, objects.RELEASE)


def is_ours(live: Manifest, work: Work) -> bool:
    """Whether this target's deployments have written the object."""
    return objects.annotation(live, objects.TARGET) == work.target_id
