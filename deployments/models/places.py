"""Where releases go."""

import re
from uuid import UUID

from django.core.validators import RegexValidator
from django.db import models

from releasemgr.core.encryption import EncryptedField
from releasemgr.core.models import Identified
from releases.models import Application

DNS_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
is_dns_label = RegexValidator(
    DNS_LABEL, "Lower-case letters, digits and dashes; begins and ends with a letter or digit; at most 63."
)


class Cluster(Identified):
    """A Kubernetes API. The kubeconfig goes in and never comes out: not in a page, an answer or a log."""

    name = models.CharField(max_length=63, unique=True, validators=[is_dns_label])
    kubeconfig = EncryptedField(editable=False)
    # Counts the credentials' changes, so that cached clients are dropped when they change.
    credentials_version = models.PositiveIntegerField(default=1, editable=False)
    server = models.CharField(max_length=300, editable=False)
    version = models.CharField(max_length=60, blank=True, editable=False)
    checked_at = models.DateTimeField(null=True, editable=False)
    problem = models.TextField(blank=True, editable=False)
    # An observer follows every change in the cluster, without a gap, up to this moment of the database's clock.
    followed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Environment(Identified):
    """A stage on the way to production, in order of `position`.

    `requires` must have run a release successfully (for `soak_minutes`) before this one takes it. `verify_seconds` is
    how long the workloads must stay healthy after a rollout before the deployment succeeds; `bake_seconds` is how long
    it is watched after that, and taken back when a check fails. Where an application has several targets here,
    `wave_pause_seconds` lie between two waves, and `bring_back_waves` takes those already done back when one fails.
    """

    name = models.CharField(max_length=63, unique=True, validators=[is_dns_label])
    position = models.PositiveSmallIntegerField(default=0)
    protected = models.BooleanField(
        default=False, help_text="A release that succeeds here counts as released; the board marks it."
    )
    auto_rollback = models.BooleanField(
        default=True, help_text="Bring back the last good release when a deployment fails."
    )
    requires = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="required_by")
    soak_minutes = models.PositiveIntegerField(default=0)
    verify_seconds = models.PositiveIntegerField(default=0)
    bake_seconds = models.PositiveIntegerField(default=0)
    wave_pause_seconds = models.PositiveIntegerField(default=0)
    bring_back_waves = models.BooleanField(
        default=True, help_text="When one of several targets fails, take back those already done."
    )

    class Meta:
        ordering = ["position", "name"]
        permissions = [("deploy_environment", "Can deploy to the environment")]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(requires=models.F("id")), name="environment_does_not_require_itself"
            )
        ]

    def __str__(self) -> str:
        return self.name


class TargetKind(models.TextChoices):
    MANIFESTS = "manifests", "Kubernetes manifests"
    HELM = "helm", "Helm chart"
    IMAGES = "images", "Images of existing workloads"


class Target(Identified):
    """Application × environment: where exactly it runs, and what is different there.

    An application may have several targets in an environment (clusters, regions): they are served in the order of
    `wave`, the first one alone. `strategy` says how a release replaces the one before (`targets.strategies`),
    `guardrails` what a release may hold here beyond the defaults (`targets.guardrails`).
    """

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="targets")
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="targets")
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="targets")
    namespace = models.CharField(max_length=63, validators=[is_dns_label])
    kind = models.CharField(max_length=10, choices=TargetKind, default=TargetKind.MANIFESTS)
    wave = models.PositiveSmallIntegerField(default=1)
    overrides = models.JSONField(default=dict, blank=True)
    strategy = models.JSONField(default=dict, blank=True)
    guardrails = models.JSONField(default=dict, blank=True)
    database_url = EncryptedField(blank=True, editable=False)
    timeout_seconds = models.PositiveIntegerField(default=600)
    # Numbers the target's deployments; a cluster object with a higher number belongs to a newer deployment.
    deployment_sequence = models.PositiveBigIntegerField(default=0, editable=False)

    class Meta:
        ordering = ["environment__position", "environment__name", "application__name", "wave", "created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["application", "environment", "cluster", "namespace"], name="one_target_per_place"
            ),
            models.CheckConstraint(condition=models.Q(timeout_seconds__gte=1), name="target_timeout_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.application.slug} in {self.environment.name}"

    @property
    def audit_application_id(self) -> UUID:
        return self.application_id
