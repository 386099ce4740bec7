"""Who may read what happened."""

from django.db.models import Q, QuerySet

from audit.models import Event
from releasemgr.core.actors import Actor


def visible_events(actor: Actor) -> QuerySet[Event]:
    """Administrators see all; others what concerns the applications they see, and what they did themselves."""
    if not actor.is_authenticated or not actor.has_scope("audit:read"):
        return Event.objects.none()
    if actor.is_admin:
        return Event.objects.all()
    mine = Q(application_id__in=actor.granted("view_application"))
    return Event.objects.filter(mine | Q(user=actor.user_id))
