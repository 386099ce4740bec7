"""Clusters, environments and targets. What is secret goes in here and has no way out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from deployments.models import Cluster, Environment, Target
from deployments.models.places import TargetKind
from deployments.policies import visible_clusters, visible_environments
from releasemgr.core.fields import NameOrIdField
from releases.masking import masked_values
from releases.models import Application
from releases.policies import visible_applications


class EnvironmentInput(serializers.Serializer[Environment]):
    name = serializers.CharField(max_length=63)
    position = serializers.IntegerField(required=False, min_value=0, max_value=32_767)
    protected = serializers.BooleanField(required=False)
    auto_rollback = serializers.BooleanField(required=False)
    requires = NameOrIdField(
        name="name", what="environment", queryset_for=visible_environments, required=False, allow_null=True
    )
    soak_minutes = serializers.IntegerField(required=False, min_value=0, max_value=1_000_000)
    verify_seconds = serializers.IntegerField(required=False, min_value=0, max_value=86_400)
    bake_seconds = serializers.IntegerField(required=False, min_value=0, max_value=604_800)
    wave_pause_seconds = serializers.IntegerField(required=False, min_value=0, max_value=86_400)
    bring_back_waves = serializers.BooleanField(required=False)


class EnvironmentOutput(serializers.ModelSerializer[Environment]):
    requires = serializers.SlugRelatedField[Environment](slug_field="name", read_only=True)

    class Meta:
        model = Environment
        fields = [
            "id", "name", "position", "protected", "auto_rollback", "requires", "soak_minutes", "verify_seconds",
            "bake_seconds", "wave_pause_seconds", "bring_back_waves", "created_at",
        ]  # fmt: skip


class ClusterInput(serializers.Serializer[Cluster]):
    name = serializers.CharField(max_length=63)
    kubeconfig = serializers.CharField(
        trim_whitespace=False, write_only=True, help_text="YAML, with the data inside it. Tried first, never shown."
    )


class ClusterOutput(serializers.ModelSerializer[Cluster]):
    class Meta:
        model = Cluster
        fields = ["id", "name", "server", "version", "problem", "checked_at", "created_at"]


class TargetChanges(serializers.Serializer[Target]):
    """Application and environment name the target, so they stay."""

    cluster = NameOrIdField(name="name", what="cluster", queryset_for=visible_clusters)
    namespace = serializers.CharField(max_length=63)
    kind = serializers.ChoiceField(choices=TargetKind.choices, required=False)
    overrides = serializers.DictField(required=False)
    strategy = serializers.DictField(required=False, help_text="How a release replaces the one before; empty: rolling.")
    guardrails = serializers.DictField(required=False, help_text="What a release may hold beyond the defaults.")
    wave = serializers.IntegerField(
        required=False, min_value=1, max_value=1_000, help_text="Of several targets in an environment, lowest first."
    )
    database_url = serializers.CharField(
        required=False, allow_blank=True, max_length=2000, write_only=True, help_text="Never shown; empty forgets it."
    )
    timeout_seconds = serializers.IntegerField(required=False, min_value=1, max_value=86_400)


class TargetInput(TargetChanges):
    application = NameOrIdField(name="slug", what="application", queryset_for=visible_applications)
    environment = NameOrIdField(name="name", what="environment", queryset_for=visible_environments)


class TargetOutput(serializers.ModelSerializer[Target]):
    application = serializers.SlugRelatedField[Application](slug_field="slug", read_only=True)
    environment = serializers.SlugRelatedField[Environment](slug_field="name", read_only=True)
    cluster = serializers.SlugRelatedField[Cluster](slug_field="name", read_only=True)
    overrides: Any = serializers.SerializerMethodField(
        help_text="What stands under a telling name (password, token, key …) is hidden from all but administrators."
    )
    strategy: Any = serializers.DictField(read_only=True)
    guardrails: Any = serializers.DictField(read_only=True)
    has_database_url = serializers.BooleanField(read_only=True)

    class Meta:
        model = Target
        fields = [
            "id", "application", "application_id", "environment", "environment_id", "cluster", "cluster_id",
            "namespace", "kind", "overrides", "strategy", "guardrails", "wave", "has_database_url", "timeout_seconds",
            "created_at",
        ]  # fmt: skip

    @extend_schema_field({"type": "object", "additionalProperties": {}})
    def get_overrides(self, target: Target) -> Any:
        return target.overrides if self.context["view"].actor.is_admin else masked_values(target.overrides)
