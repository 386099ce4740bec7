"""One run that brings a release to an environment: the row that remembers the work."""

from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from deployments.models.places import Target
from deployments.statuses import OPEN, DeploymentKind, DeploymentStatus, StepName, StepStatus
from releasemgr.core.models import Identified
from releases.models import Application, Decision, Release


class DeploymentQuerySet(models.QuerySet["Deployment"]):
    def open(self) -> "DeploymentQuerySet":
        return self.filter(status__in=OPEN)

    def ran_well(self) -> "DeploymentQuerySet":
        """Succeeded, even when taken back later; what failed and was rolled back carries its error."""
        well = Q(status__in=(DeploymentStatus.SUCCEEDED, DeploymentStatus.ROLLED_BACK), error_message="")
        return self.filter(well | _stopped_further_on())

    def stands(self) -> "DeploymentQuerySet":
        """Brought its own target up, and has not been taken back."""
        return self.filter(Q(status=DeploymentStatus.SUCCEEDED) | _stopped_further_on())

    def due(self) -> "DeploymentQuerySet":
        """Open, and woken or its timer run out. By the database's clock, as everything about leases (decision 0006)."""
        return self.open().filter(wake_at__lte=Now())

    def unclaimed(self) -> "DeploymentQuerySet":
        """Held by no living worker."""
        return self.filter(Q(claimed_until__isnull=True) | Q(claimed_until__lt=Now()))


def _stopped_further_on() -> Q:
    """Its own target was done when it failed or was cancelled in a further one, and nobody brought that back."""
    ended = Q(status__in=(DeploymentStatus.FAILED, DeploymentStatus.CANCELLED))
    led = Step.objects.filter(deployment=OuterRef("pk"), name=StepName.WAVES, started_at__isnull=False)
    return ended & Exists(led) & ~Exists(Deployment.objects.filter(rolls_back=OuterRef("pk")))


class Deployment(Identified):
    """`claim_token` and `claimed_until` are the lease of the worker that ticks it; `wake_at` is its timer."""

    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="deployments")
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="deployments")
    environment = models.ForeignKey("deployments.Environment", on_delete=models.PROTECT, related_name="deployments")
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="deployments")
    kind = models.CharField(max_length=10, choices=DeploymentKind, default=DeploymentKind.DEPLOY)
    status = models.CharField(max_length=12, choices=DeploymentStatus, default=DeploymentStatus.PENDING)
    # Drawn when it starts, not when it is asked for: one that waited long must not be fenced off by one that did not.
    sequence = models.PositiveBigIntegerField(null=True, editable=False)
    automatic = models.BooleanField(default=False, editable=False)
    deployed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="deployments"
    )
    reason = models.TextField(blank=True, max_length=2000)
    not_before = models.DateTimeField(null=True, blank=True)
    not_after = models.DateTimeField(null=True, blank=True)
    rolls_back = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="rollbacks")
    # Of several targets in one environment the first one leads; the others' deployments are parts of the leading one.
    part_of = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="parts", editable=False)
    train = models.ForeignKey(
        "deployments.Train", null=True, on_delete=models.PROTECT, related_name="deployments", editable=False
    )
    started_at = models.DateTimeField(null=True, editable=False)
    completed_at = models.DateTimeField(null=True, editable=False)
    error_message = models.TextField(blank=True, editable=False)
    # What the gates said last, for pages and answers: [{kind, open, sentence, opens_at, can_open}].
    gates = models.JSONField(default=list, editable=False)
    # The content at the time it was asked for; the engine refuses to go on with another.
    release_digest = models.CharField(max_length=71, editable=False)
    # The rendered Kubernetes objects, exactly as they are applied.
    manifests = models.JSONField(default=list, editable=False)
    evidence = models.JSONField(default=dict, editable=False)
    # The target's, at the time it was asked for; a rollback carries those of the deployment that it brings back.
    overrides = models.JSONField(default=dict, editable=False)
    strategy = models.JSONField(default=dict, editable=False)
    # Field managers whose fields may be taken, chosen by the person who asked.
    take_over = models.JSONField(default=list, editable=False)
    # Objects to remove, as they were shown: [{apiVersion, kind, name}].
    prune = models.JSONField(default=list, editable=False)
    paused_at = models.DateTimeField(null=True, editable=False)
    # How many pauses of a progressive rollout people have ended.
    promotions = models.PositiveIntegerField(default=0, editable=False)
    cancel_requested_at = models.DateTimeField(null=True, editable=False)
    cancel_requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", editable=False
    )
    claim_token = models.UUIDField(null=True, editable=False)
    claimed_until = models.DateTimeField(null=True, editable=False)
    wake_at = models.DateTimeField(null=True, editable=False)

    objects = DeploymentQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["target"],
                condition=Q(status=DeploymentStatus.IN_PROGRESS),
                name="one_deployment_in_progress_per_target",
            ),
            models.UniqueConstraint(fields=["target", "sequence"], name="deployment_sequence_of_target"),
            models.UniqueConstraint(
                fields=["rolls_back"],
                condition=Q(automatic=True),
                name="one_automatic_rollback_per_deployment",
            ),
            models.UniqueConstraint(fields=["part_of", "target"], name="one_part_per_target"),
            models.CheckConstraint(condition=Q(status__in=DeploymentStatus.values), name="deployment_status_known"),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="deployment_newest"),
            models.Index(fields=["target", "-sequence"], name="deployment_of_target"),
            models.Index(fields=["application", "-created_at", "-id"], name="deployment_of_application"),
            models.Index(fields=["wake_at"], condition=Q(status__in=sorted(OPEN)), name="deployment_due"),
            models.Index(fields=["part_of"], condition=Q(part_of__isnull=False), name="deployment_parts"),
        ]

    def __str__(self) -> str:
        return f"{self.release} to {self.environment.name}"

    @property
    def audit_application_id(self) -> UUID:
        return self.application_id

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def is_rollback(self) -> bool:
        return self.kind == DeploymentKind.ROLLBACK


class Step(Identified):
    """One part of the plan. `checkpoint` is what the adapter wants to remember until the next tick."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=20, choices=StepName)
    status = models.CharField(max_length=10, choices=StepStatus, default=StepStatus.PENDING)
    message = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    checkpoint = models.JSONField(default=dict)
    # The step's own clock, which stands still while the cluster can't be seen (see `engine.recovery`).
    observed_at = models.DateTimeField(null=True)
    observed_seconds = models.FloatField(default=0)
    away_since = models.DateTimeField(null=True)

    class Meta:
        ordering = ["deployment", "position"]
        constraints = [
            models.UniqueConstraint(fields=["deployment", "position"], name="step_position_of_deployment"),
            models.CheckConstraint(condition=Q(status__in=StepStatus.values), name="step_status_known"),
        ]

    def __str__(self) -> str:
        return f"{self.get_name_display()} of {self.deployment}"

    @property
    def audit_application_id(self) -> UUID:
        return self.deployment.application_id


class LogLine(models.Model):
    """A line of the deployment's log, as people read it."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="log")
    step = models.CharField(max_length=20, choices=StepName, blank=True)
    level = models.CharField(max_length=7, default="info")
    message = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["deployment", "id"], name="log_of_deployment")]

    def __str__(self) -> str:
        return self.message


class DeploymentApproval(Identified):
    """One person's decision about one deployment. A trigger refuses the person who asked for it."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="approvals")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    decision = models.CharField(max_length=10, choices=Decision)
    comment = models.TextField(blank=True, max_length=5000)
    digest = models.CharField(max_length=71)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["deployment", "user"], name="one_decision_per_person_and_deployment")
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.decision} {self.deployment}"

    @property
    def audit_application_id(self) -> UUID:
        return self.deployment.application_id
