"""What operators do with approval rules."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from audit.services import record
from releasemgr.core.actors import Actor
from releasemgr.core.changes import assign, lock, write
from releases.models import ApprovalRule
from releases.services.access import require_set_up
from releases.services.review import approve_what_suffices


@transaction.atomic
def create_approval_rule(*, actor: Actor, **fields: Any) -> ApprovalRule:
    require_set_up(actor)
    rule = ApprovalRule(**fields)
    write(rule)
    record("approval_rule.created", actor=actor, subject=rule)
    return rule


@transaction.atomic
def update_approval_rule(*, actor: Actor, rule: ApprovalRule, changes: Mapping[str, Any]) -> ApprovalRule:
    """Releases in review whose approvals suffice by the new rule are approved."""
    require_set_up(actor)
    rule = lock(ApprovalRule.objects.select_related("application", "environment", "team"), rule)
    differences = assign(rule, changes)
    write(rule, list(changes))
    if differences:
        record("approval_rule.updated", actor=actor, subject=rule, changes=differences)
        approve_what_suffices(actor, why="An approval rule was changed.")
    return rule


@transaction.atomic
def delete_approval_rule(*, actor: Actor, rule: ApprovalRule) -> None:
    """Releases in review whose approvals suffice without it are approved."""
    require_set_up(actor)
    record("approval_rule.deleted", actor=actor, subject=rule)
    rule.delete()
    approve_what_suffices(actor, why="An approval rule was removed.")
