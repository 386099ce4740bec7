"""What every API endpoint is built on: the actor, bounded bodies, replayed POSTs, ETags.

class Teams(ListMixin, RetrieveMixin, ApiViewSet):
    output_serializer_class = TeamOutput
    input_serializers = {"create": TeamInput, "partial_update": TeamChanges}

    def get_queryset(self): return policies.visible_teams(self.actor)
    def create(self, request): return self.created(services.create_team(actor=self.actor, **self.validated()))
"""

import hashlib
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, TypeVar, cast
from uuid import UUID

from django.conf import settings
from django.db import DataError, transaction
from django.db.models import Model, QuerySet
from django.utils.http import parse_etags
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from releasemgr.core import bodies
from releasemgr.core.actors import ANONYMOUS, Actor
from releasemgr.core.errors import Invalid, NotFound, PreconditionFailed
from releasemgr.core.idempotency import answer_once
from releasemgr.core.openapi import ApiSchema
from releasemgr.core.values import are_storable, as_uuid

logger = logging.getLogger(__name__)

M = TypeVar("M", bound=Model)
Handler = Callable[..., Response]
NO_SUCH_THING = "There is no such thing here, or you may not see it."
BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
GUARDED_METHODS = frozenset({"PUT", "PATCH", "DELETE"})


def find_or_404(queryset: QuerySet[M], identifier: str | UUID) -> M:
    """The row with this id, which may come from an address or a body and be no UUID at all. Raises NotFound."""
    pk = identifier if isinstance(identifier, UUID) else as_uuid(identifier)
    found = queryset.filter(pk=pk).first() if pk else None
    if found is None:
        raise NotFound(NO_SUCH_THING)
    return found


def etag_of(data: Any) -> str:
    """A strong ETag: the digest of the representation."""
    return f'"{hashlib.sha256(JSONRenderer().render(data)).hexdigest()[:32]}"'


def etag_matches(header: str, etag: str) -> bool:
    wanted = [each.removeprefix("W/") for each in parse_etags(header)]
    return "*" in wanted or etag in wanted


class ApiView(APIView):
    """Every endpoint of the API, viewset or not.

    `body_limit`: most bytes of a request body, None for DATA_UPLOAD_MAX_MEMORY_SIZE. `wraps_posts` off: the view
    calls `once` itself, because something must stay written even when the POST fails.
    """

    parser_classes: ClassVar[list[type[BaseParser]]] = [bodies.StrictJSONParser]  # type: ignore[misc]
    schema = ApiSchema()
    body_limit: ClassVar[int | None] = None
    wraps_posts: ClassVar[bool] = True

    @property
    def actor(self) -> Actor:
        if getattr(self, "swagger_fake_view", False):
            return ANONYMOUS
        return cast(Actor, self.request._request.actor)  # type: ignore[attr-defined]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        bodies.read_bounded(request._request, limit=self.body_limit or settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        _refuse_unstorable_address(request, kwargs)
        super().initial(request, *args, **kwargs)
        if request.method in BODY_METHODS:
            bodies.require_object(request.data)
            bodies.require_storable(request.data)
        self.before_transaction()
        self._guard_handler(str(request.method))

    def before_transaction(self) -> None:
        """For what may take long, such as asking a cluster: the handler itself may run in a transaction."""

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, DataError):
            logger.warning("The database refused a value that validation let through", exc_info=exc)
            exc = Invalid("A value is too long or too large to be stored.")
        return super().handle_exception(exc)

    def once(self, perform: Callable[[], Response], *, user_id: UUID | None) -> Response:
        """`perform()`, or its kept answer when the request's Idempotency-Key was seen before."""
        key = self.request.headers.get("Idempotency-Key")
        if key is None:
            return perform()
        path = f"{self.request.method} {self.request.path}"
        return answer_once(perform, key=key, user_id=user_id, path=path, request_fingerprint=self._fingerprint())

    def _fingerprint(self) -> bytes:
        """What must be the same in a repetition: the query, the body, and how much the credential may do."""
        request = self.request._request
        boundary = (request.content_params or {}).get("boundary", "")
        # Clients draw a new multipart boundary for each attempt.
        body = request.body.replace(boundary.encode(), b"") if boundary else request.body
        scopes = "all" if self.actor.scopes is None else " ".join(sorted(self.actor.scopes))
        return b"\n".join([request.META.get("QUERY_STRING", "").encode(), scopes.encode(), body])

    def _guard_handler(self, method: str) -> None:
        """Wrap this request's handler: DRF looks it up on the instance after `initial`."""
        name = method.lower()
        handler = getattr(self, name, None)
        if handler is None:
            return
        if method == "POST" and self.wraps_posts:
            setattr(self, name, partial(self._post_once, handler))
        elif method in GUARDED_METHODS and "If-Match" in self.request.headers:
            # `get_object` locks the row and compares; both must hold until the change is committed.
            setattr(self, name, transaction.atomic()(handler))

    def _post_once(self, handler: Handler, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.once(partial(handler, request, *args, **kwargs), user_id=self.actor.user_id)


def _refuse_unstorable_address(request: Request, kwargs: Mapping[str, Any]) -> None:
    if not are_storable(str(value) for value in kwargs.values()):
        raise NotFound(NO_SUCH_THING)
    for name, values in request.query_params.lists():
        if not are_storable([name, *values]):
            sentence = "It contains a NUL, which nothing here does."
            raise Invalid(f"Query parameter: {sentence}", details={"query": [sentence]})


class ApiViewSet(ApiView, GenericViewSet[Any]):
    """A noun of the API. Subclasses say `get_queryset` (what the actor may see) and the serializers by action."""

    output_serializer_class: ClassVar[type[BaseSerializer[Any]]]
    input_serializers: ClassVar[Mapping[str, type[BaseSerializer[Any]]]] = {}

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return self.output_serializer_class

    def find(self, identifier: str) -> Any:
        """The visible object that the address names; override to accept more than its UUID. Raises NotFound."""
        return find_or_404(self.get_queryset(), identifier)

    def get_object(self) -> Any:
        """The object of this address. With `If-Match` on a change its row is locked and compared: 412 when stale."""
        identifier = str(self.kwargs[self.lookup_url_kwarg or self.lookup_field])
        found = self.find(identifier)
        wanted = self.request.headers.get("If-Match")
        if wanted is None or self.request.method not in GUARDED_METHODS:
            return found
        list(type(found)._base_manager.select_for_update().filter(pk=found.pk).values_list("pk"))
        found = self.find(identifier)
        current = etag_of(self.represent(found))
        if not etag_matches(wanted, current):
            raise PreconditionFailed(
                "It was changed since you read it. Read it again, then decide.", details={"etag": current}
            )
        return found

    def validated(self) -> dict[str, Any]:
        """The body by the action's input serializer; PATCH may leave fields out. Raises ValidationError (422)."""
        serializer = self.input_serializers[self.action](
            data=self.request.data,
            partial=self.request.method == "PATCH",
            context=self.get_serializer_context(),
        )
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def represent(self, obj: Any) -> Any:
        return self.output_serializer_class(obj, context=self.get_serializer_context()).data

    def answer(self, obj: Model, *, status: int = 200) -> Response:
        """The object as a read would show it now, with its ETag."""
        data = self.represent(self.get_queryset().filter(pk=obj.pk).first() or obj)
        return Response(data, status=status, headers={"ETag": etag_of(data)})

    def created(self, obj: Model) -> Response:
        response = self.answer(obj, status=201)
        response["Location"] = f"{self.request.path.rstrip('/')}/{obj.pk}"
        return response


class ListMixin(ApiViewSet):
    """GET on the collection: filtered, ordered, in pages."""

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        serializer = self.output_serializer_class(page, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(serializer.data)


class RetrieveMixin(ApiViewSet):
    """GET on one: with its ETag, and 304 to whoever has it already."""

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        data = self.represent(self.get_object())
        headers = {"ETag": etag_of(data)}
        if etag_matches(request.headers.get("If-None-Match", ""), headers["ETag"]):
            return Response(status=304, headers=headers)
        return Response(data, headers=headers)
