"""What operators do with health checks."""

import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.db import transaction

from audit.services import record
from deployments.health import addresses
from deployments.health.base import Answer, Problems, Reading, Subject, Waiting, unclear
from deployments.health.registry import get_health_check
from deployments.models import Check, Deployment, Environment, Target
from deployments.selectors import running_now
from deployments.services.access import require_set_up
from deployments.services.asking import ask_all, question_of, reach, subject_of
from deployments.services.clusters import connection_to
from deployments.services.planning import work_of
from deployments.statuses import CheckKind
from releasemgr.core.actors import Actor
from releasemgr.core.changes import assign, lock, write
from releasemgr.core.errors import Invalid
from releases.models import Application

# What a check of each kind is made of; the other two stay empty.
SUBSTANCE = {CheckKind.HTTP: "url", CheckKind.PROMETHEUS: "query", CheckKind.JOB: "manifest"}
# How long somebody who waits for a page waits for a name server, and for a Job.
RESOLVE_SECONDS = 3.0
TRY_SECONDS = 20.0


@transaction.atomic
def create_check(
    *, actor: Actor, application: Application, environment: Environment, name: str = "", **fields: Any
) -> Check:
    """`fields`: those of the model. Without a name it gets one from its kind. Raises Invalid."""
    require_set_up(actor)
    # Two that are made at once must not choose the same name.
    list(Application.objects.select_for_update(no_key=True).filter(pk=application.pk).values_list("pk"))
    check = Check(application=application, environment=environment, name=name.strip(), **fields)
    check.name = check.name or _free_name(check)
    _judge(check)
    write(check)
    record("check.created", actor=actor, subject=check, data=_facts(check))
    return check


@transaction.atomic
def update_check(*, actor: Actor, check: Check, changes: Mapping[str, Any]) -> Check:
    """Application and environment name the check's place, so they stay."""
    require_set_up(actor)
    check = lock(Check.objects.select_related("application", "environment"), check)
    differences = assign(check, changes)
    check.name = check.name or _free_name(check)
    _judge(check)
    write(check, [*changes, "name"])
    if differences:
        record("check.updated", actor=actor, subject=check, changes=_short(differences), data=_facts(check))
    return check


@transaction.atomic
def delete_check(*, actor: Actor, check: Check) -> None:
    """What it measured stays with the deployments."""
    require_set_up(actor)
    record("check.deleted", actor=actor, subject=check, data=_facts(check))
    check.delete()


def vet_url(url: str) -> None:
    """Where the name leads now: not in a transaction. Raises Invalid for an address that checks may not ask.

    A name that does not resolve yet may do so later; it is judged again each time the check is asked.
    """
    found: list[str] = []

    def look() -> None:
        try:
            addresses.resolve(addresses.parse(url), addresses.read_allow_list(reach().allowed_hosts))
        except addresses.Refused as refusal:
            found.append(str(refusal))
        except addresses.Unresolved:
            return

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(RESOLVE_SECONDS)
    if found:
        raise _invalid({"url": found})


def try_check(*, actor: Actor, check: Check) -> Reading:
    """Ask it once now, about what runs there: not in a transaction. Nothing is written."""
    require_set_up(actor)
    target = _target_of(check)
    running = running_now([target]).get(target.pk) if target else None
    subject = _subject(check, running)
    within = reach(target.guardrails if target else None)
    if running is None and check.kind != CheckKind.HTTP:
        return unclear("Nothing runs there yet, so there is nothing to ask about.")
    # A number of its own, so that the cluster does not answer with the Job of an earlier try.
    run = secrets.randbelow(10**8)
    until = time.monotonic() + TRY_SECONDS
    answer: Answer = ask_all([(check, run)], subject, within)[0]
    while isinstance(answer, Waiting) and time.monotonic() < until:
        time.sleep(min(answer.retry_after_seconds, 1.0))
        answer = ask_all([(check, run)], subject, within)[0]
    return unclear(f"{answer.sentence} It goes on by itself.") if isinstance(answer, Waiting) else _ruled(check, answer)


def _ruled(check: Check, reading: Reading) -> Reading:
    """By the check's own rule for missing data."""
    verdicts: Mapping[str, Any] = {"fail": "fail", "pass": "pass"}
    return replace(reading, verdict=verdicts.get(check.on_no_data, reading.verdict)) if reading.no_data else reading


def _target_of(check: Check) -> Target | None:
    rows = Target.objects.filter(application=check.application_id, environment=check.environment_id)
    return rows.select_related("cluster", "application", "environment").order_by("wave", "created_at").first()


def _subject(check: Check, running: Deployment | None) -> Subject:
    if running is None:
        return Subject(
            application=check.application.slug, version="", environment=check.environment.name, namespace="",
            deployment_id="", sequence=0, target_id="", window_seconds=0, phase="try",
        )  # fmt: skip
    deployment = Deployment.objects.select_related(
        "target__cluster", "target__application", "target__environment", "release"
    ).get(pk=running.pk)
    return subject_of(work_of(deployment, connection_to(deployment.target.cluster)), phase="try")


def _judge(check: Check) -> None:
    """Raises Invalid with every problem, by field."""
    problems = _shape_problems(check)
    if not problems:
        try:
            question = question_of(check)
        except Invalid as refusal:
            told = refusal.details.get("manifests") or [refusal.message]
            raise _invalid({"manifest": [str(each) for each in told]}) from None
        targets = Target.objects.filter(application=check.application_id, environment=check.environment_id)
        adapter = get_health_check(check.kind)
        for guardrails in [each.guardrails for each in targets] or [{}]:
            problems = problems or adapter.problems(question, reach(guardrails))
    if problems:
        raise _invalid(problems)


def _shape_problems(check: Check) -> Problems:
    if check.kind not in SUBSTANCE:
        return {"kind": [f"Choose one of {', '.join(SUBSTANCE)}."]}
    if not isinstance(check.expect, dict):
        return {"expect": ["It must be an object."]}
    foreign = [name for kind, name in SUBSTANCE.items() if kind != check.kind and getattr(check, name).strip()]
    return {name: [f"A check of kind {check.kind} has no {name}. Leave it out."] for name in foreign}


def _invalid(problems: Problems) -> Invalid:
    return Invalid(next(iter(problems.values()))[0], details=problems)


def _free_name(check: Check) -> str:
    taken = set(
        Check.objects.filter(application=check.application_id, environment=check.environment_id)
        .exclude(pk=check.pk)
        .values_list("name", flat=True)
    )
    names = (check.kind if number == 1 else f"{check.kind} {number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def _facts(check: Check) -> dict[str, Any]:
    return {"name": check.name, "kind": check.kind, "environment": check.environment.name}


def _short(differences: dict[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    """A manifest is long; that it changed is what counts."""
    return {name: (("(before)", "(changed)") if name == "manifest" else pair) for name, pair in differences.items()}
