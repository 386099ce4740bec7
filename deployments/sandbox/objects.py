"""What every API object shares: copies, times, names, owners and conditions.

Objects in the store are never changed in place: writers build a new dict and may share unchanged branches with the
old one, which also makes comparing the two cheap.
"""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

Object = dict[str, Any]

# The alphabet of generated names: no vowels, so that no word appears by accident.
_SAFE = "bcdfghjklmnpqrstvwxz2456789"


def clone(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: clone(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clone(item) for item in value]
    return value


def timestamp(*, after_seconds: float = 0) -> str:
    return (datetime.now(UTC) + timedelta(seconds=after_seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_timestamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds_since(stamp: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(stamp)).total_seconds()


def random_suffix(length: int = 5) -> str:
    return "".join(secrets.choice(_SAFE) for _ in range(length))


def safe_encode(text: str) -> str:
    """Write decimal digits in the alphabet of generated names, as the controllers do with hashes."""
    return "".join(_SAFE[ord(char) % len(_SAFE)] for char in text)


def fnv32a(data: bytes) -> int:
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def name_of(obj: Object) -> str:
    return str(obj["metadata"].get("name", ""))


def namespace_of(obj: Object) -> str:
    return str(obj["metadata"].get("namespace", ""))


def uid_of(obj: Object) -> str:
    return str(obj["metadata"].get("uid", ""))


def with_metadata(obj: Object, **changes: Any) -> Object:
    """A copy whose metadata carries `changes`; a value of None removes the field."""
    metadata = {key: value for key, value in {**obj["metadata"], **changes}.items() if value is not None}
    return {**obj, "metadata": metadata}


def controller_of(obj: Object) -> Object | None:
    return next((ref for ref in obj["metadata"].get("ownerReferences", []) if ref.get("controller")), None)


def owner_reference(owner: Object) -> Object:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def find_condition(status: Object, kind: str) -> Object | None:
    return next((item for item in status.get("conditions", []) if item["type"] == kind), None)


def is_terminating(obj: Object) -> bool:
    return "deletionTimestamp" in obj["metadata"]


def without_empty(status: Object, *, keep: Iterable[str] = ()) -> Object:
    """Drop zero counters and empty values, as the API leaves out what is `omitempty`."""
    kept = set(keep)
    return {key: value for key, value in status.items() if key in kept or value not in (0, None, [], "")}
