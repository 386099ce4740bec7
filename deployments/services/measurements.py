"""What health checks answered, as rows."""

from collections.abc import Sequence
from uuid import UUID

from deployments.models import Check, Deployment, Measurement
from deployments.targets.base import Measured
from deployments.transitions import announce


def write_measurements(deployment: Deployment, measured: Sequence[Measured]) -> None:
    """Call inside the transaction that counts them. A check that was deleted meanwhile leaves its name."""
    if not measured:
        return
    asked = {UUID(each.check_id) for each in measured if each.check_id}
    # Held until the commit, so that none of them goes away in between.
    there = set(Check.objects.filter(pk__in=asked).select_for_update().order_by("pk").values_list("pk", flat=True))
    Measurement.objects.bulk_create(
        Measurement(
            deployment=deployment,
            check_asked_id=UUID(each.check_id) if each.check_id and UUID(each.check_id) in there else None,
            name=each.name[:100],
            phase=each.phase[:20],
            verdict=each.verdict,
            value=each.value[:200],
            sentence=each.sentence[:2000],
        )
        for each in measured
    )
    announce(deployment)
