"""The API of logins, people, teams and tokens."""

from typing import ClassVar

from django.contrib.auth import logout, update_session_auth_hash
from django.db.models import QuerySet
from django.urls import include, path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from accounts import filters, policies, selectors, serializers, services
from accounts.models import ApiToken, Team, User
from accounts.services.access import require_administrator, require_team_management
from releasemgr.core.viewsets import ApiView, ApiViewSet, ListMixin, RetrieveMixin, find_or_404


class Login(ApiView):
    # A stale token or session in the request must not keep anybody from logging in.
    authentication_classes = ()
    permission_classes = (AllowAny,)
    # A failed login stays counted, so it cannot be part of a transaction that is undone.
    wraps_posts = False

    @extend_schema(request=serializers.LoginInput, responses={200: serializers.LoginOutput}, auth=[])
    def post(self, request: Request) -> Response:
        serializer = serializers.LoginInput(data=request.data)
        serializer.is_valid(raise_exception=True)
        fields = serializer.validated_data
        login = fields.get("username", fields.get("email"))
        user = services.check_credentials(login=login, password=fields["password"], request=request._request)
        return self.once(lambda: self._issue(user), user_id=user.pk)

    def _issue(self, user: User) -> Response:
        token, text = services.issue_login_token(user=user)
        return Response(serializers.LoginOutput({"token": text, "expires_at": token.expiry, "user": user}).data)


class Logout(ApiView):
    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        if isinstance(request.auth, ApiToken):
            services.log_out_token(actor=self.actor, token=request.auth)
        else:
            services.log_out(actor=self.actor)
            logout(request._request)
        return Response(status=204)


class Users(ListMixin, RetrieveMixin, ApiViewSet):
    """People, as far as you may see them; administrators change them."""

    output_serializer_class = serializers.UserOutput
    input_serializers: ClassVar = {
        "create": serializers.UserInput,
        "partial_update": serializers.UserChanges,
        "set_password": serializers.PasswordInput,
        "change_password": serializers.PasswordChange,
    }
    filterset_class = filters.UserFilter
    ordering_fields = ("name", "email", "created_at")

    def get_queryset(self) -> QuerySet[User]:
        return policies.visible_users(self.actor)

    def create(self, request: Request) -> Response:
        require_administrator(self.actor)
        return self.created(services.create_user(actor=self.actor, **self.validated()))

    def partial_update(self, request: Request, pk: str) -> Response:
        user = self.get_object()
        require_administrator(self.actor)
        return self.answer(services.update_user(actor=self.actor, user=user, changes=self.validated()))

    @extend_schema(responses={200: serializers.ProfileOutput})
    @action(detail=False)
    def me(self, request: Request) -> Response:
        """Profile, role, teams and what the credential in use allows."""
        context = {"permissions": selectors.effective_permissions(self.actor), "scopes": self.actor.scopes}
        return Response(serializers.ProfileOutput(selectors.profile(self.actor), context=context).data)

    @extend_schema(responses={204: None})
    @action(detail=False, methods=["post"], url_path="me/password")
    def change_password(self, request: Request) -> Response:
        """One's own. Every other session and login token ends."""
        token = request.auth if isinstance(request.auth, ApiToken) else None
        user = services.change_password(actor=self.actor, keep=token, **self.validated())
        if token is None:
            update_session_auth_hash(request._request, user)
        return Response(status=204)

    @extend_schema(responses={204: None})
    @action(detail=True, methods=["post"], url_path="password")
    def set_password(self, request: Request, pk: str) -> Response:
        """By an administrator. The person's sessions and login tokens end."""
        user = self.get_object()
        require_administrator(self.actor)
        services.set_password(actor=self.actor, user=user, password=self.validated()["password"])
        return Response(status=204)


class Teams(ListMixin, RetrieveMixin, ApiViewSet):
    """Teams and their members; the address takes the slug or the id."""

    output_serializer_class = serializers.TeamOutput
    input_serializers: ClassVar = {
        "create": serializers.TeamInput,
        "partial_update": serializers.TeamInput,
        "add_member": serializers.MemberInput,
        "set_member_role": serializers.MemberChanges,
    }
    filterset_class = filters.TeamFilter
    ordering_fields = ("name", "slug", "created_at")

    def get_queryset(self) -> QuerySet[Team]:
        return policies.visible_teams(self.actor)

    def find(self, identifier: str) -> Team:
        return selectors.team_by_slug_or_id(self.actor, identifier)

    def create(self, request: Request) -> Response:
        require_administrator(self.actor)
        return self.created(services.create_team(actor=self.actor, **self.validated()))

    def partial_update(self, request: Request, pk: str) -> Response:
        team = self.get_object()
        require_team_management(self.actor, team)
        return self.answer(services.update_team(actor=self.actor, team=team, changes=self.validated()))

    @extend_schema(responses={200: serializers.MemberOutput(many=True)}, filters=False)
    @action(detail=True, filterset_class=None, ordering_fields=())
    def members(self, request: Request, pk: str) -> Response:
        page = self.paginate_queryset(selectors.members(self.get_object()))
        return self.get_paginated_response(serializers.MemberOutput(page, many=True).data)

    @extend_schema(responses={201: serializers.MemberOutput})
    @members.mapping.post
    def add_member(self, request: Request, pk: str) -> Response:
        team = self.get_object()
        # Asked before the body is read: who may not add members learns nothing about who exists.
        require_team_management(self.actor, team)
        fields = self.validated()
        user = selectors.user_by_reference(fields["user"])
        membership = services.add_member(actor=self.actor, team=team, user=user, role=fields["role"])
        return Response(serializers.MemberOutput(membership).data, status=201)

    @extend_schema(responses={204: None})
    @action(detail=True, methods=["delete"], url_path="members/(?P<user>[^/]+)")
    def remove_member(self, request: Request, pk: str, user: str) -> Response:
        team = self.get_object()
        services.remove_member(actor=self.actor, team=team, user=self._member(team, user))
        return Response(status=204)

    @extend_schema(responses={200: serializers.MemberOutput})
    @remove_member.mapping.patch
    def set_member_role(self, request: Request, pk: str, user: str) -> Response:
        team = self.get_object()
        require_team_management(self.actor, team)
        member = self._member(team, user)
        role = self.validated().get("role", "")
        membership = services.set_member_role(actor=self.actor, team=team, user=member, role=role)
        return Response(serializers.MemberOutput(membership).data)

    def _member(self, team: Team, identifier: str) -> User:
        return find_or_404(User.objects.filter(memberships__team=team), identifier)


@extend_schema_view(destroy=extend_schema(parameters=[OpenApiParameter("id", OpenApiTypes.UUID, "path")]))
class Tokens(ListMixin, ApiViewSet):
    """One's own tokens; nobody sees anybody else's."""

    output_serializer_class = serializers.TokenOutput
    input_serializers: ClassVar = {"create": serializers.TokenInput}
    ordering = ("-created", "-pk")

    def get_queryset(self) -> QuerySet[ApiToken]:
        return policies.visible_tokens(self.actor)

    def find(self, identifier: str) -> ApiToken:
        return selectors.token_by_id(self.actor, identifier)

    @extend_schema(responses={201: serializers.IssuedTokenOutput})
    def create(self, request: Request) -> Response:
        parent = request.auth if isinstance(request.auth, ApiToken) else None
        token, text = services.issue_token(actor=self.actor, parent=parent, **self.validated())
        return Response(self.represent(token) | {"token": text}, status=201)

    def destroy(self, request: Request, pk: str) -> Response:
        services.revoke_token(actor=self.actor, token=self.get_object())
        return Response(status=204)


router = SimpleRouter(trailing_slash=False)
router.register("users", Users, basename="user")
router.register("teams", Teams, basename="team")
router.register("tokens", Tokens, basename="token")

urlpatterns = [
    path("auth/login", Login.as_view(), name="auth-login"),
    path("auth/logout", Logout.as_view(), name="auth-logout"),
    path("", include(router.urls)),
]
