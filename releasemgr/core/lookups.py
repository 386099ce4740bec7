"""Finding rows by what people and programs call them."""

from django.db.models import Q

from releasemgr.core.values import as_uuid, is_storable


def by_name(field: str, reference: str, relation: str = "") -> Q:
    """Matches an id, or the natural name in `field`; of the object itself, or of its `relation`."""
    prefix = f"{relation}__" if relation else ""
    identifier = as_uuid(reference)
    if identifier:
        return Q(**{f"{prefix}pk": identifier})
    return Q(**{f"{prefix}{field}": reference}) if is_storable(reference) else Q(pk__in=[])
