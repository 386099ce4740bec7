"""What others changed in the cluster since we last applied.

A field has drifted when its value differs from what we applied and it is no longer ours: a value that the server wrote
in another way (`1000m` as `1`) stays ours. A field that we never named has drifted when another manager than a
controller set it after us; what the server fills in belongs to nobody.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from deployments.targets.base import Manifest, Work
from deployments.targets.comparison import Drift, DriftReport
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.comparing import fieldnames
from deployments.targets.kubernetes.comparing.compare import REQUEST_TIMEOUTS, SECONDS
from deployments.targets.kubernetes.comparing.differences import MISSING, Leaf, bare, leaves
from deployments.targets.kubernetes.comparing.owners import Owner, newest_of, owners
from deployments.targets.kubernetes.secrecy import as_stored, is_secret
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wire.errors import ClusterError
from deployments.targets.kubernetes.wire.kubeconfig import InvalidKubeconfig
from deployments.targets.kubernetes.wire.parallel import Inquiry
from deployments.targets.kubernetes.wording import clean

MOST_DRIFT = 100
REPLICAS = ("spec", "replicas")


def find_drift(work: Work, *, only_ours: bool = False, seconds: float = SECONDS) -> DriftReport:
    """`work.objects` are those that were applied last, `work.deployment_id` is the deployment that did it.

    With `only_ours` fields that we never named do not count, whoever sets them.
    Raises nothing of its own: what can't be told is a problem.
    """
    try:
        with Inquiry(seconds) as inquiry:
            cluster = inquiry.ask(lambda: Cluster(work.connection, timeouts=REQUEST_TIMEOUTS))
            answers = inquiry.ask_all(lambda item: _live(cluster, item, work), work.objects)
    except (InvalidKubeconfig, ClusterError) as error:
        return DriftReport(problems=(str(error),))
    problems = [str(each) for each in answers if isinstance(each, ClusterError)]
    scaled = _autoscaled(work)
    found: list[Drift] = []
    for item, live in zip(work.objects, answers, strict=True):
        if isinstance(live, ClusterError):
            continue
        try:
            told, problem = _told(item, live, work, is_autoscaled=objects.title(item) in scaled)
        except RecursionError:
            continue
        found += [each for each in told if not only_ours or each.applied is not None or not each.path]
        problems += [problem] if problem else []
    if len(found) > MOST_DRIFT:
        problems.append(f"Only {MOST_DRIFT} of {len(found)} changes are shown.")
    return DriftReport(tuple(found[:MOST_DRIFT]), tuple(dict.fromkeys(problems)))


def _live(cluster: Cluster, item: Manifest, work: Work) -> dict[str, Any] | None:
    return cluster.get(str(item["apiVersion"]), str(item["kind"]), work.namespace, objects.name_of(item))


def _told(item: Manifest, live: Manifest | None, work: Work, *, is_autoscaled: bool) -> tuple[list[Drift], str]:
    kind, name = str(item["kind"]), objects.name_of(item)
    if live is None:
        return [Drift(kind, name, "", applied=None, live=None)], ""
    writer = objects.annotation(live, objects.DEPLOYMENT)
    if writer and writer != work.deployment_id:
        release = clean(objects.annotation(live, objects.RELEASE), limit=100)
        return [], f"{objects.title(item)} has been written by another deployment since ({release or 'unknown'})."
    return [
        _drift(kind, name, live, leaf, owner)
        for leaf, owner in drifted(item, live)
        if not (is_autoscaled and tuple(map(str, leaf.steps)) == REPLICAS)
    ], ""


def drifted(item: Manifest, live: Manifest) -> Iterator[tuple[Leaf, Owner | None]]:
    """The fields that drifted, and who owns them now as far as that is known."""
    everybody = owners(live)
    applied_at = _applied_at(everybody)
    is_translated = is_secret(item) and "stringData" in item
    for leaf in sorted(leaves(bare(as_stored(item)), bare(live)), key=lambda leaf: fieldnames.rank(leaf.steps)):
        holders = [owner for owner in everybody if owner.holds(leaf.steps)]
        if any(owner.is_controller for owner in holders):
            continue
        others = [owner for owner in holders if not owner.is_us]
        # What we sent as `stringData` is ours under that name, not under the name where it is kept.
        is_ours = len(others) < len(holders) and not (is_translated and str(leaf.steps[0]) == "data")
        if leaf.before is MISSING or is_ours:
            others = [owner for owner in others if _is_later(owner, applied_at)]
            if not others:
                continue
        elif leaf.after is MISSING and not leaf.before:
            # The server does not keep what is empty.
            continue
        yield leaf, newest_of(others)


def _applied_at(everybody: list[Owner]) -> datetime | None:
    ours = newest_of(owner for owner in everybody if owner.is_us)
    return ours.at if ours else None


def _is_later(owner: Owner, moment: datetime | None) -> bool:
    return owner.at is not None and (moment is None or owner.at > moment)


def _drift(kind: str, name: str, live: Manifest, leaf: Leaf, owner: Owner | None) -> Drift:
    applied, now = leaf.texts()
    path = fieldnames.words(live, leaf.steps)
    return Drift(kind, name, path, applied, now, owner.manager if owner else "", owner.at if owner else None)


def _autoscaled(work: Work) -> set[str]:
    """Titles of the workloads whose replicas an autoscaler of this release sets."""
    scalers = [item for item in work.objects if item.get("kind") == "HorizontalPodAutoscaler"]
    references = [(item.get("spec") or {}).get("scaleTargetRef") or {} for item in scalers]
    return {f"{reference.get('kind')} {reference.get('name')}" for reference in references}
