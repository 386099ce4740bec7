"""Deployments: what is asked for, and what is answered."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.serializers import PersonOutput
from deployments.models import Deployment, Environment, LogLine, Step
from deployments.policies import visible_environments
from deployments.preview import Preview, gates_of, stored_gate
from deployments.selectors.waves import parts_of
from deployments.serializers.checks import BakeField
from deployments.statuses import DeploymentKind, DeploymentStatus
from releasemgr.core.fields import NameOrIdField
from releases.models import Application
from releases.policies import visible_releases

BREAK_GLASS = "Breaking the glass is not offered yet. Leave break_glass out; the gates say who can open them."


class ManagersField(serializers.ListField):
    child = serializers.CharField(max_length=128)

    def __init__(self, **options: Any) -> None:
        told = "Field managers whose fields may be taken where they conflict with what is applied."
        super().__init__(required=False, max_length=20, help_text=told, **options)


class DeployInput(serializers.Serializer[Deployment]):
    environment = NameOrIdField(name="name", what="environment", queryset_for=visible_environments)
    not_before = serializers.DateTimeField(required=False, allow_null=True)
    not_after = serializers.DateTimeField(required=False, allow_null=True)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=2000)
    take_over = ManagersField()
    prune = serializers.BooleanField(
        required=False, help_text="Remove the objects that we applied before and that the release no longer contains."
    )
    break_glass = serializers.JSONField(required=False, help_text="Not offered yet: refused.")

    def validate_break_glass(self, value: Any) -> None:
        if value is not None:
            raise serializers.ValidationError(BREAK_GLASS)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in attrs.items() if name != "break_glass"}


class PreviewInput(serializers.Serializer[Any]):
    environment = NameOrIdField(name="name", what="environment", queryset_for=visible_environments)


class RollbackInput(serializers.Serializer[Deployment]):
    reason = serializers.CharField(max_length=2000)
    to = NameOrIdField(
        name="pk",
        what="release",
        queryset_for=visible_releases,
        required=False,
        allow_null=True,
        help_text="Id of an earlier release that ran well there; left out: the last one.",
    )
    take_over = ManagersField()


class DecisionInput(serializers.Serializer[Any]):
    comment = serializers.CharField(required=False, allow_blank=True, max_length=5000)
    digest = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=200,
        help_text="The digest of the content that was read; 409 when it is not the deployment's.",
    )


class GateOutput(serializers.Serializer[Any]):
    """A reason to wait. `opens_at` is set when it opens by itself, `final` when it never will."""

    kind = serializers.CharField()
    open = serializers.BooleanField()
    sentence = serializers.CharField()
    opens_at = serializers.DateTimeField(allow_null=True)
    can_open = serializers.ListField(child=serializers.CharField())
    final = serializers.BooleanField()


class StepOutput(serializers.ModelSerializer[Step]):
    class Meta:
        model = Step
        fields = ["name", "status", "started_at", "completed_at", "message", "attempts"]


class StepsOutput(serializers.Serializer[Any]):
    results = StepOutput(many=True)


class GatesOutput(serializers.Serializer[Any]):
    results = GateOutput(many=True)


class LogLineOutput(serializers.ModelSerializer[LogLine]):
    class Meta:
        model = LogLine
        fields = ["id", "step", "level", "message", "created_at"]


class LogOutput(serializers.Serializer[Any]):
    """`next` is the address of the lines that follow, null at the end."""

    results = LogLineOutput(many=True)
    next = serializers.URLField(allow_null=True)


class DeploymentOutput(serializers.ModelSerializer[Deployment]):
    """A row of a list: the gates as they were last asked."""

    application = serializers.SlugRelatedField[Application](slug_field="slug", read_only=True)
    environment = serializers.SlugRelatedField[Environment](slug_field="name", read_only=True)
    version = serializers.CharField(source="release.version", read_only=True)
    kind = serializers.ChoiceField(choices=DeploymentKind.choices, read_only=True)
    status = serializers.ChoiceField(choices=DeploymentStatus.choices, read_only=True)
    deployed_by = PersonOutput(read_only=True, allow_null=True)
    rolled_back_by = serializers.UUIDField(source="rolled_back_by_id", read_only=True, allow_null=True)
    strategy: Any = serializers.DictField(read_only=True)
    take_over: Any = serializers.ListField(child=serializers.CharField(), read_only=True)
    prune: Any = serializers.ListField(child=serializers.DictField(), read_only=True)
    gates = serializers.SerializerMethodField()
    steps = StepOutput(many=True, read_only=True)

    class Meta:
        model = Deployment
        fields = [
            "id", "application", "application_id", "release", "version", "environment", "environment_id", "kind",
            "status", "automatic", "created_at", "started_at", "completed_at", "deployed_by", "error_message",
            "reason", "not_before", "not_after", "rolls_back", "rolled_back_by", "cancel_requested_at",
            "release_digest", "strategy", "take_over", "prune", "paused_at", "part_of", "train", "gates", "steps",
        ]  # fmt: skip

    @extend_schema_field(GateOutput(many=True))
    def get_gates(self, deployment: Deployment) -> Any:
        return GateOutput([stored_gate(row) for row in deployment.gates], many=True).data


class PartOutput(serializers.ModelSerializer[Deployment]):
    """One further target of a deployment to several."""

    target = serializers.UUIDField(source="target_id", read_only=True)
    cluster = serializers.CharField(source="target.cluster.name", read_only=True)
    namespace = serializers.CharField(source="target.namespace", read_only=True)
    wave = serializers.IntegerField(source="target.wave", read_only=True)
    version = serializers.CharField(source="release.version", read_only=True)

    class Meta:
        model = Deployment
        fields = ["id", "target", "cluster", "namespace", "wave", "version", "status", "error_message"]


class DeploymentDetail(DeploymentOutput):
    """One deployment: with the evidence, its parts, its bake, and the gates asked now while it waits."""

    bake = BakeField()
    parts = serializers.SerializerMethodField()

    class Meta(DeploymentOutput.Meta):
        fields = [*DeploymentOutput.Meta.fields, "parts", "evidence", "bake"]

    @extend_schema_field(GateOutput(many=True))
    def get_gates(self, deployment: Deployment) -> Any:
        return GateOutput(gates_of(deployment, timezone.now()), many=True).data

    @extend_schema_field(PartOutput(many=True))
    def get_parts(self, deployment: Deployment) -> Any:
        return PartOutput(parts_of(deployment), many=True).data


class ImageChangeOutput(serializers.Serializer[Any]):
    container = serializers.CharField()
    now = serializers.CharField()
    then = serializers.CharField()
    changes = serializers.BooleanField()


class RunningOutput(serializers.Serializer[Deployment]):
    deployment = serializers.UUIDField(source="pk")
    release = serializers.UUIDField(source="release_id")
    version = serializers.CharField(source="release.version")
    since = serializers.DateTimeField(source="completed_at")


class PreviewOutput(serializers.Serializer[Preview]):
    """`manifests` are the objects as they would be applied, without what Secrets hold."""

    application = serializers.CharField(source="target.application.slug")
    release = serializers.UUIDField(source="release.pk")
    version = serializers.CharField(source="release.version")
    environment = serializers.CharField(source="target.environment.name")
    running = RunningOutput(allow_null=True)
    images = ImageChangeOutput(many=True)
    manifests = serializers.ListField(child=serializers.DictField())
    blocked_by = GateOutput(many=True)
    migrations = serializers.SerializerMethodField(help_text="Null: this release brings no migrations.")
    notes = serializers.CharField(source="release.notes")

    @extend_schema_field({"type": "object", "nullable": True, "additionalProperties": {}})
    def get_migrations(self, preview: Preview) -> None:
        return None
