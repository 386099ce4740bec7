"""Health checks as data."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from deployments.filters import CheckFilter
from deployments.models import Check
from deployments.selectors.checks import check_list
from deployments.serializers import checks as bodies
from deployments.services import checks as services
from deployments.services.access import require_set_up
from releasemgr.core.viewsets import ApiViewSet, ListMixin, RetrieveMixin


class Checks(ListMixin, RetrieveMixin, ApiViewSet):
    """Health questions about an application in an environment, asked after each rollout and while it bakes."""

    output_serializer_class = bodies.CheckOutput
    input_serializers: ClassVar = {"create": bodies.CheckInput, "partial_update": bodies.CheckChanges}
    filterset_class = CheckFilter
    ordering_fields = ("created_at", "name")
    fields: dict[str, Any]
    reading: Any

    def get_queryset(self) -> QuerySet[Check]:
        return check_list(self.actor).order_by()

    def before_transaction(self) -> None:
        """Name servers and what a check asks may be slow."""
        if self.action == "attempt":
            check = self.find(self.kwargs["pk"])
            self.reading = services.try_check(actor=self.actor, check=check)
        if self.action not in self.input_serializers:
            return
        if "pk" in self.kwargs:
            self.find(self.kwargs["pk"])
        require_set_up(self.actor)
        self.fields = self.validated()
        if self.fields.get("url"):
            services.vet_url(self.fields["url"])

    def create(self, request: Request) -> Response:
        return self.created(services.create_check(actor=self.actor, **self.fields))

    def partial_update(self, request: Request, pk: str) -> Response:
        return self.answer(services.update_check(actor=self.actor, check=self.get_object(), changes=self.fields))

    def destroy(self, request: Request, pk: str) -> Response:
        services.delete_check(actor=self.actor, check=self.get_object())
        return Response(status=204)

    @extend_schema(request=None, responses=bodies.ReadingOutput)
    @action(detail=True, methods=["post"], url_path="try", url_name="try")
    def attempt(self, request: Request, pk: str) -> Response:
        """Ask it once now, about what runs there. Nothing is kept."""
        return Response(bodies.ReadingOutput(self.reading).data)
