"""Health questions, what they measured, and the watch after a deployment's success."""

from uuid import UUID

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models.deployment import Deployment
from deployments.models.places import Environment
from deployments.statuses import BakeStatus, CheckKind, NoData, Verdict
from releasemgr.core.models import Identified
from releases.models import Application


class Check(Identified):
    """A health question, asked every `interval_seconds` for `window_seconds` after a rollout, and while it bakes.

    `expect` depends on the kind, see `deployments.health`. More than `failure_limit` failed measurements are a verdict.
    """

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="checks")
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="checks")
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=10, choices=CheckKind)
    url = models.CharField(max_length=2000, blank=True)
    query = models.TextField(blank=True, max_length=5000)
    manifest = models.TextField(blank=True, max_length=100_000)
    expect = models.JSONField(default=dict, blank=True)
    interval_seconds = models.PositiveIntegerField(default=10)
    window_seconds = models.PositiveIntegerField(default=60)
    failure_limit = models.PositiveIntegerField(default=0)
    on_no_data = models.CharField(max_length=12, choices=NoData, default=NoData.INCONCLUSIVE)

    class Meta:
        ordering = ["application", "environment", "name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["application", "environment", "name"], name="check_name_of_place"),
            models.CheckConstraint(condition=Q(interval_seconds__gte=1), name="check_interval_positive"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_application_id(self) -> UUID:
        return self.application_id


class Measurement(models.Model):
    """One answer to a check. `name` stays when the check is deleted."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="measurements")
    check_asked = models.ForeignKey(Check, null=True, on_delete=models.SET_NULL, related_name="measurements")
    name = models.CharField(max_length=100)
    phase = models.CharField(max_length=20)
    verdict = models.CharField(max_length=12, choices=Verdict)
    value = models.CharField(max_length=200, blank=True)
    sentence = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["deployment", "id"], name="measurement_of_deployment")]

    def __str__(self) -> str:
        return f"{self.name}: {self.verdict}"


class BakeQuerySet(models.QuerySet["Bake"]):
    def due(self) -> "BakeQuerySet":
        return self.filter(status=BakeStatus.WATCHING, wake_at__lte=Now())

    def unclaimed(self) -> "BakeQuerySet":
        return self.filter(Q(claimed_until__isnull=True) | Q(claimed_until__lt=Now()))


class Bake(Identified):
    """The watch after a deployment's success: a row with a timer and a lease, like the deployment's own."""

    deployment = models.OneToOneField(Deployment, on_delete=models.CASCADE, related_name="bake")
    status = models.CharField(max_length=10, choices=BakeStatus, default=BakeStatus.WATCHING)
    until = models.DateTimeField()
    message = models.TextField(blank=True)
    evidence = models.JSONField(default=dict)
    checkpoint = models.JSONField(default=dict)
    completed_at = models.DateTimeField(null=True)
    claim_token = models.UUIDField(null=True, editable=False)
    claimed_until = models.DateTimeField(null=True, editable=False)
    wake_at = models.DateTimeField(null=True, editable=False)

    objects = BakeQuerySet.as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(status__in=BakeStatus.values), name="bake_status_known")]
        indexes = [models.Index(fields=["wake_at"], condition=Q(status=BakeStatus.WATCHING), name="bake_due")]

    def __str__(self) -> str:
        return f"Bake of {self.deployment}"

    @property
    def audit_application_id(self) -> UUID:
        return self.deployment.application_id
