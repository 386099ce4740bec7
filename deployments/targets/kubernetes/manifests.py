"""Targets of kind `manifests`: any set of Kubernetes objects of one namespace."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from deployments.targets.base import POLL_SECONDS, Failed, Manifest, Running, StepResult, Succeeded, Work
from deployments.targets.comparison import Comparison, DriftReport
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.applying import fence, prune
from deployments.targets.kubernetes.comparing import compare, drift
from deployments.targets.kubernetes.judging import causes, creation, evidence, rollout, unsticking, vanished
from deployments.targets.kubernetes.judging.causes import Cause
from deployments.targets.kubernetes.judging.grace import GRACE_SECONDS, Patience, grace_of
from deployments.targets.kubernetes.judging.revisions import Scene
from deployments.targets.kubernetes.judging.rollout import Judgement, Phase
from deployments.targets.kubernetes.strategies import blue_green, progressive, tidy
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wire.errors import ClusterError, as_result
from deployments.targets.kubernetes.wire.kubeconfig import InvalidKubeconfig

LACKING_SECONDS = 2.0
# For kinds without a deadline of their own, and for Deployments whose condition still tells of an earlier rollout.
DEADLINE_SECONDS = 600.0


@dataclass(frozen=True)
class ManifestsTarget:
    """Server-side apply of rendered manifests, then watching every workload become what was asked.

    `grace_seconds`: how long each kind of trouble (see `causes`) may last before it fails the rollout.
    """

    grace_seconds: Mapping[str, float] = field(default_factory=lambda: GRACE_SECONDS)

    def render(self, work: Work) -> tuple[Manifest, ...]:
        return progressive.rendered(work)

    def stamp(self, work: Work) -> tuple[Manifest, ...]:
        return progressive.stamped(work)

    def preflight(self, work: Work) -> StepResult:
        return answering(work, progressive.check)

    def apply(self, work: Work) -> StepResult:
        return answering(work, progressive.apply_objects)

    def observe(self, work: Work, *, checkpoint: Mapping[str, Any], now: datetime) -> StepResult:
        patience = Patience.recall(checkpoint, now)
        return answering(work, lambda cluster, work: self._observe(cluster, work, patience))

    def shift(self, work: Work, percent: int, *, checkpoint: Mapping[str, Any], now: datetime) -> StepResult:
        patience = Patience.recall(checkpoint, now)

        def bring(cluster: Cluster, work: Work) -> StepResult:
            return progressive.shift(cluster, work, percent, lambda part: self._observe(cluster, part, patience))

        return answering(work, bring)

    def switch(self, work: Work) -> StepResult:
        return answering(work, blue_green.switch)

    def tidy(self, work: Work) -> StepResult:
        return answering(work, tidy.tidy)

    def prune(self, work: Work) -> StepResult:
        return answering(work, prune.prune)

    def evidence(self, work: Work) -> Mapping[str, Any]:
        """Of the first workload that is not done."""
        try:
            cluster = Cluster(work.connection)
            for item in filter(objects.is_rolled, (*tidy.canaries(cluster, work), *work.objects)):
                scene = _look(cluster, item, work)
                if not isinstance(scene, Failed) and rollout.judge(scene).phase is not Phase.DONE:
                    events = evidence.recent_events(cluster, work.namespace)
                    return evidence.collect(cluster, work.namespace, scene.live, scene.pods, events)
        except (InvalidKubeconfig, ClusterError) as error:
            return {"problems": [str(error)]}
        return {}

    def compare(self, work: Work) -> Comparison:
        return compare.compare(work, progressive.trying)

    def find_drift(self, work: Work) -> DriftReport:
        return drift.find_drift(work)

    def _observe(self, cluster: Cluster, work: Work, patience: Patience) -> StepResult:
        patience = replace(patience, grace=grace_of(work.overrides, self.grace_seconds))
        judged: dict[str, Judgement] = {}
        log: list[str] = []
        for item in work.objects:
            if not objects.is_rolled(item):
                continue
            scene = _look(cluster, item, work)
            if isinstance(scene, Failed):
                ended = vanished.judge(cluster, item, work)
                if ended is None or ended.phase is not Phase.DONE:
                    return Failed(ended.message) if ended else scene
                judged[objects.title(item)] = ended
                continue
            judgement = _with_missing(cluster, scene, rollout.judge(scene), work)
            seconds = patience.seen_seconds(objects.title(item), judgement.suspects)
            judgement = rollout.without_lost_pods(judgement, seconds)
            failure = self._failure(judgement, scene, patience)
            if failure is not None:
                return _told(cluster, work, scene, failure)
            judged[objects.title(item)] = judgement
            stuck = unsticking.stuck_pods(scene, waited_seconds=patience.waited_seconds())
            log += unsticking.delete_pods(cluster, work.namespace, stuck)
        return self._summary(judged, patience, log)

    def _failure(self, judgement: Judgement, scene: Scene, patience: Patience) -> "_Failure | None":
        title = objects.title(scene.wanted)
        if judgement.phase is Phase.FAILED:
            return _Failure(judgement.message)
        for cause in judgement.suspects:
            remaining = patience.remaining_seconds(title, cause)
            if remaining is not None and remaining <= 0:
                return _Failure(cause.message, cause)
        if judgement.phase is Phase.MOVING and (judgement.is_overdue or _ran_out(scene.live, patience)):
            worst = judgement.suspects[0] if judgement.suspects else None
            return _Failure(worst.message if worst else f"Not ready in time: {judgement.message}", worst)
        return None

    def _summary(self, judged: Mapping[str, Judgement], patience: Patience, log: Sequence[str]) -> StepResult:
        moving = [judgement for judgement in judged.values() if judgement.phase is Phase.MOVING]
        if not moving:
            told = " ".join(judgement.message for judgement in judged.values())
            return Succeeded(told or "Nothing to roll out: applied is all that this release asks for.")
        suspects = {title: judgement.suspects for title, judgement in judged.items()}
        return Running(
            _waiting_words(moving),
            retry_after_seconds=min(self._look_again_in(suspects, patience), *(each.longest_pause for each in moving)),
            checkpoint=patience.checkpoint(suspects),
            log=tuple(log),
        )

    def _look_again_in(self, suspects: Mapping[str, tuple[Cause, ...]], patience: Patience) -> float:
        pending = (patience.remaining_seconds(title, cause) for title, found in suspects.items() for cause in found)
        return max(0.1, min((seconds for seconds in pending if seconds is not None), default=POLL_SECONDS))


@dataclass(frozen=True, slots=True)
class _Failure:
    message: str
    cause: Cause | None = None


def answering(work: Work, step: Callable[[Cluster, Work], StepResult], *, needs_objects: bool = True) -> StepResult:
    """The step's answer; what the cluster or its credentials refuse becomes one as well."""
    if needs_objects and not work.objects:
        # Doing nothing with success would call a deployment good that never happened.
        return Failed("There is nothing to deploy: this deployment has no rendered objects. Start a new one.")
    try:
        return step(Cluster(work.connection), work)
    except InvalidKubeconfig as error:
        return Failed(str(error))
    except ClusterError as error:
        return as_result(error)


def _look(cluster: Cluster, item: Manifest, work: Work) -> Scene | Failed:
    """One GET and at most two lists for each workload."""
    api_version, kind = str(item["apiVersion"]), str(item["kind"])
    live = cluster.get(api_version, kind, work.namespace, objects.name_of(item))
    if live is None:
        return Failed(f"{objects.title(item)} is no longer in the cluster: somebody deleted it.")
    fence.refuse_if_stale(live, work)
    fence.refuse_if_lost(live, work)
    selector = objects.selector_of(live)
    sets = cluster.list("apps/v1", "ReplicaSet", work.namespace, labels=selector) if kind == "Deployment" else []
    pods = cluster.list("v1", "Pod", work.namespace, labels=selector)
    return Scene(wanted=item, live=live, replica_sets=sets, pods=pods)


def _with_missing(cluster: Cluster, scene: Scene, judgement: Judgement, work: Work) -> Judgement:
    """With why pods are missing. Nobody is told of an event about a controller, so it is looked for soon again."""
    if judgement.phase is not Phase.MOVING or not creation.lacks_pods(scene):
        return judgement
    missing = creation.of_missing_pods(cluster, work.namespace, scene)
    return replace(judgement, suspects=(*missing, *judgement.suspects), longest_pause=LACKING_SECONDS)


def _told(cluster: Cluster, work: Work, scene: Scene, failure: _Failure) -> Failed:
    events = evidence.recent_events(cluster, work.namespace)
    message = failure.message
    if failure.cause is not None:
        message = causes.explained(failure.cause, events).message
    elif not scene.pods:
        created = causes.of_creation_events(objects.events_about(scene.live, events))
        message = created[0].message if created else message
    return Failed(message, evidence=evidence.collect(cluster, work.namespace, scene.live, scene.pods, events))


def _ran_out(live: Manifest, patience: Patience) -> bool:
    kind = live.get("kind")
    if kind == "Job":
        return False
    if kind != "Deployment":
        return patience.waited_seconds() > DEADLINE_SECONDS
    # The controller times a Deployment itself, except when the same spec is applied to one that had already timed out.
    if objects.condition(live, "Progressing").get("reason") != "ProgressDeadlineExceeded":
        return False
    deadline = (live.get("spec") or {}).get("progressDeadlineSeconds") or DEADLINE_SECONDS
    return patience.waited_seconds() > float(deadline)


def _waiting_words(moving: list[Judgement]) -> str:
    worst = causes.by_severity(cause for judgement in moving for cause in judgement.suspects)
    told = " ".join(judgement.message for judgement in moving)
    return f"{told} {worst[0].message}" if worst else told
