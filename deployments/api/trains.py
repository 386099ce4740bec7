"""Many releases to one environment with one click."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from deployments import filters
from deployments.models import Train
from deployments.selectors.trains import get_train, train_list
from deployments.serializers import trains as bodies
from deployments.services import trains as services
from releasemgr.core.viewsets import ApiViewSet, ListMixin, RetrieveMixin


class Trains(ListMixin, RetrieveMixin, ApiViewSet):
    """Releases of several applications, sent to one environment together; a train's state is its deployments'."""

    output_serializer_class = bodies.TrainDetail
    input_serializers: ClassVar = {"create": bodies.TrainInput, "rollback": bodies.TrainRollbackInput}
    filterset_class = filters.TrainFilter
    ordering_fields = ("created_at",)

    def get_queryset(self) -> QuerySet[Train]:
        return train_list(self.actor)

    @extend_schema(responses=bodies.TrainOutput(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(bodies.TrainOutput(page, many=True).data)

    @extend_schema(responses={202: bodies.TrainDetail})
    def create(self, request: Request) -> Response:
        """Ask for all of the releases to go out, or for none: 422 names what is wrong, by release."""
        services.require_sending(self.actor)
        made = services.start_train(actor=self.actor, **self.validated())
        return Response(
            self.represent(get_train(self.actor, made.pk)),
            status=202,
            headers={"Location": f"/api/v1/trains/{made.pk}"},
        )

    @extend_schema(request=None, responses={202: bodies.TrainDetail})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop what of it is still open, each at its next safe point."""
        train = self.get_object()
        services.cancel_train(actor=self.actor, train=train)
        return self.answer(train, status=202)

    @extend_schema(responses={202: bodies.TrainRollbacksOutput})
    @action(detail=True, methods=["post"])
    def rollback(self, request: Request, pk: str) -> Response:
        """Take back what of it succeeded and still runs: a rollback for each, which are answered."""
        made = services.rollback_train(actor=self.actor, train=self.get_object(), **self.validated())
        return Response({"results": bodies.TrainDeploymentOutput(made, many=True).data}, status=202)
