"""What operators do with applications."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from accounts.models import Team
from accounts.policies import TEAM_PERMISSIONS, grant, withdraw
from audit.services import record
from releasemgr.core.actors import Actor
from releasemgr.core.changes import assign, lock, write
from releasemgr.core.errors import WrongState
from releases.models import Application
from releases.services.access import require_set_up


@transaction.atomic
def create_application(
    *, actor: Actor, slug: str, name: str, team: Team, repository: str = "", description: str = ""
) -> Application:
    require_set_up(actor)
    application = Application(slug=slug, name=name, team=team, repository=repository, description=description)
    write(application)
    grant(team, TEAM_PERMISSIONS, application)
    record("application.created", actor=actor, subject=application, data={"team": team.slug})
    return application


@transaction.atomic
def update_application(*, actor: Actor, application: Application, changes: Mapping[str, Any]) -> Application:
    """`changes` may hold name, team, repository, description. A new team gets the rights, the old one loses them."""
    require_set_up(actor)
    # Two who move it at once would otherwise each take the rights from the first team only.
    application = lock(Application.objects.select_related("team"), application)
    old_team = application.team
    differences = assign(application, changes)
    write(application, list(changes))
    if application.team != old_team:
        withdraw(old_team, TEAM_PERMISSIONS, application)
        grant(application.team, TEAM_PERMISSIONS, application)
    if differences:
        record("application.updated", actor=actor, subject=application, changes=differences)
    return application


@transaction.atomic
def delete_application(*, actor: Actor, application: Application) -> None:
    """Only one that was never released: history is kept."""
    require_set_up(actor)
    if application.releases.exists():
        raise WrongState(f"{application} has releases, so it stays on record.", details={"status": "in_use"})
    record("application.deleted", actor=actor, subject=application)
    withdraw(application.team, TEAM_PERMISSIONS, application)
    application.delete()
