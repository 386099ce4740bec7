"""The API of applications, releases and approval rules."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from releasemgr.core.viewsets import ApiViewSet, ListMixin, RetrieveMixin
from releases import filters, policies, selectors, serializers, services
from releases.models import Application, ApprovalRule, Release
from releases.services.access import require_set_up


class Applications(ListMixin, RetrieveMixin, ApiViewSet):
    """Deployable services; the address takes the slug or the id."""

    output_serializer_class = serializers.ApplicationOutput
    input_serializers: ClassVar = {
        "create": serializers.ApplicationInput,
        "partial_update": serializers.ApplicationChanges,
    }
    filterset_class = filters.ApplicationFilter
    ordering = ("name", "id")
    ordering_fields = ("name", "slug", "created_at")

    def get_queryset(self) -> QuerySet[Application]:
        return policies.visible_applications(self.actor).select_related("team")

    def find(self, identifier: str) -> Application:
        return selectors.application_by_slug_or_id(self.actor, identifier)

    def create(self, request: Request) -> Response:
        # Asked before the body is read: who may not set up learns nothing about teams and slugs.
        require_set_up(self.actor)
        return self.created(services.create_application(actor=self.actor, **self.validated()))

    def partial_update(self, request: Request, pk: str) -> Response:
        application = self.get_object()
        require_set_up(self.actor)
        changes = self.validated()
        return self.answer(services.update_application(actor=self.actor, application=application, changes=changes))

    def destroy(self, request: Request, pk: str) -> Response:
        services.delete_application(actor=self.actor, application=self.get_object())
        return Response(status=204)


class Releases(ListMixin, RetrieveMixin, ApiViewSet):
    """Versions of applications, and the way to their approval."""

    output_serializer_class = serializers.ReleaseOutput
    input_serializers: ClassVar = {
        "create": serializers.ReleaseInput,
        "partial_update": serializers.ReleaseChanges,
        "approve": serializers.ReleaseDecisionInput,
        "reject": serializers.ReleaseDecisionInput,
        "cancel": serializers.CancelInput,
        "add_comment": serializers.CommentInput,
        "write_notes": serializers.NotesBody,
    }
    filterset_class = filters.ReleaseFilter
    ordering_fields = ("created_at", "updated_at", "version")

    def get_queryset(self) -> QuerySet[Release]:
        return selectors.release_details(self.actor)

    def create(self, request: Request) -> Response:
        body = self.validated()
        application = self._application(body.pop("application", None))
        return self.created(services.draft_release(actor=self.actor, application=application, **body))

    def _application(self, reference: str | None) -> Application:
        if reference is None:
            return selectors.only_application(self.actor)
        return selectors.application_by_slug_or_id(self.actor, reference)

    def partial_update(self, request: Request, pk: str) -> Response:
        release = self.get_object()
        return self.answer(services.edit_release(actor=self.actor, release=release, changes=self.validated()))

    def destroy(self, request: Request, pk: str) -> Response:
        services.delete_release(actor=self.actor, release=self.get_object())
        return Response(status=204)

    @action(detail=True, methods=["post"])
    def submit(self, request: Request, pk: str) -> Response:
        return self._move(services.submit_release)

    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        return self._move(services.approve_release, **self.validated())

    @action(detail=True, methods=["post"])
    def reject(self, request: Request, pk: str) -> Response:
        return self._move(services.reject_release, **{"comment": "", **self.validated()})

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        return self._move(services.cancel_release, **self.validated())

    def _move(self, service: Callable[..., Release], **fields: Any) -> Response:
        return self.answer(service(actor=self.actor, release=self.get_object(), **fields))

    @extend_schema(responses=serializers.CommentOutput(many=True), filters=False)
    @action(detail=True, methods=["get"], filterset_class=None)
    def comments(self, request: Request, pk: str) -> Response:
        """The discussion, oldest first."""
        self.ordering = ("created_at", "id")
        page = self.paginate_queryset(selectors.comments_of(self.get_object()))
        return self.get_paginated_response(serializers.CommentOutput(page, many=True).data)

    @extend_schema(responses={201: serializers.CommentOutput})
    @comments.mapping.post
    def add_comment(self, request: Request, pk: str) -> Response:
        comment = services.comment_on_release(actor=self.actor, release=self.get_object(), **self.validated())
        return Response(serializers.CommentOutput(comment).data, status=201)

    @extend_schema(responses=serializers.NotesBody)
    @action(detail=True, methods=["get"], filterset_class=None, pagination_class=None)
    def notes(self, request: Request, pk: str) -> Response:
        """The release notes as they are stored, Markdown."""
        return Response({"notes": self.get_object().notes})

    @extend_schema(responses=serializers.NotesBody)
    @notes.mapping.post
    def write_notes(self, request: Request, pk: str) -> Response:
        """Replace the release notes. They are no part of the content, so approvals stay."""
        release = services.edit_release(actor=self.actor, release=self.get_object(), changes=self.validated())
        return Response({"notes": release.notes})


class ApprovalRules(ListMixin, RetrieveMixin, ApiViewSet):
    """Who must approve what."""

    output_serializer_class = serializers.ApprovalRuleOutput
    input_serializers: ClassVar = {
        "create": serializers.ApprovalRuleInput,
        "partial_update": serializers.ApprovalRuleInput,
    }
    filterset_class = filters.ApprovalRuleFilter
    ordering = ("created_at", "id")
    ordering_fields = ("created_at",)

    def get_queryset(self) -> QuerySet[ApprovalRule]:
        return selectors.approval_rules(self.actor)

    def create(self, request: Request) -> Response:
        require_set_up(self.actor)
        return self.created(services.create_approval_rule(actor=self.actor, **self.validated()))

    def partial_update(self, request: Request, pk: str) -> Response:
        rule = self.get_object()
        require_set_up(self.actor)
        return self.answer(services.update_approval_rule(actor=self.actor, rule=rule, changes=self.validated()))

    def destroy(self, request: Request, pk: str) -> Response:
        services.delete_approval_rule(actor=self.actor, rule=self.get_object())
        return Response(status=204)


router = SimpleRouter(trailing_slash=False)
router.register("applications", Applications, basename="application")
router.register("releases", Releases, basename="release")
router.register("approval-rules", ApprovalRules, basename="approval-rule")
urlpatterns = router.urls
