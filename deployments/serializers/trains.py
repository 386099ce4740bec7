"""Trains: many releases sent to one environment together."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.serializers import PersonOutput
from deployments.models import Deployment, Environment, Train
from deployments.policies import visible_environments
from deployments.selectors.trains import PARTLY_FAILED, counts_of, deployments_of, state_of
from deployments.services.trains import MOST_RELEASES
from deployments.statuses import DeploymentKind, DeploymentStatus
from releasemgr.core.fields import NameOrIdField
from releases.models import Application

STATES = [
    *((status.value, status.label) for status in DeploymentStatus if status != DeploymentStatus.PENDING),
    (PARTLY_FAILED, "Partly failed"),
]


class TrainInput(serializers.Serializer[Train]):
    environment = NameOrIdField(name="name", what="environment", queryset_for=visible_environments)
    releases = serializers.ListField(
        child=serializers.UUIDField(),
        min_length=1,
        max_length=MOST_RELEASES,
        help_text="Ids of approved releases, one of each application. All of them go, or none.",
    )
    reason = serializers.CharField(required=False, allow_blank=True, max_length=2000)


class TrainRollbackInput(serializers.Serializer[Train]):
    reason = serializers.CharField(max_length=2000)


class TrainDeploymentOutput(serializers.ModelSerializer[Deployment]):
    """One deployment of a train; its own address tells the rest."""

    application = serializers.SlugRelatedField[Application](slug_field="slug", read_only=True)
    version = serializers.CharField(source="release.version", read_only=True)
    kind = serializers.ChoiceField(choices=DeploymentKind.choices, read_only=True)
    status = serializers.ChoiceField(choices=DeploymentStatus.choices, read_only=True)

    class Meta:
        model = Deployment
        fields = [
            "id", "application", "application_id", "release", "version", "kind", "status", "started_at", "completed_at",
            "error_message",
        ]  # fmt: skip


class TrainOutput(serializers.ModelSerializer[Train]):
    """`status` and `counts` (deployments by status) are those of the deployments that the reader may see."""

    environment = serializers.SlugRelatedField[Environment](slug_field="name", read_only=True)
    created_by = PersonOutput(read_only=True)
    status = serializers.SerializerMethodField()
    counts = serializers.SerializerMethodField()

    class Meta:
        model = Train
        fields = ["id", "environment", "environment_id", "reason", "created_by", "created_at", "status", "counts"]

    @extend_schema_field(serializers.ChoiceField(choices=STATES))
    def get_status(self, train: Train) -> str:
        return str(state_of(counts_of(train)))

    @extend_schema_field({"type": "object", "additionalProperties": {"type": "integer"}})
    def get_counts(self, train: Train) -> dict[str, int]:
        return counts_of(train)


class TrainDetail(TrainOutput):
    """With its deployments, by application."""

    deployments = serializers.SerializerMethodField()

    class Meta(TrainOutput.Meta):
        fields = [*TrainOutput.Meta.fields, "deployments"]

    @extend_schema_field(TrainDeploymentOutput(many=True))
    def get_deployments(self, train: Train) -> Any:
        return TrainDeploymentOutput(deployments_of(self.context["view"].actor, train), many=True).data


class TrainRollbacksOutput(serializers.Serializer[Any]):
    """The rollbacks that were made."""

    results = TrainDeploymentOutput(many=True)
