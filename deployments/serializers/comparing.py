"""What a comparison with the cluster answers. What Secrets hold is hidden (•••) from everybody."""

from typing import Any

from rest_framework import serializers

from deployments.services.comparing import RESULTS, Diff, Drifted


class FieldChangeOutput(serializers.Serializer[Any]):
    """`path` in people's words; null where the field is not there. Of hidden values a word says that they differ."""

    path = serializers.CharField()
    before = serializers.CharField(allow_null=True)
    after = serializers.CharField(allow_null=True)


class ConflictOutput(serializers.Serializer[Any]):
    """Another field manager holds these fields: they are taken only if `take_over` names it."""

    manager = serializers.CharField()
    fields = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]


class ComparedObjectOutput(serializers.Serializer[Any]):
    kind = serializers.CharField()
    name = serializers.CharField()
    result = serializers.ChoiceField(choices=RESULTS)
    is_ours = serializers.BooleanField(help_text="False: it exists, and no deployment of this target has written it.")
    changes = FieldChangeOutput(many=True)
    conflicts = ConflictOutput(many=True)


class DriftOutput(serializers.Serializer[Any]):
    """What others have changed since our last apply. An empty `path`: the whole object is gone."""

    kind = serializers.CharField()
    name = serializers.CharField()
    path = serializers.CharField(allow_blank=True)
    applied = serializers.CharField(allow_null=True)
    live = serializers.CharField(allow_null=True)
    manager = serializers.CharField(allow_blank=True, help_text="Empty: not known, as for what was removed.")
    at = serializers.DateTimeField(allow_null=True)


class LeftBehindOutput(serializers.Serializer[Any]):
    apiVersion = serializers.CharField()  # noqa: N815 - as Kubernetes writes it
    kind = serializers.CharField()
    name = serializers.CharField()


class DiffOutput(serializers.Serializer[Diff]):
    """`problems` are sentences: what the cluster would refuse or could not tell."""

    objects = ComparedObjectOutput(many=True)
    drift = DriftOutput(many=True)
    left_behind = LeftBehindOutput(many=True, help_text="What `prune` would remove.")
    problems = serializers.ListField(child=serializers.CharField())


class DriftedOutput(serializers.Serializer[Drifted]):
    """`since` is the deployment that applied last; null when there was none."""

    since = serializers.UUIDField(source="since.pk", allow_null=True, default=None)
    drift = DriftOutput(source="found", many=True)
    problems = serializers.ListField(child=serializers.CharField())
