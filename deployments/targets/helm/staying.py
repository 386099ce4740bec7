"""A worker of Helm's that goes on without the one who asked, because hooks take longer than anybody may wait.

It leaves a sign of life on the release's record every few seconds, so that others let it work, and take its place when
the signs end. It ends itself when it can't leave any, or when somebody has marked its revision as failed.
"""

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

from deployments.targets.base import Connection
from deployments.targets.helm import storage
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wire.errors import ClusterError

BEAT_SECONDS = 3.0


def signs_of_life(request: Mapping[str, Any]) -> Iterator[None]:
    """One after another, for as long as the process lives; made in a thread beside Helm."""
    cluster = Cluster(Connection(key="helm", kubeconfig=request["kubeconfig"]))
    last = 0.0
    while True:
        try:
            revision = storage.newest(cluster, request["namespace"], request["release"])
            if revision is not None and _is_of(revision, request):
                if revision.status == storage.FAILED:
                    os._exit(1)
                storage.show_life(cluster, revision)
                last = time.monotonic()
                yield
        except ClusterError:
            if last and time.monotonic() - last > storage.SILENT_SECONDS - BEAT_SECONDS:
                # Others are about to take over.
                os._exit(1)
        time.sleep(BEAT_SECONDS if last else 0.2)


def _is_of(revision: storage.Revision, request: Mapping[str, Any]) -> bool:
    return revision.deployment_id == str(request["labels"][storage.DEPLOYMENT])
