"""Events as JSON: the shape that other programs rely on."""

from collections.abc import Mapping, Sequence
from typing import Any

from rest_framework import serializers

from audit.models import Event
from audit.selectors import seals_of

FIELDS = (
    "id", "sequence", "action", "resource_type", "resource_id", "resource_label", "user_id", "actor", "changes",
    "data", "created_at", "request_id", "ip", "hash",
)  # fmt: skip
TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


class EventOutput(serializers.Serializer[Event]):
    """Describes what `event_bodies` makes; long lists and exports don't pay for a serializer on each row."""

    id = serializers.UUIDField()
    sequence = serializers.IntegerField(help_text="The order in which events were written; gaps mean nothing.")
    action = serializers.CharField()
    resource_type = serializers.CharField()
    resource_id = serializers.CharField()
    resource_label = serializers.CharField()
    user = serializers.UUIDField(allow_null=True, help_text="Null when nobody was logged in, or the system acted.")
    actor = serializers.CharField(help_text="The actor's name at that time.")
    changes = serializers.DictField(child=serializers.ListField(), help_text="Field → [before, after].")
    data = serializers.DictField()  # type: ignore[assignment]
    created_at = serializers.DateTimeField()
    request_id = serializers.CharField()
    ip = serializers.IPAddressField(allow_null=True)
    hash = serializers.CharField()
    seal = serializers.CharField(allow_null=True, help_text="Hash of the seal that closes it; null until it is sealed.")
    seal_number = serializers.IntegerField(allow_null=True)


def event_bodies(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """`rows` hold FIELDS; one query adds the seals of all."""
    seals = seals_of(row["sequence"] for row in rows)
    return [_body(row, *seals.get(row["sequence"], (None, None))) for row in rows]


def _body(row: Mapping[str, Any], seal_number: int | None, seal: str | None) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "sequence": row["sequence"],
        "action": row["action"],
        "resource_type": row["resource_type"],
        "resource_id": row["resource_id"],
        "resource_label": row["resource_label"],
        "user": str(row["user_id"]) if row["user_id"] else None,
        "actor": row["actor"],
        "changes": row["changes"],
        "data": row["data"],
        "created_at": row["created_at"].strftime(TIME),
        "request_id": row["request_id"],
        "ip": row["ip"],
        "hash": row["hash"],
        "seal": seal,
        "seal_number": seal_number,
    }
