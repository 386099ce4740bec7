"""Health checks, what they measured, bakes, and Alertmanager's alerts."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from deployments.models import Bake, Check, Environment, Measurement
from deployments.policies import visible_environments
from deployments.services.alerts import Alert, Outcome, read_alert
from deployments.statuses import BakeStatus, CheckKind, NoData, Verdict
from releasemgr.core.fields import NameOrIdField
from releases.models import Application
from releases.policies import visible_applications

EXPECT_HELP = (
    'HTTP: {"status", "max_ms", "contains", "json": {"path", "equals" | "above" | "below" | "between"}}. Prometheus: '
    '{"below" | "above" | "between"}, or {"baseline": "<query>", "max_ratio", "max_difference"}. Job: {"max_seconds"}.'
)
MOST_ALERTS = 500
MOST_LABELS = 100


class CheckChanges(serializers.Serializer[Check]):
    """Application and environment name the check's place, so they stay."""

    name = serializers.CharField(
        required=False, allow_blank=True, max_length=100, help_text="Left out: made from the kind."
    )
    kind = serializers.ChoiceField(choices=CheckKind.choices)
    url = serializers.CharField(required=False, allow_blank=True, max_length=2000, help_text="For HTTP.")
    query = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=5000,
        help_text='PromQL, for Prometheus; "{application}", "{version}", "{environment}", "{namespace}" and '
        '"{deployment}" in quotes and {window} are filled in.',
    )
    manifest = serializers.CharField(
        required=False, allow_blank=True, max_length=100_000, trim_whitespace=False, help_text="YAML of one Job."
    )
    expect = serializers.DictField(required=False, help_text=EXPECT_HELP)
    interval_seconds = serializers.IntegerField(required=False, min_value=1, max_value=3_600)
    window_seconds = serializers.IntegerField(required=False, min_value=0, max_value=86_400)
    failure_limit = serializers.IntegerField(
        required=False, min_value=0, max_value=100, help_text="More failures than this within the window are a verdict."
    )
    on_no_data = serializers.ChoiceField(choices=NoData.choices, required=False)


class CheckInput(CheckChanges):
    application = NameOrIdField(name="slug", what="application", queryset_for=visible_applications)
    environment = NameOrIdField(name="name", what="environment", queryset_for=visible_environments)


class CheckOutput(serializers.ModelSerializer[Check]):
    application = serializers.SlugRelatedField[Application](slug_field="slug", read_only=True)
    environment = serializers.SlugRelatedField[Environment](slug_field="name", read_only=True)
    kind = serializers.ChoiceField(choices=CheckKind.choices, read_only=True)
    on_no_data = serializers.ChoiceField(choices=NoData.choices, read_only=True)
    expect: Any = serializers.DictField(read_only=True)

    class Meta:
        model = Check
        fields = [
            "id", "name", "application", "application_id", "environment", "environment_id", "kind", "url", "query",
            "manifest", "expect", "interval_seconds", "window_seconds", "failure_limit", "on_no_data", "created_at",
        ]  # fmt: skip


class ReadingOutput(serializers.Serializer[Any]):
    """One answer to a check, asked just now."""

    verdict = serializers.ChoiceField(choices=Verdict.choices)
    value = serializers.CharField()
    sentence = serializers.CharField()
    no_data = serializers.BooleanField()
    log = serializers.ListField(child=serializers.CharField())


class MeasurementOutput(serializers.ModelSerializer[Measurement]):
    """`check` is null once the check is deleted, and for an alert. `phase`: verify, canary …, bake or alert."""

    check = serializers.UUIDField(source="check_asked_id", read_only=True, allow_null=True)
    verdict = serializers.ChoiceField(choices=Verdict.choices, read_only=True)

    class Meta:
        model = Measurement
        fields = ["id", "check", "name", "phase", "verdict", "value", "sentence", "created_at"]


class BakeOutput(serializers.ModelSerializer[Bake]):
    """The watch after the success; `until` is when it passes if nothing goes wrong."""

    status = serializers.ChoiceField(choices=BakeStatus.choices, read_only=True)
    evidence: Any = serializers.DictField(read_only=True)

    class Meta:
        model = Bake
        fields = ["status", "until", "message", "evidence", "created_at", "completed_at"]


class AlertInput(serializers.Serializer[Any]):
    """One alert, as Alertmanager writes it; what is not named here is not looked at."""

    status = serializers.ChoiceField(choices=["firing", "resolved"])
    labels = serializers.DictField()
    annotations = serializers.DictField(required=False)
    startsAt = serializers.CharField(required=False, allow_blank=True, max_length=60)  # noqa: N815 - Alertmanager's own
    fingerprint = serializers.CharField(required=False, allow_blank=True, max_length=100)

    def validate_labels(self, value: dict[str, Any]) -> dict[str, str]:
        if len(value) > MOST_LABELS:
            raise serializers.ValidationError(f"More than {MOST_LABELS} labels.")
        return {str(name)[:200]: str(content)[:500] for name, content in value.items()}


class AlertsInput(serializers.Serializer[Any]):
    """The body of Alertmanager's webhook, version 4."""

    version = serializers.CharField(required=False, max_length=10)
    alerts = AlertInput(many=True)

    def validate_alerts(self, value: list[dict[str, Any]]) -> list[Alert]:
        if len(value) > MOST_ALERTS:
            raise serializers.ValidationError(f"More than {MOST_ALERTS} alerts at once.")
        return [read_alert(each) for each in value]


class OutcomeOutput(serializers.Serializer[Outcome]):
    """What was done about one alert: passed_on, repeated, unmatched, ignored or forbidden."""

    fingerprint = serializers.CharField()
    done = serializers.CharField()
    sentence = serializers.CharField()
    deployment = serializers.UUIDField(allow_null=True)


class OutcomesOutput(serializers.Serializer[Any]):
    results = OutcomeOutput(many=True)


@extend_schema_field(BakeOutput(allow_null=True))
class BakeField(serializers.Field[Any, Any, Any, Any]):
    """A deployment's bake, or null."""

    def __init__(self) -> None:
        super().__init__(source="*", read_only=True)

    def to_representation(self, value: Any) -> Any:
        bake = getattr(value, "bake", None)
        return None if bake is None else BakeOutput(bake).data
