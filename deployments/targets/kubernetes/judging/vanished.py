"""Jobs that remove themselves when they have finished (ttlSecondsAfterFinished): how they ended, only events tell."""

from deployments.targets.base import Manifest, Work
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.judging import evidence
from deployments.targets.kubernetes.judging.rollout import Judgement, Phase
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wire.errors import Forbidden
from deployments.targets.kubernetes.wording import clean, sentence

FAILURES = frozenset(
    {"BackoffLimitExceeded", "DeadlineExceeded", "FailedIndexes", "MaxFailedIndexesExceeded", "PodFailurePolicy"}
)


def judge(cluster: Cluster, item: Manifest, work: Work) -> Judgement | None:
    """How the Job ended that is no longer there; None for anything else, and when nothing tells."""
    if objects.group_kind(item) != ("batch", "Job") or (item.get("spec") or {}).get("ttlSecondsAfterFinished") is None:
        return None
    fields = f"involvedObject.kind=Job,involvedObject.name={objects.name_of(item)}"
    try:
        events = sorted(cluster.list("v1", "Event", work.namespace, fields=fields), key=evidence.seen_at)
    except Forbidden:
        return None
    for event in reversed(events):
        if event.get("reason") == "Completed":
            return Judgement(Phase.DONE, f"{objects.title(item)} completed and removed itself.")
        if event.get("reason") in FAILURES:
            told = f"{event['reason']}: {clean(event.get('message'))}"
            return Judgement(Phase.FAILED, sentence(f"{objects.title(item)} failed and removed itself: {told}"))
    return None
