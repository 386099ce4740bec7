"""What containers wrote."""

from urllib.parse import quote

from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wording import clean_block

LINES = 50
BYTES = 16_384
# A log comes through the node, which may be what is broken: it is not worth a long wait.
TIMEOUTS = (3.0, 5.0)


def tail(cluster: Cluster, namespace: str, pod: str, container: str, *, previous: bool) -> tuple[str, ...]:
    """The last lines of a container; `previous` reads the run before the last restart. Raises a ClusterError."""
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(pod, safe='')}/log"
    query = [("container", container), ("tailLines", str(LINES)), ("limitBytes", str(BYTES))]
    query += [("previous", "true")] if previous else []
    data = cluster.read_bytes(f"read the log of {pod}", path, query, timeouts=TIMEOUTS)
    return tuple(clean_block(data.decode("utf-8", "replace"), limit=BYTES).splitlines()[-LINES:])
