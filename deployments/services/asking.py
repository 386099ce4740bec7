"""Checks from rows to questions, put to the outside side by side. Never inside a transaction."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from deployments.health.addresses import read_allow_list
from deployments.health.base import Answer, Question, Reach, Subject, unclear
from deployments.health.registry import get_health_check
from deployments.models import Check, Deployment
from deployments.statuses import CheckKind
from deployments.targets.base import Work
from releasemgr.core.errors import Invalid
from releases.manifests import parse_manifests

SIDE_BY_SIDE = 8


def checks_of(deployment: Deployment) -> list[Check]:
    return list(Check.objects.filter(application=deployment.application_id, environment=deployment.environment_id))


def question_of(check: Check) -> Question:
    """Raises Invalid when the manifest is not YAML."""
    manifests: list[dict[str, Any]] = []
    if check.kind == CheckKind.JOB and check.manifest.strip():
        manifests = parse_manifests(check.manifest)
        if len(manifests) > 1:
            raise Invalid("A Job check takes one object.", details={"manifests": ["Leave one Job, and nothing else."]})
    return Question(
        check_id=str(check.pk),
        name=check.name,
        kind=check.kind,
        url=check.url,
        query=check.query,
        manifest=manifests[0] if manifests else {},
        expect=check.expect,
    )


def subject_of(work: Work, *, phase: str) -> Subject:
    """Whose health is asked about; `window_seconds` and `run` are each check's own."""
    return Subject(
        application=work.application,
        version=work.version,
        environment=work.environment,
        namespace=work.namespace,
        deployment_id=work.deployment_id,
        sequence=work.sequence,
        target_id=work.target_id,
        window_seconds=0,
        connection=work.connection,
        phase=phase,
    )


def reach(guardrails: Mapping[str, Any] | None = None) -> Reach:
    """How far checks may go here. Raises ImproperlyConfigured for a list that says nothing."""
    allowed = tuple(settings.CHECK_ALLOWED_HOSTS)
    try:
        read_allow_list(allowed)
    except ValueError as error:
        raise ImproperlyConfigured(f"CHECK_ALLOWED_HOSTS: {error} An operator must correct it.") from None
    return Reach(
        allowed_hosts=allowed,
        prometheus_url=settings.PROMETHEUS_URL,
        guardrails=guardrails or {},
    )


def ask_all(asked: Sequence[tuple[Check, int]], subject: Subject, within: Reach) -> list[Answer]:
    """The answers in the order of the checks, each with the number of its run. Each adapter bounds its own time."""
    calls = [partial(_ask, check, run, subject, within) for check, run in asked]
    if len(calls) < 2:
        return [call() for call in calls]
    with ThreadPoolExecutor(min(len(calls), SIDE_BY_SIDE), thread_name_prefix="check") as pool:
        return list(pool.map(lambda call: call(), calls))


def _ask(check: Check, run: int, subject: Subject, within: Reach) -> Answer:
    about = replace(subject, run=run, window_seconds=max(check.window_seconds, check.interval_seconds))
    try:
        return get_health_check(check.kind).ask(question_of(check), about, within)
    except Invalid as refusal:
        return unclear(refusal.message)
