"""Whether our credentials may do something; what a cluster granted a moment ago is not asked again.

Many deployments to one place need the same rights. Only what was granted is remembered, and only by this process: a
right that was taken away since is refused by the cluster itself, at the dry run or at the apply.
"""

import time

from deployments.targets.kubernetes.wire.cluster import Cluster

SECONDS = 300.0
MOST = 10_000

# Credentials and right, and until when it counts, by this process's clock that never jumps.
_until: dict[tuple[str, ...], float] = {}


def is_allowed(cluster: Cluster, verb: str, group: str, resource: str, namespace: str, subresource: str = "") -> bool:
    """As the cluster's authorizer sees it. Raises a ClusterError."""
    right = (cluster.key, verb, group, resource, namespace, subresource)
    if _until.get(right, 0.0) > time.monotonic():
        return True
    attributes = {"namespace": namespace, "verb": verb, "group": group, "resource": resource}
    if not cluster.review(attributes | ({"subresource": subresource} if subresource else {})):
        return False
    if len(_until) >= MOST:
        _until.clear()
    _until[right] = time.monotonic() + SECONDS
    return True
