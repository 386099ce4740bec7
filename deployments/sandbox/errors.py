"""The refusals of an API server, worded as it words them."""

from collections.abc import Sequence
from typing import Any

from deployments.sandbox.kinds import Kind
from deployments.sandbox.objects import Object


class ApiError(Exception):
    """A refusal; `status()` is the body that goes over the wire."""

    def __init__(self, code: int, message: str, reason: str = "", details: Object | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.reason, self.details = code, message, reason, details

    def status(self) -> Object:
        body: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        body["message"] = self.message
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        return {**body, "code": self.code}


def resource_details(kind: Kind, name: str, **more: Any) -> Object:
    details: Object = {"name": name} if name else {}
    if kind.group:
        details["group"] = kind.group
    return {**details, "kind": kind.plural, **more}


def not_found(kind: Kind, name: str) -> ApiError:
    return ApiError(404, f'{kind.qualified} "{name}" not found', "NotFound", resource_details(kind, name))


def already_exists(kind: Kind, name: str) -> ApiError:
    return ApiError(409, f'{kind.qualified} "{name}" already exists', "AlreadyExists", resource_details(kind, name))


def unknown_resource() -> ApiError:
    return ApiError(404, "the server could not find the requested resource", "NotFound", {})


def method_not_allowed() -> ApiError:
    return ApiError(405, "the server does not allow this method on the requested resource", "MethodNotAllowed", {})


def bad_request(message: str) -> ApiError:
    return ApiError(400, message, "BadRequest")


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(kind: Kind, name: str, why: str) -> ApiError:
    subject = f'{kind.qualified} "{name}"' if name else kind.qualified
    return ApiError(403, f"{subject} is forbidden: {why}", "Forbidden", resource_details(kind, name))


def modified_meanwhile(kind: Kind, name: str) -> ApiError:
    message = (
        f'Operation cannot be fulfilled on {kind.qualified} "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    return ApiError(409, message, "Conflict", resource_details(kind, name))


def uid_precondition(kind: Kind, name: str, wanted: str, found: str) -> ApiError:
    message = (
        f'Operation cannot be fulfilled on {kind.qualified} "{name}": the UID in the precondition ({wanted}) '
        f"does not match the UID in record ({found}). The object might have been deleted and then recreated"
    )
    return ApiError(409, message, "Conflict", resource_details(kind, name))


def invalid(kind: Kind, name: str, causes: Sequence[Object]) -> ApiError:
    """`causes` carry `reason`, `message` and `field` each."""
    parts = [f"{cause['field']}: {cause['message']}" for cause in causes]
    text = parts[0] if len(parts) == 1 else f"[{', '.join(parts)}]"
    subject = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    details: Object = {"name": name}
    if kind.group:
        details["group"] = kind.group
    details |= {"kind": kind.kind, "causes": list(causes)}
    return ApiError(422, f'{subject} "{name}" is invalid: {text}', "Invalid", details)


def expired(wanted: int, oldest: int) -> ApiError:
    return ApiError(410, f"too old resource version: {wanted} ({oldest})", "Expired")


def version_too_large(wanted: int, current: int) -> ApiError:
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    return ApiError(504, message, "Timeout", {"causes": causes, "retryAfterSeconds": 1})
