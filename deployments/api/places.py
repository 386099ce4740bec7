"""Environments, clusters and targets: set-up as data."""

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from deployments import filters, selectors, services
from deployments.models import Cluster, Environment, Target
from deployments.serializers import places
from deployments.serializers.comparing import DriftedOutput
from deployments.services.access import require_set_up
from deployments.services.comparing import drift_of
from releasemgr.core.viewsets import ApiViewSet, ListMixin, RetrieveMixin


class Environments(ListMixin, RetrieveMixin, ApiViewSet):
    """Stages on the way to production; the address takes the name or the id."""

    output_serializer_class = places.EnvironmentOutput
    input_serializers: ClassVar = {"create": places.EnvironmentInput, "partial_update": places.EnvironmentInput}
    filterset_class = filters.EnvironmentFilter
    ordering = ("position", "name", "id")
    ordering_fields = ("position", "name", "created_at")

    def get_queryset(self) -> QuerySet[Environment]:
        return selectors.environment_list(self.actor)

    def find(self, identifier: str) -> Environment:
        return selectors.get_environment(self.actor, identifier)

    def create(self, request: Request) -> Response:
        require_set_up(self.actor)
        return self.created(services.create_environment(actor=self.actor, **self.validated()))

    def partial_update(self, request: Request, pk: str) -> Response:
        environment = self.get_object()
        require_set_up(self.actor)
        changes = self.validated()
        return self.answer(services.update_environment(actor=self.actor, environment=environment, changes=changes))

    def destroy(self, request: Request, pk: str) -> Response:
        services.delete_environment(actor=self.actor, environment=self.get_object())
        return Response(status=204)


class Clusters(ListMixin, RetrieveMixin, ApiViewSet):
    """Kubernetes APIs. A kubeconfig is tried when it comes in, and never goes out."""

    output_serializer_class = places.ClusterOutput
    input_serializers: ClassVar = {"create": places.ClusterInput, "partial_update": places.ClusterInput}
    filterset_class = filters.ClusterFilter
    ordering = ("name", "id")
    ordering_fields = ("name", "created_at")
    fields: dict[str, Any]

    def get_queryset(self) -> QuerySet[Cluster]:
        return selectors.cluster_list(self.actor)

    def find(self, identifier: str) -> Cluster:
        return selectors.get_cluster(self.actor, identifier)

    def before_transaction(self) -> None:
        if self.action not in self.input_serializers:
            return
        if "pk" in self.kwargs:
            self.find(self.kwargs["pk"])
        require_set_up(self.actor)
        self.fields = self.validated()
        if "kubeconfig" in self.fields:
            self.fields["kubeconfig"] = services.try_kubeconfig(self.fields["kubeconfig"])

    def create(self, request: Request) -> Response:
        return self.created(services.register_cluster(actor=self.actor, **self.fields))

    def partial_update(self, request: Request, pk: str) -> Response:
        return self.answer(services.update_cluster(actor=self.actor, cluster=self.get_object(), **self.fields))

    def destroy(self, request: Request, pk: str) -> Response:
        services.delete_cluster(actor=self.actor, cluster=self.get_object())
        return Response(status=204)


class Targets(ListMixin, RetrieveMixin, ApiViewSet):
    """Where exactly an application runs in an environment."""

    output_serializer_class = places.TargetOutput
    input_serializers: ClassVar = {"create": places.TargetInput, "partial_update": places.TargetChanges}
    filterset_class = filters.TargetFilter
    ordering_fields = ("created_at",)

    def get_queryset(self) -> QuerySet[Target]:
        rows = selectors.target_list(self.actor).order_by()
        return rows.annotate(has_database_url=~Q(database_url=""))

    def create(self, request: Request) -> Response:
        require_set_up(self.actor)
        return self.created(services.create_target(actor=self.actor, **self.validated()))

    def partial_update(self, request: Request, pk: str) -> Response:
        target = self.get_object()
        require_set_up(self.actor)
        return self.answer(services.update_target(actor=self.actor, target=target, changes=self.validated()))

    @extend_schema(responses=DriftedOutput, filters=False)
    @action(detail=True, methods=["get"], filterset_class=None, pagination_class=None)
    def drift(self, request: Request, pk: str) -> Response:
        """What others have changed in the cluster since our last apply."""
        return Response(DriftedOutput(drift_of(actor=self.actor, target=self.get_object())).data)

    def destroy(self, request: Request, pk: str) -> Response:
        services.delete_target(actor=self.actor, target=self.get_object())
        return Response(status=204)
