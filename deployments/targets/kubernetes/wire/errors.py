"""The one place where client exceptions become our errors.

A client exception carries response headers and sometimes the request, so none of them may travel further: `ask` drops
it and raises one of ours, whose text is a sentence for people.
"""

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import urllib3.exceptions
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import ResourceNotFoundError, ResourceNotUniqueError

from deployments.targets.base import Errored, Failed
from deployments.targets.kubernetes.wording import clean, listed, sentence

Answer = TypeVar("Answer")
MALFORMED_PATCH = "failed to create typed patch object"
# A 403 for the moment between a quota's creation and its first count.
UNCOUNTED_QUOTA = "status unknown for quota"
# What an API server itself says without a Status: an unknown path.
PLAIN_WORDS = ("404 page not found", "404 page not found\n")
PASSING_STATUSES = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class OwnedField:
    """A field that another field manager holds, so that our apply must not take it."""

    manager: str
    field: str


class ClusterError(Exception):
    """A cluster did not do what it was asked. The text is a sentence for people, free of credentials."""


class TooLarge(Exception):
    """An answer was longer than anything that we ask for."""


class Unavailable(ClusterError):
    """A breakage that may pass: cluster away, slow, throttling or broken."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Refused(ClusterError):
    """A verdict: asking again changes nothing until a person changes something."""


class Unauthenticated(Unavailable):
    """The credentials are unknown to the cluster or expired: it tells nothing until it is given others."""


class Forbidden(Refused):
    """Not allowed: rights, quota or an admission policy."""


class NotFound(Refused):
    """The object, or the namespace it should live in, does not exist."""

    def __init__(self, message: str, *, missing_namespace: str = "") -> None:
        super().__init__(message)
        self.missing_namespace = missing_namespace


class UnknownKind(Refused):
    """The cluster does not serve this kind in this API version."""


class OwnedByOthers(Refused):
    """Server-side apply met fields of other field managers."""

    def __init__(self, message: str, fields: tuple[OwnedField, ...]) -> None:
        super().__init__(message)
        self.fields = fields


class Modified(ClusterError):
    """The object changed between our read and our write: read it again, then decide again."""


class Expired(ClusterError):
    """The resourceVersion of a watch is no longer kept: list again."""


def ask(doing: str, server: str, call: Callable[[], Answer], *, quote: bool = True) -> Answer:
    """The answer of `call`, or one of the errors above.

    `doing` completes "could not …". With `quote` false the cluster's own words stay out of the message: it may quote
    the value it refused, which for a Secret must not be shown.
    """
    # Raised after the except block on purpose: inside it, the client's exception would ride along as __context__.
    try:
        return call()
    except ClusterError:
        raise
    except (ResourceNotFoundError, ResourceNotUniqueError):
        failure: ClusterError = UnknownKind(f"Could not {doing}: the cluster does not serve this kind of object.")
    except ApiException as error:
        failure = _from_status(doing, server, error, quote=quote)
    except TooLarge:
        failure = Unavailable(f"Could not {doing}: what answers at {server} does not stop talking.")
    except (urllib3.exceptions.HTTPError, ssl.SSLError, OSError) as error:
        failure = Unavailable(f"Could not {doing}: {server} {_transport_problem(error)}.")
    except (ValueError, AttributeError, TypeError, KeyError, AssertionError):
        # The client trips over its own parsing when the answer is empty, or not JSON of the expected shape.
        failure = Unavailable(
            f"Could not {doing}: what answers at {server} does not speak the Kubernetes API. Check the server address."
        )
    raise failure


def as_result(error: ClusterError) -> Failed | Errored:
    """Verdicts fail the step; breakages let the engine try again."""
    if isinstance(error, Refused):
        return Failed(str(error))
    return Errored(str(error), retry_after_seconds=getattr(error, "retry_after_seconds", None), waits_for="the cluster")


def conflicts_of(item: Mapping[str, Any], error: OwnedByOthers) -> list[dict[str, Any]]:
    """For evidence: [{object, manager, fields}], one entry for each other manager."""
    managers = dict.fromkeys(owned.manager for owned in error.fields)
    return [
        {
            "object": f"{item.get('kind')} {(item.get('metadata') or {}).get('name')}",
            "manager": manager,
            "fields": list(dict.fromkeys(owned.field for owned in error.fields if owned.manager == manager)),
        }
        for manager in managers
    ]


def _from_status(doing: str, server: str, error: ApiException, *, quote: bool) -> ClusterError:
    status = _status_body(error)
    code = int(error.status or 0)
    words = _words(status, error, quote=quote)
    if code == 0:
        return Unavailable(f"Could not {doing}: no safe connection to {server} ({clean(error.reason, limit=200)}).")
    if code == 401:
        return Unauthenticated(
            f"Could not {doing}: the cluster does not accept the credentials of its kubeconfig; they may have expired. "
            "Store a fresh kubeconfig for this cluster."
        )
    if not status and error.body not in PLAIN_WORDS:
        return Unavailable(
            f"Could not {doing}: something at {server} that is not the Kubernetes API answered {code}.",
            _retry_after(error, status),
        )
    if code == 409:
        return _from_conflict(doing, status, words)
    if code == 410:
        return Expired(f"Could not {doing}: {words}")
    if _may_pass(code, str(status.get("message", ""))):
        return Unavailable(f"Could not {doing}: the cluster answered {code}: {words}", _retry_after(error, status))
    return _verdict(code, doing, status, words)


def _verdict(code: int, doing: str, status: Mapping[str, Any], words: str) -> Refused:
    if code == 403:
        return Forbidden(f"Could not {doing}: {words}")
    if code == 404:
        details = status.get("details") or {}
        missing = clean(details.get("name"), limit=63) if details.get("kind") == "namespaces" else ""
        if missing:
            words = f"the namespace “{missing}” does not exist. Create it, or choose another one for the target."
        return NotFound(f"Could not {doing}: {words}", missing_namespace=missing)
    if "field is immutable" in words:
        words += " It can't change on an existing object: give the object another name, or delete it first."
    return Refused(f"Could not {doing}: {words}")


def _from_conflict(doing: str, status: Mapping[str, Any], words: str) -> ClusterError:
    causes = [c for c in _causes(status) if c.get("reason") == "FieldManagerConflict"]
    if not causes:
        refusal = Refused if status.get("reason") == "AlreadyExists" else Modified
        return refusal(f"Could not {doing}: {words}")
    fields = tuple(
        OwnedField(manager=_manager(cause), field=clean(cause.get("field"), limit=200).lstrip(".")) for cause in causes
    )
    managers = dict.fromkeys(owned.manager for owned in fields)
    told = "; ".join(
        f"“{manager}” owns {listed(owned.field for owned in fields if owned.manager == manager)}"
        for manager in managers
    )
    names = " and ".join(f"“{manager}”" for manager in managers)
    return OwnedByOthers(
        f"Could not {doing}: {told}. Deploy again and choose to take them over from {names}, or leave these fields "
        "out of the release.",
        fields,
    )


def _manager(cause: Mapping[str, Any]) -> str:
    # `conflict with "kubectl-edit" using apps/v1 at …`: the name is the first quoted part.
    parts = str(cause.get("message", "")).split('"')
    return clean(parts[1] if len(parts) > 2 else "another manager", limit=128)


def _words(status: Mapping[str, Any], error: ApiException, *, quote: bool) -> str:
    if not quote:
        fields = [clean(cause.get("field"), limit=100) for cause in _causes(status) if cause.get("field")]
        told = f"; see {listed(fields)}" if fields else ""
        return f"{clean(status.get('reason') or error.reason, limit=60) or 'refused'} ({error.status}){told}."
    return sentence(clean(status.get("message")) or clean(error.reason) or "no reason given")


def _causes(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [cause for cause in (status.get("details") or {}).get("causes") or [] if isinstance(cause, Mapping)]


def _may_pass(code: int, told: str) -> bool:
    # A real API server reports an unknown field in an apply as a 500; it is as final as a 422.
    return MALFORMED_PATCH not in told if code in PASSING_STATUSES else UNCOUNTED_QUOTA in told


def _status_body(error: ApiException) -> Mapping[str, Any]:
    try:
        body = json.loads(error.body or "{}")
    except (TypeError, ValueError):
        return {}
    return body if isinstance(body, dict) and body.get("kind") == "Status" else {}


def _retry_after(error: ApiException, status: Mapping[str, Any]) -> float | None:
    told = (error.headers or {}).get("Retry-After") or (status.get("details") or {}).get("retryAfterSeconds")
    try:
        return min(max(float(told), 0.0), 300.0) if told is not None else None
    except (TypeError, ValueError):
        return None


def _transport_problem(error: Exception) -> str:
    problems: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
        ((urllib3.exceptions.NameResolutionError,), "has no address: its name does not resolve"),
        # Before the time-outs: the library derives it from one.
        ((urllib3.exceptions.NewConnectionError, ConnectionRefusedError), "refuses connections"),
        ((urllib3.exceptions.ConnectTimeoutError,), "did not answer in time to connect"),
        ((urllib3.exceptions.ReadTimeoutError, TimeoutError), "did not answer in time"),
        ((urllib3.exceptions.SSLError, ssl.SSLError), "offers no certificate that this cluster's kubeconfig trusts"),
        ((urllib3.exceptions.ProxyError,), "can't be reached through the proxy"),
    )
    for types, told in problems:
        if isinstance(error, types):
            return told
    return "closed the connection before it answered"
