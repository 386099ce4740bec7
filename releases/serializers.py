"""The bodies of the API: what comes in, what goes out."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import Role, Team
from accounts.policies import visible_teams
from accounts.serializers import PersonOutput
from releasemgr.core.actors import Actor
from releasemgr.core.fields import NameOrIdField
from releases.approvals import Progress
from releases.content import mutable_images
from releases.models import VERSION_PATTERN, Application, Approval, ApprovalRule, Comment, Release
from releases.policies import visible_applications, visible_artifacts
from releases.selectors import progress_of_releases
from releases.statuses import ReleaseStatus

CHART_SCHEMA = {
    "type": "object",
    "nullable": True,
    "description": "For targets of kind helm: repository, name and version, or archive.",
    "properties": {
        "repository": {"type": "string", "example": "oci://registry.example/charts"},
        "name": {"type": "string", "example": "web"},
        "version": {"type": "string", "description": "One exact version.", "example": "1.4.2"},
        "digest": {"type": "string", "description": "sha256:… of the packaged chart; refused when it is another."},
        "archive": {"type": "string", "description": "The packaged chart (.tgz) as base64, at most 1024 kB packed."},
        "release_name": {"type": "string", "description": "Of the Helm release; the application's slug if left out."},
    },
}
ARTIFACTS_SCHEMA = {
    "type": "object",
    "properties": {
        "images": {"type": "object", "additionalProperties": {"type": "string"}, "example": {"app": "registry/web:1"}},
        "manifests": {"type": "string", "nullable": True, "description": "Kubernetes objects as YAML."},
        "chart": CHART_SCHEMA,
        "values": {"type": "object", "additionalProperties": {}, "description": "Of the Helm chart."},
        "migrations": {"type": "object", "nullable": True, "additionalProperties": {}},
    },
}


@extend_schema_field(ARTIFACTS_SCHEMA)
class ArtifactsField(serializers.JSONField):
    """Judged by `releases.content`, not here."""


def _environments(actor: Actor) -> QuerySet[Any]:
    """Their model lives in the app above; only the rule's own relation knows it (decision 0002)."""
    environment = ApprovalRule._meta.get_field("environment").related_model
    return environment._default_manager.all() if actor.is_admin else environment._default_manager.none()


class ApplicationInput(serializers.ModelSerializer[Application]):
    team = NameOrIdField(name="slug", what="team", queryset_for=visible_teams)

    class Meta:
        model = Application
        fields = ["slug", "name", "team", "repository", "description"]


class ApplicationChanges(ApplicationInput):
    """The slug names the application for other programs, so it stays."""

    class Meta(ApplicationInput.Meta):
        fields = ["name", "team", "repository", "description"]


class ApplicationOutput(serializers.ModelSerializer[Application]):
    team = serializers.SlugRelatedField[Team](slug_field="slug", read_only=True)

    class Meta:
        model = Application
        fields = ["id", "slug", "name", "team", "repository", "description", "created_at"]


class ReleaseChanges(serializers.Serializer[Release]):
    version = serializers.RegexField(
        VERSION_PATTERN, max_length=100, error_messages={"invalid": "Letters, digits and . _ + - only."}
    )
    description = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False, max_length=20_000)
    artifacts = ArtifactsField()
    commit = serializers.CharField(required=False, allow_blank=True, max_length=64)
    notes = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False, max_length=100_000)


class ReleaseInput(ReleaseChanges):
    application = serializers.CharField(
        required=False, max_length=200, help_text="Slug or id; may be left out by who sees exactly one application."
    )


class ApprovalOutput(serializers.ModelSerializer[Approval]):
    user = PersonOutput(read_only=True)
    valid = serializers.BooleanField(read_only=True)

    class Meta:
        model = Approval
        fields = ["user", "decision", "comment", "created_at", "valid"]


class ProgressOutput(serializers.Serializer[Progress]):
    """How far one approval rule is met."""

    people = serializers.CharField(source="requirement.label")
    given = serializers.IntegerField()
    count = serializers.IntegerField(source="requirement.count")
    met = serializers.BooleanField()
    sentence = serializers.CharField()


class ReleaseList(serializers.ListSerializer[Any]):
    """Weighs the approvals of the whole page at once."""

    child: "ReleaseOutput"

    def to_representation(self, data: Any) -> list[Any]:
        rows = list(data)
        self.child.progress = progress_of_releases(rows, timezone.now())
        return super().to_representation(rows)


class ReleaseOutput(serializers.ModelSerializer[Release]):
    application = serializers.SlugRelatedField[Application](slug_field="slug", read_only=True)
    status = serializers.ChoiceField(choices=ReleaseStatus.choices, read_only=True)
    artifacts = serializers.SerializerMethodField(help_text="What Secrets hold is hidden from who may not write it.")
    created_by = PersonOutput(read_only=True)
    edited_by = PersonOutput(read_only=True)
    approvals = ApprovalOutput(many=True, read_only=True)
    mutable_images = serializers.SerializerMethodField()
    approval_progress = serializers.SerializerMethodField()

    progress: Mapping[UUID, list[Progress]] = {}

    class Meta:
        model = Release
        list_serializer_class = ReleaseList
        fields = [
            "id", "application", "version", "description", "status", "artifacts", "digest", "commit", "created_by",
            "edited_by", "created_at", "updated_at", "submitted_at", "approved_at", "released_at", "cancelled_at",
            "approvals", "mutable_images", "approval_progress",
        ]  # fmt: skip

    @extend_schema_field(ARTIFACTS_SCHEMA)
    def get_artifacts(self, release: Release) -> Any:
        return visible_artifacts(self.context["view"].actor, release)

    def get_mutable_images(self, release: Release) -> list[str]:
        """Containers whose image is named by a tag, which its registry may move."""
        return mutable_images(release.artifacts)

    @extend_schema_field(ProgressOutput(many=True))
    def get_approval_progress(self, release: Release) -> Any:
        progress = self.progress.get(release.pk) or progress_of_releases([release], timezone.now())[release.pk]
        return [ProgressOutput(each).data for each in progress]


class ReleaseDecisionInput(serializers.Serializer[Any]):
    comment = serializers.CharField(required=False, allow_blank=True, max_length=5000)
    digest = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=200,
        help_text="The digest of the content that was read; 409 when it is no longer the release's.",
    )


class CancelInput(serializers.Serializer[Any]):
    reason = serializers.CharField(required=False, allow_blank=True, max_length=5000)


class NotesBody(serializers.Serializer[Any]):
    notes = serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=100_000)


class CommentInput(serializers.Serializer[Comment]):
    body = serializers.CharField(max_length=10_000, trim_whitespace=False)


class CommentOutput(serializers.ModelSerializer[Comment]):
    user = PersonOutput(read_only=True)

    class Meta:
        model = Comment
        fields = ["id", "user", "body", "created_at"]


class ApprovalRuleInput(serializers.Serializer[ApprovalRule]):
    application = NameOrIdField(
        name="slug", what="application", queryset_for=visible_applications, required=False, allow_null=True
    )
    environment = NameOrIdField(
        name="name", what="environment", queryset_for=_environments, required=False, allow_null=True
    )
    team = NameOrIdField(name="slug", what="team", queryset_for=visible_teams, required=False, allow_null=True)
    role = serializers.ChoiceField(choices=Role.choices, required=False, allow_blank=True, allow_null=True)
    count = serializers.IntegerField(min_value=1, max_value=100)
    expires_after_hours = serializers.IntegerField(min_value=1, max_value=100_000, required=False, allow_null=True)

    def validate_role(self, value: str | None) -> str:
        return value or ""


class ApprovalRuleOutput(serializers.ModelSerializer[ApprovalRule]):
    application = serializers.SlugRelatedField[Application](slug_field="slug", read_only=True)
    environment = serializers.SlugRelatedField[Any](slug_field="name", read_only=True)
    team = serializers.SlugRelatedField[Team](slug_field="slug", read_only=True)

    class Meta:
        model = ApprovalRule
        fields = ["id", "application", "environment", "team", "role", "count", "expires_after_hours", "created_at"]
