"""Fields of the API's bodies."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from releasemgr.core.actors import Actor
from releasemgr.core.lookups import by_name


@extend_schema_field(OpenApiTypes.STR)
class NameOrIdField(serializers.Field[Any, str, str, Any]):
    """Another object by its natural name or its id, among those that `queryset_for(actor)` holds."""

    default_error_messages = {"invalid": "Name it, or give its id."}

    def __init__(self, *, name: str, what: str, queryset_for: Callable[[Actor], QuerySet[Any]], **options: Any) -> None:
        super().__init__(**options)
        self.name_field, self.what, self.queryset_for = name, what, queryset_for

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid")
        found = self.queryset_for(self.context["view"].actor).filter(by_name(self.name_field, data)).first()
        if found is None:
            raise serializers.ValidationError(f"There is no {self.what} “{data[:80]}”, or you may not see it.")
        return found

    def to_representation(self, value: Any) -> str:
        return str(getattr(value, self.name_field))
