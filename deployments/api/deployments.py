"""Sending releases out, and following them there."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from deployments import filters, selectors, services
from deployments.api.log import PlainTextRenderer, as_plain_text, log_body, read_window
from deployments.models import Deployment
from deployments.preview import gates_of, preview
from deployments.selectors.checks import measurements_of
from deployments.serializers import deployments as bodies
from deployments.serializers.checks import MeasurementOutput
from deployments.serializers.comparing import DiffOutput
from deployments.services.comparing import compare_release
from releasemgr.core.viewsets import ApiViewSet, ListMixin, RetrieveMixin
from releases.models import Release
from releases.selectors import release_details

LOG_PARAMETERS = [
    OpenApiParameter("after", OpenApiTypes.INT64, description="Only lines after the one with this id."),
    OpenApiParameter("limit", OpenApiTypes.INT, description="Most lines of a page, up to 1000."),
]


class Deployments(ListMixin, RetrieveMixin, ApiViewSet):
    """Runs that bring releases to environments."""

    output_serializer_class = bodies.DeploymentDetail
    input_serializers: ClassVar = {
        "rollback": bodies.RollbackInput,
        "approve": bodies.DecisionInput,
        "reject": bodies.DecisionInput,
    }
    filterset_class = filters.DeploymentFilter
    ordering_fields = ("created_at",)

    def get_queryset(self) -> QuerySet[Deployment]:
        return selectors.deployment_details(self.actor)

    @extend_schema(responses=bodies.DeploymentOutput(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(selectors.deployment_rows(self.actor)))
        return self.get_paginated_response(bodies.DeploymentOutput(page, many=True).data)

    @extend_schema(responses=bodies.StepsOutput, filters=False)
    @action(detail=True, methods=["get"], filterset_class=None, pagination_class=None)
    def steps(self, request: Request, pk: str) -> Response:
        """The plan in order."""
        return Response({"results": bodies.StepOutput(self.get_object().steps.all(), many=True).data})

    @extend_schema(responses=bodies.GatesOutput, filters=False)
    @action(detail=True, methods=["get"], filterset_class=None, pagination_class=None)
    def gates(self, request: Request, pk: str) -> Response:
        """Why it waits: asked now while it does, afterwards as they were asked last."""
        gates = gates_of(self.get_object(), timezone.now())
        return Response({"results": bodies.GateOutput(gates, many=True).data})

    @extend_schema(responses=MeasurementOutput(many=True), filters=False)
    @action(detail=True, methods=["get"], filterset_class=None)
    def measurements(self, request: Request, pk: str) -> Response:
        """What its health checks answered, newest first."""
        page = self.paginate_queryset(measurements_of(self.get_object()).order_by())
        return self.get_paginated_response(MeasurementOutput(page, many=True).data)

    @extend_schema(responses=bodies.LogOutput, parameters=LOG_PARAMETERS, filters=False)
    @action(
        detail=True,
        methods=["get"],
        filterset_class=None,
        pagination_class=None,
        renderer_classes=[JSONRenderer, PlainTextRenderer],
    )
    def log(self, request: Request, pk: str) -> Any:
        """Its log, oldest line first. `Accept: text/plain`: the whole of it as text."""
        deployment = self.get_object()
        after, limit = read_window(request)
        lines = selectors.log_lines(deployment, after=after)
        if request.accepted_renderer.format == "txt":
            return as_plain_text(lines)
        return Response(log_body(request, lines, limit))

    def finalize_response(self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any) -> Any:
        renderer = getattr(request, "accepted_renderer", None)
        if isinstance(response, Response) and isinstance(renderer, PlainTextRenderer):
            # An error is told in JSON, whatever was asked for.
            request.accepted_renderer, request.accepted_media_type = JSONRenderer(), "application/json"
        return super().finalize_response(request, response, *args, **kwargs)  # type: ignore[arg-type]

    @extend_schema(responses={202: bodies.DeploymentDetail})
    @action(detail=True, methods=["post"])
    def rollback(self, request: Request, pk: str) -> Response:
        """Bring an earlier release back: a new deployment, which is answered."""
        deployment = self.get_object()
        made = services.rollback_deployment(actor=self.actor, deployment=deployment, **self.validated())
        return self.answer(made, status=202)

    @extend_schema(request=None, responses={202: bodies.DeploymentDetail})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop at the next safe point."""
        return self._move(services.cancel_deployment, status=202)

    @extend_schema(request=None, responses={202: bodies.DeploymentDetail})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """The same release to the same place again: a new deployment, which is answered."""
        return self._move(services.retry_deployment, status=202)

    @extend_schema(request=None, responses={202: bodies.DeploymentDetail})
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Hold a canary at its weight, or a blue/green deployment before its switch."""
        return self._move(services.pause_deployment, status=202)

    @extend_schema(request=None, responses={202: bodies.DeploymentDetail})
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Let a paused deployment go on; the time of the pause does not count."""
        return self._move(services.resume_deployment, status=202)

    @extend_schema(request=None, responses={202: bodies.DeploymentDetail})
    @action(detail=True, methods=["post"])
    def promote(self, request: Request, pk: str) -> Response:
        """End the pause that it is in: a canary goes on to its next weight, blue/green switches."""
        return self._move(services.promote_deployment, status=202)

    @extend_schema(request=None, responses={202: bodies.DeploymentDetail})
    @action(detail=True, methods=["post"])
    def abort(self, request: Request, pk: str) -> Response:
        """Cancel it, with the canary taken away first; what ran before has the traffic."""
        return self._move(services.abort_deployment, status=202)

    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        return self._move(services.approve_deployment, **self.validated())

    @action(detail=True, methods=["post"])
    def reject(self, request: Request, pk: str) -> Response:
        return self._move(services.reject_deployment, **{"comment": "", **self.validated()})

    def _move(self, service: Callable[..., Deployment], *, status: int = 200, **fields: Any) -> Response:
        return self.answer(service(actor=self.actor, deployment=self.get_object(), **fields), status=status)


class ReleaseDeployments(ApiViewSet):
    """A release's way out."""

    output_serializer_class = bodies.DeploymentDetail
    input_serializers: ClassVar = {"deploy": bodies.DeployInput}

    def get_queryset(self) -> QuerySet[Release]:
        return release_details(self.actor)

    @extend_schema(responses={202: bodies.DeploymentDetail})
    def deploy(self, request: Request, pk: str) -> Response:
        """Ask for the release to go out. It starts when every gate is open."""
        made = services.start_deployment(actor=self.actor, release=self.get_object(), **self.validated())
        found = selectors.get_deployment(self.actor, made.pk)
        return Response(self.represent(found), status=202, headers={"Location": f"/api/v1/deployments/{made.pk}"})

    @extend_schema(
        responses=bodies.PreviewOutput,
        parameters=[OpenApiParameter("environment", OpenApiTypes.STR, required=True, description="Name or id.")],
    )
    def preview(self, request: Request, pk: str) -> Response:
        """What would change there, and what would hold it, as far as it can be known without the cluster."""
        asked = bodies.PreviewInput(data=request.query_params.dict(), context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        found = preview(self.actor, self.get_object(), asked.validated_data["environment"], now=timezone.now())
        return Response(bodies.PreviewOutput(found).data)

    @extend_schema(
        responses=DiffOutput,
        parameters=[OpenApiParameter("environment", OpenApiTypes.STR, required=True, description="Name or id.")],
    )
    def diff(self, request: Request, pk: str) -> Response:
        """What would change there, as the cluster sees it in a dry run, and what others have changed since."""
        asked = bodies.PreviewInput(data=request.query_params.dict(), context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        place = asked.validated_data["environment"]
        found = compare_release(actor=self.actor, release=self.get_object(), environment=place)
        return Response(DiffOutput(found).data)
