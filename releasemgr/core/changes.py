"""Saving with manners: field rules as domain errors, and what changed as plain values."""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet

from releasemgr.core.errors import Invalid, NotFound

Row = TypeVar("Row", bound=Model)


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


def write(obj: Model, fields: Collection[str] | None = None) -> None:
    """Insert `obj`, or update its `fields`, in the caller's transaction. Raises Invalid for a value that is taken."""
    validate(obj)
    try:
        with transaction.atomic():
            obj.save(force_insert=fields is None, update_fields=fields)
    except IntegrityError:
        # Somebody wrote the same a moment ago; now that their row is there, validation says which value it is.
        validate(obj)
        raise


def lock(rows: QuerySet[Row], obj: Row) -> Row:
    """The row of `obj` as it is now, held until the transaction ends. Raises NotFound when it is gone."""
    found = rows.select_for_update(of=("self",)).filter(pk=obj.pk).first()
    if found is None:
        raise NotFound(f"{obj} is gone: somebody deleted it a moment ago.")
    return found


def plain(value: Any) -> Any:
    return str(value) if isinstance(value, Model) else value
