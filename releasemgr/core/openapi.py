"""How the endpoints describe themselves: input and output differ, the headers and errors are the same everywhere."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Any text of up to 255 characters. The same key and body get the first answer again for 24 hours, "
    "marked `Idempotent-Replayed: true`; another body is 422.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The `ETag` of the read that the change is based on; 412 when it is stale.",
)
ERROR_SCHEMA = {
    "type": "object",
    "required": ["code", "message", "details"],
    "properties": {
        "code": {"type": "string", "example": "invalid"},
        "message": {"type": "string", "description": "What could not be done, why, and what next."},
        "details": {"type": "object", "additionalProperties": {}},
    },
}


class ApiSchema(AutoSchema):
    """Reads the view's `input_serializers` and `output_serializer_class`; `@extend_schema` wins over both."""

    def get_request_serializer(self) -> Any:
        inputs = getattr(self.view, "input_serializers", None)
        return super().get_request_serializer() if inputs is None else inputs.get(getattr(self.view, "action", ""))

    def get_response_serializers(self) -> Any:
        output = getattr(self.view, "output_serializer_class", None)
        return output or super().get_response_serializers()

    def get_override_parameters(self) -> list[Any]:
        if self.method == "POST":
            return [IDEMPOTENCY_KEY]
        return [IF_MATCH] if self.method in ("PATCH", "PUT") else []

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        answers = super()._get_response_bodies(direction)
        error = {
            "description": "Refused; the status and `code` say why.",
            "content": {"application/json": {"schema": ERROR_SCHEMA}},
        }
        return {**answers, "default": error}
