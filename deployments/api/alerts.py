"""Alertmanager's webhook."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from deployments.serializers import checks as bodies
from deployments.services.alerts import receive_alerts
from releasemgr.core.viewsets import ApiViewSet


class Alerts(ApiViewSet):
    """Where Alertmanager sends its alerts (`webhook_configs`), with a service token of the scope deployments:write."""

    output_serializer_class = bodies.OutcomesOutput
    input_serializers: ClassVar = {"create": bodies.AlertsInput}
    body_limit = 1024 * 1024

    @extend_schema(responses=bodies.OutcomesOutput)
    def create(self, request: Request) -> Response:
        """A firing alert about a deployment that bakes or is being verified makes it fail, once. Answers 200 with what
        was done about each alert; sending the same again changes nothing."""
        outcomes = receive_alerts(actor=self.actor, alerts=self.validated()["alerts"])
        return Response(bodies.OutcomesOutput({"results": outcomes}).data)
