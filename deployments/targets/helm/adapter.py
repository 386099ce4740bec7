"""Targets of kind `helm`: a chart, rendered by Helm against the cluster, and brought out by Helm as it was judged.

The preflight turns chart and values into objects, which are stored with the deployment. From then on they are the
release: Helm gets them as a chart of finished objects. So what was judged and shown is what is applied, whatever a
`lookup` or a random password would come to the second time, and a rollback needs neither chart nor repository.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from deployments.targets.base import Errored, Failed, InvalidContent, Manifest, StepResult, Succeeded, Work
from deployments.targets.comparison import Comparison, DriftReport
from deployments.targets.helm import download, process, releases, rendering, repositories
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.applying import preflight, scaling
from deployments.targets.kubernetes.comparing import compare, drift
from deployments.targets.kubernetes.manifests import ManifestsTarget, answering
from deployments.targets.kubernetes.wire.cluster import Cluster

# To start Helm, fetch the chart and render it, while a person waits.
COMPARE_SECONDS = 12.0


@dataclass(frozen=True)
class HelmTarget:
    """Rollouts of a chart's workloads are judged as those of manifests are."""

    rollout: ManifestsTarget = field(default_factory=ManifestsTarget)

    def render(self, work: Work) -> tuple[Manifest, ...]:
        """Nothing yet: the chart is fetched and rendered at the preflight. Raises InvalidContent without a chart."""
        if not work.chart:
            raise InvalidContent(["The release holds no chart, and this target is made from one."])
        problems = rendering.problems_of(work)
        if problems:
            raise InvalidContent(problems)
        return ()

    def stamp(self, work: Work) -> tuple[Manifest, ...]:
        return rendering.stamp(work)

    def preflight(self, work: Work) -> StepResult:
        return answering(work, _preflight, needs_objects=False)

    def apply(self, work: Work) -> StepResult:
        return answering(work, releases.bring_out)

    def observe(self, work: Work, *, checkpoint: Mapping[str, Any], now: datetime) -> StepResult:
        return self.rollout.observe(_without_hooks(work), checkpoint=checkpoint, now=now)

    def evidence(self, work: Work) -> Mapping[str, Any]:
        return self.rollout.evidence(_without_hooks(work))

    def compare(self, work: Work) -> Comparison:
        """The chart is rendered for it, and may `lookup` what the credentials may read: not for everybody's eyes."""
        return compare.compare(work, prepare=_charted, seconds=COMPARE_SECONDS)

    def find_drift(self, work: Work) -> DriftReport:
        return drift.find_drift(_without_hooks(work))


def _preflight(cluster: Cluster, work: Work) -> StepResult:
    revision = releases.newest_of(cluster, work)
    releases.refuse_if_newer(revision, work)
    if work.objects:
        items: Sequence[Manifest] = work.objects
        told = "Brings back the objects that Helm applied then."
    else:
        try:
            items, told = _rendered(work, is_upgrade=releases.may_upgrade(revision))
        except InvalidContent as error:
            return Failed(" ".join(error.problems), evidence={"problems": list(error.problems)})
        except download.Refused as error:
            return Failed(str(error))
        except (download.Unavailable, process.HelmGone) as error:
            return Errored(str(error))
        except process.HelmFailed as error:
            return releases.verdict_on(error, work, "render the chart")
    items, said = _leaving_replicas(cluster, work, items)
    ready = replace(work, objects=items)
    if any(rendering.is_hook(item) for item in items):
        # Fields are taken over before Helm begins, and with them new pods would start before its hooks.
        ready = replace(ready, take_over=())
    missing = releases.missing_rights(cluster, ready)
    result = preflight.preflight(cluster, _without_hooks(ready))
    if missing and isinstance(result, Succeeded | Failed):
        problems = [missing, *([result.message] if isinstance(result, Failed) else [])]
        return Failed(" ".join(problems), evidence={"problems": problems})
    if isinstance(result, Succeeded):
        return replace(result, log=(told, *said, *result.log), objects=tuple(items))
    return result


def _leaving_replicas(cluster: Cluster, work: Work, items: Sequence[Manifest]) -> tuple[list[Manifest], list[str]]:
    """Helm applies what it is given: so what an autoscaler decides is left out, or kept as it is, beforehand."""
    autoscalers = scaling.autoscalers_in(cluster, items, work.namespace)
    left, said = [], []
    for item in items:
        if item["kind"] in objects.SCALED_KINDS:
            live = cluster.get(str(item["apiVersion"]), str(item["kind"]), work.namespace, objects.name_of(item))
            item, note = scaling.left_alone(item, live, autoscalers)
            said += [f"{objects.title(item)}: {note}."] if note else []
        left.append(item)
    return left, said


def _rendered(work: Work, *, is_upgrade: bool) -> tuple[tuple[Manifest, ...], str]:
    archive = repositories.archive_of(work.chart or {})
    found = process.render(releases.request(work, archive, is_upgrade=is_upgrade))
    return rendering.objects_of(found, work), f"Rendered the chart {found['name']} {found['version']}."


def _charted(cluster: Cluster, work: Work) -> Work:
    """The work with the chart's objects. Raises InvalidContent with whatever is in the way."""
    revision = releases.newest_of(cluster, work)
    try:
        items, _ = _rendered(work, is_upgrade=releases.may_upgrade(revision))
    except (download.Refused, download.Unavailable, process.HelmGone) as error:
        raise InvalidContent([str(error)]) from None
    except process.HelmFailed as error:
        raise InvalidContent([releases.verdict_on(error, work, "render the chart").message]) from None
    return _without_hooks(replace(work, objects=items))


def _without_hooks(work: Work) -> Work:
    """Hooks are Helm's own business: made anew each time, and gone afterwards where they say so."""
    return replace(work, objects=[item for item in work.objects if not rendering.is_hook(item)])
