"""What operators do with environments."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from audit.services import record
from deployments.models import Environment
from deployments.services.access import require_set_up
from releasemgr.core import live
from releasemgr.core.actors import Actor
from releasemgr.core.changes import assign, lock, write
from releasemgr.core.errors import Invalid, WrongState


@transaction.atomic
def create_environment(*, actor: Actor, **fields: Any) -> Environment:
    """`fields`: those of the model."""
    require_set_up(actor)
    environment = Environment(**fields)
    write(environment)
    record("environment.created", actor=actor, subject=environment)
    live.changed("board")
    return environment


@transaction.atomic
def update_environment(*, actor: Actor, environment: Environment, changes: Mapping[str, Any]) -> Environment:
    require_set_up(actor)
    environment = lock(Environment.objects.select_related("requires"), environment)
    differences = assign(environment, changes)
    _refuse_circle(environment)
    write(environment, list(changes))
    if differences:
        record("environment.updated", actor=actor, subject=environment, changes=differences)
        live.changed("board")
    return environment


def _refuse_circle(environment: Environment) -> None:
    above, seen = environment.requires, {environment.pk}
    while above is not None:
        if above.pk in seen:
            raise Invalid(
                f"{environment} would require itself, through {above}.", details={"requires": ["This makes a circle."]}
            )
        seen.add(above.pk)
        above = above.requires


@transaction.atomic
def delete_environment(*, actor: Actor, environment: Environment) -> None:
    require_set_up(actor)
    if environment.targets.exists() or environment.required_by.exists() or environment.deployments.exists():
        raise WrongState(
            f"{environment} has targets, history, or another environment requires it: it stays.",
            details={"status": "in_use"},
        )
    record("environment.deleted", actor=actor, subject=environment)
    environment.delete()
    live.changed("board")
