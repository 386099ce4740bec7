"""What Alertmanager tells: alerts that are about a deployment which is being watched just now.

An alert is written down beside the measurements of the deployment that it is about, once for each fingerprint and
start, and the engine is woken; what follows (the step or the bake fails, the last good release comes back) is its
business.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive

from accounts.policies import require
from audit.services import record
from deployments import policies
from deployments.models import Bake, Deployment, Measurement, Step
from deployments.selectors.checks import ALERT
from deployments.services.bakes import hold_target, wake_bake
from deployments.services.measurements import write_measurements
from deployments.services.waking import wake
from deployments.statuses import BakeStatus, DeploymentStatus, StepName, StepStatus, Verdict
from deployments.targets.base import Measured
from deployments.targets.kubernetes.wording import clean
from deployments.transitions import facts
from releasemgr.core.actors import Actor

# Those of one application in one environment: its targets.
MOST_MATCHES = 50


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of Alertmanager, read and bounded. `starts_at` is None when it did not say."""

    fingerprint: str
    is_firing: bool
    labels: Mapping[str, str]
    summary: str
    starts_at: datetime | None

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "")[:80] or "Alert"

    @property
    def key(self) -> str:
        """The same for each repetition."""
        return f"{self.fingerprint} {self.starts_at.isoformat() if self.starts_at else ''}".strip()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done about one alert, as a word and a sentence."""

    fingerprint: str
    done: str
    sentence: str
    deployment: UUID | None = None


def read_alert(raw: Mapping[str, Any]) -> Alert:
    """From Alertmanager's own shape, whose status and labels were checked. What it says is written by strangers."""
    labels = {str(name)[:200]: clean(content, limit=253) for name, content in raw["labels"].items()}
    annotations = raw.get("annotations") or {}
    # Without a fingerprint it is the labels that tell alerts apart.
    identity = raw.get("fingerprint") or ",".join(f"{name}={labels[name]}" for name in sorted(labels))
    return Alert(
        fingerprint=clean(identity, limit=100),
        is_firing=raw["status"] == "firing",
        labels=labels,
        summary=clean(annotations.get("summary") or annotations.get("description"), limit=300),
        starts_at=_moment(raw.get("startsAt", "")),
    )


def _moment(text: str) -> datetime | None:
    """None for what is no time: then the alert counts as one of now."""
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return None if found is None or is_naive(found) else found


def receive_alerts(*, actor: Actor, alerts: Sequence[Alert]) -> list[Outcome]:
    """One outcome for each alert, in order. Raises NotAllowed for who may deploy nothing at all."""
    require(
        actor.user_id is not None and actor.may_change("deployments"),
        permission="deployments:write",
        why="Alerts may roll deployments back, so passing them on needs the right to deploy.",
    )
    return [_receive(actor, alert) for alert in alerts]


def _receive(actor: Actor, alert: Alert) -> Outcome:
    if not alert.is_firing:
        return Outcome(alert.fingerprint, "ignored", "It is resolved: nothing to do.")
    wanted = _about(alert)
    if wanted is None:
        return Outcome(alert.fingerprint, "ignored", "Its labels name no application and no namespace.")
    watched = list(_watched(actor).filter(wanted)[:MOST_MATCHES])
    if not watched:
        return Outcome(alert.fingerprint, "unmatched", "No deployment that it is about is being watched now.")
    if len({(each.application_id, each.environment_id) for each in watched}) > 1:
        names = f"{settings.ALERT_APPLICATION_LABEL} and {settings.ALERT_ENVIRONMENT_LABEL}"
        return Outcome(alert.fingerprint, "unmatched", f"Several deployments fit: give the alert the labels {names}.")
    # One for each of its targets that is being watched; the answer names the first.
    outcomes = [_pass_on(actor, alert, each) for each in watched]
    return outcomes[0]


def _about(alert: Alert) -> Q | None:
    application = alert.labels.get(settings.ALERT_APPLICATION_LABEL)
    environment = alert.labels.get(settings.ALERT_ENVIRONMENT_LABEL)
    namespace = alert.labels.get("namespace")
    if not application and not namespace:
        return None
    wanted = Q(application__slug=application) if application else Q(target__namespace=namespace)
    if environment:
        return wanted & Q(environment__name=environment)
    return wanted & Q(target__namespace=namespace) if namespace else wanted


def _watched(actor: Actor) -> QuerySet[Deployment]:
    """Deployments that the actor sees and that bake, or are being verified."""
    bakes = Bake.objects.filter(deployment=OuterRef("pk"), status=BakeStatus.WATCHING)
    verify = Step.objects.filter(deployment=OuterRef("pk"), name=StepName.VERIFY, status=StepStatus.RUNNING)
    rows = policies.visible_deployments(actor).filter(Exists(bakes) | Exists(verify))
    return (
        rows.select_related("bake", "application__team", "environment", "release")
        .select_related("target__application__team", "target__environment")
        .defer("manifests", "evidence", "release__artifacts", "target__database_url")
        .order_by("created_at", "id")
    )


def _pass_on(actor: Actor, alert: Alert, deployment: Deployment) -> Outcome:
    why_not = policies.why_not_deploy(actor, deployment.target)
    if why_not:
        return Outcome(alert.fingerprint, "forbidden", why_not, deployment.pk)
    if alert.starts_at and deployment.started_at and alert.starts_at < deployment.started_at:
        told = f"It was firing before {deployment.release.version} was deployed, so it says nothing about it."
        return Outcome(alert.fingerprint, "ignored", told, deployment.pk)
    if not _write_down(actor, alert, deployment):
        return Outcome(alert.fingerprint, "repeated", "It was passed on before.", deployment.pk)
    return Outcome(alert.fingerprint, "passed_on", f"Passed on to {deployment}: it fails.", deployment.pk)


@transaction.atomic
def _write_down(actor: Actor, alert: Alert, deployment: Deployment) -> bool:
    """False when it was written down before. Whoever sends the same one at once waits for the row."""
    # Before any row of it, as its bake does, which writes the same rows in another order.
    hold_target(deployment)
    held = Deployment.objects.select_for_update(no_key=True).filter(pk=deployment.pk)
    is_verified = held.values_list("status", flat=True).get() == DeploymentStatus.IN_PROGRESS
    if Measurement.objects.filter(deployment=deployment, phase=ALERT, value=alert.key[:200]).exists():
        return False
    sentence = f"{alert.name}: {alert.summary}" if alert.summary else alert.name
    write_measurements(deployment, [Measured("", alert.name, ALERT, Verdict.FAIL.value, alert.key, sentence)])
    data = {"alert": alert.name, "fingerprint": alert.fingerprint, "summary": alert.summary}
    record("deployment.alert_received", actor=actor, subject=deployment, data=facts(deployment) | data)
    if is_verified:
        wake(deployment.pk)
    else:
        wake_bake(deployment)
    return True
