"""What operators do with targets."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from django.db import transaction

from accounts.policies import grant
from audit.services import record
from deployments.models import Environment, Target
from deployments.models.places import TargetKind
from deployments.policies import TEAM_PERMISSIONS_ON_ENVIRONMENT
from deployments.services.access import require_set_up
from deployments.targets import guardrails
from deployments.targets.kubernetes.judging import grace
from deployments.targets.kubernetes.rendering import patches
from deployments.targets.registry import ADAPTERS
from deployments.targets.strategies import problems_of
from releasemgr.core import live
from releasemgr.core.actors import Actor
from releasemgr.core.changes import assign, lock, write
from releasemgr.core.errors import Invalid, WrongState
from releases.masking import masked_values
from releases.models import Application

SECRET_FIELDS = frozenset({"database_url"})
SUPPORTED_KINDS = [(kind.value, kind.label) for kind in TargetKind if kind in ADAPTERS]


@transaction.atomic
def create_target(*, actor: Actor, application: Application, environment: Environment, **fields: Any) -> Target:
    """`fields`: those of the model. The team may then deploy there."""
    require_set_up(actor)
    target = Target(application=application, environment=environment, **fields)
    _check(target)
    write(target)
    grant(application.team, TEAM_PERMISSIONS_ON_ENVIRONMENT, environment)
    record("target.created", actor=actor, subject=target, data={"namespace": target.namespace})
    live.changed("board")
    return target


@transaction.atomic
def update_target(*, actor: Actor, target: Target, changes: Mapping[str, Any]) -> Target:
    """The application's present team may deploy there from now on, also when another had it before (decision 0007)."""
    require_set_up(actor)
    target = lock(Target.objects.select_related("application__team", "environment", "cluster"), target)
    differences = assign(target, changes)
    _check(target)
    write(target, list(changes))
    shown = {name: _for_the_record(name, pair) for name, pair in differences.items()}
    team = target.application.team
    granted = grant(team, TEAM_PERMISSIONS_ON_ENVIRONMENT, target.environment)
    if shown or granted:
        data = {"team": team.slug, "granted": granted} if granted else {}
        record("target.updated", actor=actor, subject=target, changes=shown, data=data)
        live.changed("board")
    return target


def _for_the_record(name: str, pair: tuple[Any, Any]) -> tuple[Any, Any]:
    """Chart values and variables may hold passwords, and the audit log keeps what it is told."""
    if name in SECRET_FIELDS:
        return ("(hidden)", "(changed)")
    return (masked_values(pair[0]), masked_values(pair[1])) if name == "overrides" else pair


@transaction.atomic
def delete_target(*, actor: Actor, target: Target) -> None:
    require_set_up(actor)
    if target.deployments.exists():
        raise WrongState(f"{target} has a history of deployments: it stays on record.", details={"status": "in_use"})
    record("target.deleted", actor=actor, subject=target)
    target.delete()
    live.changed("board")


DNS_NAME = re.compile(r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\Z")
OVERRIDES: Mapping[str, tuple[type, ...]] = {
    "replicas": (int, dict),
    "env": (dict,),
    "values": (dict,),
    "patches": (list,),
    "workloads": (list,),
    "grace_seconds": (int, float, dict),
}
WORDS: Mapping[type, str] = {int: "a whole number", float: "a number", dict: "an object", list: "a list"}
# The kinds of target that take an override; those that are not named here are for every kind.
TAKEN_BY: Mapping[str, tuple[TargetKind, ...]] = {
    "values": (TargetKind.HELM,),
    "workloads": (TargetKind.IMAGES,),
    "patches": (TargetKind.MANIFESTS,),
}


def _check(target: Target) -> None:
    if target.kind not in ADAPTERS:
        raise _invalid(
            "kind", f"Targets of kind {target.kind} are not supported yet. Supported: {', '.join(ADAPTERS)}."
        )
    for problem in problems_of(target.strategy, target.kind):
        raise _invalid("strategy", problem)
    for problem in guardrails.problems(target.guardrails):
        raise _invalid("guardrails", problem)
    for problem in _override_problems(target):
        raise _invalid("overrides", problem)


def _override_problems(target: Target) -> Iterator[str]:
    if not isinstance(target.overrides, dict):
        yield "Overrides must be an object."
        return
    for name, value in target.overrides.items():
        if name not in OVERRIDES:
            yield f"Unknown override “{name}”. Known: {', '.join(OVERRIDES)}."
        elif not isinstance(value, OVERRIDES[name]) or isinstance(value, bool):
            yield f"The override {name} must be {' or '.join(WORDS[each] for each in OVERRIDES[name])}."
        elif value and target.kind not in TAKEN_BY.get(name, (target.kind,)):
            yield f"The override {name} is not supported for targets of kind {target.kind}."
        else:
            yield from JUDGES.get(name, _no_problems)(value)


def _workload_problems(names: Sequence[Any]) -> list[str]:
    if all(isinstance(each, str) and DNS_NAME.match(each) for each in names):
        return []
    return ["The override workloads must be a list of names of workloads."]


def _no_problems(value: Any) -> list[str]:
    return []


def _invalid(field: str, sentence: str) -> Invalid:
    return Invalid(sentence, details={field: [sentence]})


# What is judged more closely than by its type.
JUDGES: Mapping[str, Callable[[Any], list[str]]] = {
    "workloads": _workload_problems,
    "patches": patches.problems,
    "grace_seconds": grace.problems,
}
