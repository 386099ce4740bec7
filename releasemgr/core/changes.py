"""Saving with manners: field rules as domain errors, and what changed as plain values."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model

from releasemgr.core.errors import Invalid


def validate(obj: Model, *, unique: bool = True) -> None:
    """Field rules (and, unless `unique` is off, constraints) as Invalid: details are {field: [sentences]}."""
    try:
        obj.full_clean(validate_unique=unique, validate_constraints=unique)
    except ValidationError as exc:
        details = exc.message_dict
        field, sentences = next(iter(details.items()))
        raise Invalid(sentences[0] if field == "__all__" else f"{field}: {sentences[0]}", details=details) from None


def assign(obj: Model, changes: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Set the fields and return {field: (before, after)} of those that really changed, as plain values."""
    differences = {}
    for name, value in changes.items():
        before = getattr(obj, name)
        setattr(obj, name, value)
        if before != value:
            differences[name] = (plain(before), plain(value))
    return differences


def plain(value: Any) -> Any:
    return str(value) if isinstance(value, Model) else value
