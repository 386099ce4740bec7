"""What can go wrong, as users meet it: what could not be done, why, and what next.

Pages, API, admin and commands all turn a DomainError into their own form of answer; nobody else invents statuses.
"""

from collections.abc import Mapping
from typing import Any


class DomainError(Exception):
    """Base of every anticipated error. `details` must be plain JSON and free of secrets."""

    code = "error"
    status = 400

    def __init__(self, message: str, *, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})


class Invalid(DomainError):
    """A rule refuses the content (422). `details` maps field names to lists of sentences."""

    code = "invalid"
    status = 422


class Malformed(DomainError):
    code = "malformed"
    status = 400


class NotAllowed(DomainError):
    """The actor sees the object but lacks the right (403). `details["permission"]` names it."""

    code = "forbidden"
    status = 403


class NotFound(DomainError):
    """Also for what the actor may not see."""

    code = "not_found"
    status = 404


class WrongState(DomainError):
    """The object is not in a state that allows this (409). `details["status"]` is the current one."""

    code = "wrong_state"
    status = 409


class PreconditionFailed(DomainError):
    code = "precondition_failed"
    status = 412


class TooManyAttempts(DomainError):
    """`details["retry_after_seconds"]` says when to try again."""

    code = "too_many_attempts"
    status = 429


class Unavailable(DomainError):
    """Something outside (a cluster, the queue) does not answer (503)."""

    code = "unavailable"
    status = 503
