"""What can go out: applications, their releases, and who agreed."""

from uuid import UUID

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models

from accounts.models import Role, Team
from releasemgr.core.models import Identified
from releases.statuses import ReleaseStatus


class Application(Identified):
    """A deployable service owned by a team."""

    slug = models.SlugField(unique=True, max_length=63)
    name = models.CharField(max_length=100)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="applications")
    repository = models.CharField(
        max_length=200,
        blank=True,
        validators=[RegexValidator(r"^[\w.-]+/[\w.-]+\Z", "Write it as owner/name.")],
        help_text="Source repository, as owner/name.",
    )
    description = models.TextField(blank=True, max_length=2000)

    class Meta:
        ordering = ["name", "id"]
        permissions = [
            ("develop_application", "Can write releases of the application"),
            ("approve_application", "Can approve releases of the application"),
            ("deploy_application", "Can deploy the application and roll it back"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_application_id(self) -> UUID:
        return self.pk


VERSION_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._+-]*\Z"


class Release(Identified):
    """A version of an application. `digest` is the SHA-256 of its content; approvals are bound to it.

    `artifacts` is {"images": {container: reference}, "manifests": YAML or null, "chart": …, "values": {…},
    "migrations": …}. `edited_by` wrote the present content: they count as an author and may not approve it.
    """

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="releases")
    version = models.CharField(
        max_length=100, validators=[RegexValidator(VERSION_PATTERN, "Letters, digits and . _ + - only.")]
    )
    description = models.TextField(blank=True, max_length=20_000)
    notes = models.TextField(blank=True, max_length=100_000)
    commit = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=10, choices=ReleaseStatus, default=ReleaseStatus.DRAFT)
    artifacts = models.JSONField(default=dict)
    digest = models.CharField(max_length=71, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    edited_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    updated_at = models.DateTimeField(auto_now=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["application", "version"], name="one_release_per_version"),
            models.CheckConstraint(condition=models.Q(status__in=ReleaseStatus.values), name="release_status_known"),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="release_newest"),
            models.Index(fields=["application", "-created_at", "-id"], name="release_of_application"),
        ]

    def __str__(self) -> str:
        return f"{self.application.slug} {self.version}"

    @property
    def audit_application_id(self) -> UUID:
        return self.application_id

    @property
    def images(self) -> dict[str, str]:
        return dict(self.artifacts.get("images") or {})


class Decision(models.TextChoices):
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"


class Approval(Identified):
    """One person's decision about one content. A trigger refuses the author and any digest but the present one."""

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="approvals")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    decision = models.CharField(max_length=10, choices=Decision)
    comment = models.TextField(blank=True, max_length=5000)
    digest = models.CharField(max_length=71)
    voided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["release", "user"],
                condition=models.Q(voided_at__isnull=True),
                name="one_valid_approval_per_person",
            ),
            models.CheckConstraint(condition=models.Q(decision__in=Decision.values), name="approval_decision_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.decision} {self.release}"

    @property
    def audit_application_id(self) -> UUID:
        return self.release.application_id

    @property
    def valid(self) -> bool:
        return self.voided_at is None


class Comment(Identified):
    """A remark in a release's discussion, Markdown."""

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="comments")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    body = models.TextField(max_length=10_000)

    class Meta:
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return f"{self.user} on {self.release}"


class ApprovalRule(Identified):
    """`count` people of `team` or `role` must approve. Every matching rule must be met on its own.

    Without an environment the rule is about the release itself; with one it opens or closes the gate of the
    deployments to it. Without an application it holds for all.
    """

    application = models.ForeignKey(
        Application, null=True, blank=True, on_delete=models.CASCADE, related_name="approval_rules"
    )
    # Environments live above this app: a reference by name keeps the imports one-way (decision 0002).
    environment = models.ForeignKey(
        "deployments.Environment", null=True, blank=True, on_delete=models.CASCADE, related_name="approval_rules"
    )
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    role = models.CharField(max_length=10, choices=Role, blank=True)
    count = models.PositiveSmallIntegerField(default=1)
    expires_after_hours = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(count__gte=1), name="approval_rule_count_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.count} approval{'s' if self.count != 1 else ''} by {self.people}"

    @property
    def people(self) -> str:
        """Who counts, as it stands in a sentence: `Payments`, `administrators`."""
        if self.team:
            return self.team.name
        return f"{self.get_role_display().lower()}s" if self.role else "anyone who may approve"

    @property
    def audit_application_id(self) -> UUID | None:
        return self.application_id
