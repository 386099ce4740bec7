"""The audit log's pages."""

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from audit import selectors
from audit.exports import export
from audit.forms import EventFilterForm
from audit.models import Event
from audit.selectors import EventFilter
from releasemgr.core.errors import Invalid, NotFound
from releasemgr.core.htmx import render_page_or_partial
from releasemgr.core.requests import Request
from releasemgr.core.values import is_storable

TIMELINE_SIZE = 20


@login_required
@require_GET
def event_list(request: Request) -> HttpResponse:
    form = EventFilterForm(request.GET)
    try:
        wanted = form.wanted()
    except Invalid as refused:
        context = {"form": form, "page": selectors.EventPage([]), "refused": refused.message}
        return _answer(request, context, status=422)
    cursor = request.GET.get("cursor", "")
    page = selectors.event_page(_events(request, wanted), cursor)
    return _answer(request, {"form": form, "page": page, "is_first": not cursor, "filter": _query(request)})


def _answer(request: Request, context: dict[str, object], *, status: int = 200) -> HttpResponse:
    return render_page_or_partial(
        request, page="audit/event_list.html", partial="audit/partials/event_list.html", context=context, status=status
    )


def _query(request: Request) -> str:
    """The filter as a query string, for links that keep it."""
    query = request.GET.copy()
    query.pop("cursor", None)
    query.pop("after", None)
    return query.urlencode()


def _events(request: Request, wanted: EventFilter) -> QuerySet[Event]:
    return selectors.find_events(request.actor, wanted)


@login_required
@require_GET
def newer(request: Request) -> HttpResponse:
    """Whether there is something to see above: the list itself stays still while somebody reads it."""
    after = request.GET.get("after", "")
    sequence = (
        int(after) if after.isascii() and after.isdecimal() and len(after) <= selectors.MAX_SEQUENCE_DIGITS else 0
    )
    count = selectors.count_newer(_events(request, EventFilterForm(request.GET).wanted()), sequence)
    return render(request, "audit/partials/newer.html", {"count": count, "after": sequence, "filter": _query(request)})


@login_required
@require_GET
def export_events(request: Request, file_format: str) -> StreamingHttpResponse:
    return export(request, _events(request, EventFilterForm(request.GET).wanted()), format=file_format)


@login_required
@require_GET
def for_resource(request: Request, resource_type: str, resource_id: str) -> HttpResponse:
    """The timeline of one thing, for its detail page to load."""
    if not is_storable(resource_id):
        raise NotFound("There is no such thing here, or you may not see it.")
    events = _events(request, EventFilter(resource_type=resource_type, resource_id=resource_id))
    page = selectors.event_page(events, request.GET.get("cursor", ""), size=TIMELINE_SIZE)
    context = {"page": page, "resource_type": resource_type, "resource_id": resource_id}
    return render(request, "audit/partials/timeline.html", context)
