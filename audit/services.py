"""The one way in which anything reaches the audit log."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import models

from audit.models import Event
from releasemgr.core.actors import Actor
from releasemgr.core.context import current_request_context

Changes = Mapping[str, tuple[Any, Any]]


def record(
    action: str,
    *,
    actor: Actor,
    subject: models.Model,
    changes: Changes | None = None,
    data: Mapping[str, Any] | None = None,
) -> Event:
    """Write the fact `action` about `subject`, in the caller's transaction: if it can't be written, nothing happens.

    A subject with an `audit_application_id` can be seen by the people who see that application.
    """
    return _write(action, actor=actor, changes=changes, data=data, **_named(subject))


def record_each(
    action: str, *, actor: Actor, subjects: Iterable[models.Model], data: Callable[[Any], Mapping[str, Any]]
) -> None:
    """`record` for many subjects in one statement; `data(subject)` are the facts of each."""
    Event.objects.bulk_create(
        Event(action=action, **_facts(actor=actor, data=data(subject), **_named(subject))) for subject in subjects
    )


def _named(subject: models.Model) -> dict[str, Any]:
    return {
        "resource_type": str(subject._meta.model_name),
        "resource_id": str(subject.pk),
        "resource_label": str(subject),
        "application_id": getattr(subject, "audit_application_id", None),
    }


def record_denied(*, actor: Actor, what: str, data: Mapping[str, Any]) -> Event:
    """An attempt that a policy refused. `what` is the method and path or the socket topic."""
    return _write("access.denied", actor=actor, resource_type="request", resource_id="", resource_label=what, data=data)


def record_login(action: str, *, actor: Actor, login: str) -> Event:
    """`action` is one of the login facts of `accounts.events`; `login` is what was typed as the account."""
    return _write(
        action,
        actor=actor,
        resource_type="user",
        resource_id=str(actor.user_id or ""),
        resource_label=login,
    )


def _write(action: str, **known: Any) -> Event:
    return Event.objects.create(action=action, **_facts(**known))


def _facts(
    *,
    actor: Actor,
    resource_type: str,
    resource_id: str,
    resource_label: str,
    application_id: UUID | None = None,
    changes: Changes | None = None,
    data: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The columns of an event, with those of the request that it belongs to."""
    context = current_request_context()
    return {
        "resource_type": resource_type,
        "resource_id": resource_id,
        "resource_label": _storable(resource_label)[:300],
        "user": actor.user,
        "actor": actor.label[:200],
        "application_id": application_id,
        "changes": {name: list(pair) for name, pair in (changes or {}).items()},
        "data": dict(data or {}),
        "request_id": context.request_id,
        "ip": context.ip,
    }


def _storable(text: str) -> str:
    """PostgreSQL's text holds no NUL; a login form can be sent one."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
