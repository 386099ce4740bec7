"""The causes of a 422, worded as the server words them."""

import json
from collections.abc import Iterable
from typing import Any

from deployments.sandbox.objects import Object

Cause = Object

DNS_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
DNS_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def as_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def invalid_value(field: str, value: Any, why: str) -> Cause:
    return {"reason": "FieldValueInvalid", "message": f"Invalid value: {as_json(value)}: {why}", "field": field}


def required(field: str, why: str = "") -> Cause:
    message = f"Required value: {why}" if why else "Required value"
    return {"reason": "FieldValueRequired", "message": message, "field": field}


def duplicate(field: str, value: Any) -> Cause:
    return {"reason": "FieldValueDuplicate", "message": f"Duplicate value: {as_json(value)}", "field": field}


def unsupported(field: str, value: Any, known: Iterable[str]) -> Cause:
    values = ", ".join(as_json(item) for item in known)
    message = f"Unsupported value: {as_json(value)}: supported values: {values}"
    return {"reason": "FieldValueNotSupported", "message": message, "field": field}
