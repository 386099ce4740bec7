"""Reads from the audit log: filtered, in pages by sequence, with the seals that close the events."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Q, QuerySet

from audit import labels
from audit.differences import Difference, differences
from audit.models import Event
from audit.policies import visible_events
from releasemgr.core.actors import Actor
from releasemgr.core.errors import Malformed, NotFound
from releasemgr.core.values import as_uuid

PAGE_SIZE = 50
MAX_SEQUENCE_DIGITS = 18

SEALS = """
    SELECT asked.sequence, seal.number, seal.hash FROM unnest(%s::bigint[]) AS asked (sequence)
    CROSS JOIN LATERAL (
        SELECT seal_id, last_sequence FROM audit_sealedrange
        WHERE first_sequence <= asked.sequence ORDER BY first_sequence DESC LIMIT 1) nearest
    JOIN audit_seal seal ON seal.number = nearest.seal_id
    WHERE nearest.last_sequence >= asked.sequence"""


@dataclass(frozen=True)
class EventFilter:
    """What is asked for; an empty field asks nothing. `since` ≤ time < `until`.

    `user` is an id, an email address or a name; `action` is one, or all of a kind written as "release.*".
    """

    user: str = ""
    action: str = ""
    resource_type: str = ""
    resource_id: str = ""
    application: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str = ""


@dataclass(frozen=True)
class Entry:
    """An event as people read it."""

    event: Event
    sentence: str
    page: str
    seal_number: int | None

    @cached_property
    def differences(self) -> list[Difference]:
        return differences(self.event.changes)

    @property
    def is_denied(self) -> bool:
        return self.event.action == labels.DENIED


@dataclass(frozen=True)
class EventPage:
    """Newest first. `next_cursor` leads to older events, `previous_cursor` to newer ones; empty: there are none."""

    entries: Sequence[Entry]
    next_cursor: str = ""
    previous_cursor: str = ""

    @property
    def newest(self) -> int:
        return self.entries[0].event.sequence if self.entries else 0


def find_events(actor: Actor, wanted: EventFilter) -> QuerySet[Event]:
    """The visible events that match, newest first."""
    exact = {
        "resource_type": wanted.resource_type,
        "resource_id": wanted.resource_id,
        "application_id": wanted.application,
        "created_at__gte": wanted.since,
        "created_at__lt": wanted.until,
    }
    found = visible_events(actor).filter(**{field: value for field, value in exact.items() if value})
    if wanted.action:
        kind = wanted.action.removesuffix("*")
        found = found.filter(action=kind) if kind == wanted.action else found.filter(action__startswith=kind)
    if wanted.user:
        found = found.filter(_by(wanted.user))
    if wanted.q:
        found = found.filter(_about(wanted.q))
    return found.order_by("-sequence")


def get_event(actor: Actor, event_id: str) -> Event:
    """Raises NotFound, also for what the actor may not see."""
    key = as_uuid(event_id)
    found = visible_events(actor).filter(pk=key).first() if key else None
    if found is None:
        raise NotFound("There is no such event, or you may not see it.")
    return found


def event_page(events: QuerySet[Event], cursor: str, *, size: int = PAGE_SIZE) -> EventPage:
    """The page that `cursor` names; the first without one. Raises Malformed for a cursor that is none of ours."""
    direction, sequence = _parse(cursor)
    if direction == "after":
        rows = list(events.filter(sequence__gt=sequence).order_by("sequence")[: size + 1])
        newer, older = len(rows) > size, bool(rows)
        rows = rows[:size][::-1]
    else:
        rows = list((events.filter(sequence__lt=sequence) if cursor else events)[: size + 1])
        newer, older = bool(cursor and rows), len(rows) > size
        rows = rows[:size]
    return EventPage(
        entries=entries_of(rows),
        next_cursor=f"before-{rows[-1].sequence}" if older else "",
        previous_cursor=f"after-{rows[0].sequence}" if newer else "",
    )


def entries_of(events: Sequence[Event]) -> list[Entry]:
    seals = seals_of(event.sequence for event in events)
    return [
        Entry(
            event=event,
            sentence=labels.sentence(event.action, event.data),
            page=labels.page_of(event.resource_type, event.resource_id),
            seal_number=seals.get(event.sequence, (None, ""))[0],
        )
        for event in events
    ]


def seals_of(sequences: Iterable[int]) -> dict[int, tuple[int, str]]:
    """Sequence → number and hash of the seal that closes it; what is not sealed yet is left out."""
    asked = list(sequences)
    if not asked:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(SEALS, [asked])
        return {sequence: (number, digest) for sequence, number, digest in cursor.fetchall()}


def in_batches(events: QuerySet[Event], *fields: str, size: int = 1000) -> Iterator[list[dict[str, Any]]]:
    """All of them, newest first, by one short query for each batch: no cursor stays open, no transaction."""
    rows = list(events.values(*fields)[:size])
    while rows:
        yield rows
        rows = list(events.filter(sequence__lt=rows[-1]["sequence"]).values(*fields)[:size])


def count_newer(events: QuerySet[Event], sequence: int, *, limit: int = 99) -> int:
    """How many came after `sequence`; at most `limit` are counted."""
    return len(events.filter(sequence__gt=sequence).values_list("sequence")[:limit])


def _by(who: str) -> Q:
    """Events of the people with this id, address or name; of an actor without an account ("Anonymous") by its label."""
    key = as_uuid(who)
    if key:
        return Q(user=key)
    people = get_user_model()._default_manager
    named = people.filter(Q(email__iexact=who) | Q(username__iexact=who) | Q(name__icontains=who))
    ids = list(named.values_list("pk", flat=True))
    return Q(user__in=ids) if ids else Q(user__isnull=True, actor__iexact=who)


def _about(text: str) -> Q:
    words = Q(resource_label__icontains=text) | Q(actor__icontains=text) | Q(action__icontains=text)
    return words | Q(data__icontains=text) | Q(request_id=text) | Q(resource_id=text)


def _parse(cursor: str) -> tuple[str, int]:
    if not cursor:
        return "", 0
    direction, _, number = cursor.partition("-")
    is_number = number.isascii() and number.isdecimal() and len(number) <= MAX_SEQUENCE_DIGITS
    if direction not in ("before", "after") or not is_number:
        raise Malformed("This page address is not valid. Open the list from its first page.")
    return direction, int(number)
