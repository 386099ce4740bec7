"""Job checks: a smoke test in the target's namespace. Complete is good, Failed is not.

`expect`: {"max_seconds": 300}, after which the cluster ends the Job as failed. The Job is judged by the target's
guardrails like everything that a release brings. It is named after check, deployment and run, so a second worker finds
what the first one began; the cluster removes it some time after it has finished.
"""

import copy
import re
from collections.abc import Mapping
from typing import Any

from deployments.health import expectations
from deployments.health.base import (
    Answer,
    Problems,
    Question,
    Reach,
    Reading,
    Subject,
    Waiting,
    failed,
    passed,
    unclear,
)
from deployments.health.expectations import JOB_SECONDS
from deployments.targets.base import Connection, InvalidContent, Work
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.rendering import render
from deployments.targets.kubernetes.wire import logs
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wire.errors import ClusterError
from deployments.targets.kubernetes.wire.kubeconfig import InvalidKubeconfig
from deployments.targets.kubernetes.wording import clean

KEYS = ("max_seconds",)
LONGEST_SECONDS = 3600
# Long enough to look at, and for a worker that was away to find it.
KEPT_SECONDS = 900
LOOK_AGAIN_SECONDS = 2.0
LOG_LINES = 30
CHECK = "releasemgr.dev/check"
NOWHERE = Connection(key="", kubeconfig={})


class JobCheck:
    def problems(self, question: Question, reach: Reach) -> Problems:
        found = [] if question.manifest else ["A Job check needs a manifest."]
        if question.manifest:
            found = _manifest_problems(question, reach)
        return expectations.merged({"manifest": found}, {"expect": _expect_problems(question.expect)})

    def ask(self, question: Question, subject: Subject, reach: Reach) -> Answer:
        if subject.connection is None:
            return unclear("A Job runs where the application runs, and there is no deployment to ask about.")
        try:
            item = job_for(question, subject, reach)
            return _ask_cluster(Cluster(subject.connection), item, subject.namespace)
        except InvalidContent as error:
            return unclear(f"The Job may not run there: {error.problems[0]}")
        except (InvalidKubeconfig, ClusterError) as error:
            return unclear(str(error))


def job_for(question: Question, subject: Subject, reach: Reach) -> dict[str, Any]:
    """The Job as it is applied. Pure. Raises InvalidContent."""
    if (objects.group_of(question.manifest), question.manifest.get("kind")) != ("batch", "Job"):
        raise InvalidContent(["The manifest must be one Job (apiVersion batch/v1)."])
    work = Work(
        deployment_id=subject.deployment_id,
        sequence=subject.sequence,
        application=subject.application,
        version=subject.version,
        environment=subject.environment,
        namespace=subject.namespace,
        connection=subject.connection or NOWHERE,
        target_id=subject.target_id,
        manifests=(_named(question, subject),),
        guardrails=reach.guardrails,
    )
    (item,) = render.render(work)
    return dict(item)


def _named(question: Question, subject: Subject) -> dict[str, Any]:
    item = copy.deepcopy(dict(question.manifest))
    metadata, spec = item.get("metadata") or {}, item.get("spec") or {}
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        raise InvalidContent(["The Job needs metadata and a spec."])
    metadata.pop("generateName", None)
    metadata["name"] = job_name(question, subject)
    labels = metadata.get("labels")
    metadata["labels"] = {**(labels if isinstance(labels, dict) else {}), CHECK: question.check_id[:63]}
    spec["activeDeadlineSeconds"] = question.expect.get("max_seconds", spec.get("activeDeadlineSeconds", JOB_SECONDS))
    spec["ttlSecondsAfterFinished"] = KEPT_SECONDS
    return item | {"metadata": metadata, "spec": spec}


def job_name(question: Question, subject: Subject) -> str:
    """At most 63 characters: the pods carry it as a label."""
    phase = re.sub(r"[^a-z0-9]+", "-", subject.phase.lower()).strip("-")[:12] or "check"
    return f"check-{question.check_id[:8]}-{subject.deployment_id[:8]}-{phase}-{subject.run}"


def _ask_cluster(cluster: Cluster, item: Mapping[str, Any], namespace: str) -> Answer:
    name = objects.name_of(item)
    live = cluster.get("batch/v1", "Job", namespace, name)
    if live is None:
        cluster.apply(item)
        return Waiting(f"Job {name} has been started.", LOOK_AGAIN_SECONDS)
    if objects.condition(live, "Complete").get("status") == "True":
        return passed("complete", f"Job {name} completed.")
    trouble = objects.condition(live, "Failed")
    if trouble.get("status") == "True":
        return _failure(cluster, namespace, name, trouble)
    return Waiting(f"Job {name} is running.", LOOK_AGAIN_SECONDS)


def _failure(cluster: Cluster, namespace: str, name: str, trouble: Mapping[str, Any]) -> Reading:
    reason = clean(trouble.get("reason"), limit=60) or "Failed"
    words = clean(trouble.get("message"), limit=200)
    return failed(reason, f"Job {name} failed: {words or reason}", log=_log_tail(cluster, namespace, name))


def _log_tail(cluster: Cluster, namespace: str, name: str) -> tuple[str, ...]:
    """Of the Job's newest pod. It only adds detail, so what can't be read is left out."""
    try:
        pods = cluster.list("v1", "Pod", namespace, labels=f"batch.kubernetes.io/job-name={name}")
        newest = max(pods, key=lambda pod: str(objects.metadata(pod).get("creationTimestamp", "")), default=None)
        containers = ((newest or {}).get("spec") or {}).get("containers") or []
        if newest is None or not containers:
            return ()
        container = str(containers[0].get("name", ""))
        return logs.tail(cluster, namespace, objects.name_of(newest), container, previous=False)[-LOG_LINES:]
    except ClusterError:
        return ()


def _manifest_problems(question: Question, reach: Reach) -> list[str]:
    nobody = Subject(
        application="", version="", environment="", namespace="default", deployment_id="", sequence=0, target_id="",
        window_seconds=0,
    )  # fmt: skip
    named = (question.manifest.get("metadata") or {}) if isinstance(question.manifest.get("metadata"), dict) else {}
    if named.get("namespace"):
        return ["Leave metadata.namespace out: the Job runs in the target's namespace."]
    try:
        job_for(question, nobody, reach)
    except InvalidContent as error:
        return list(error.problems)
    return []


def _expect_problems(expect: Mapping[str, Any]) -> list[str]:
    problems = expectations.unknown_keys(expect, KEYS)
    wanted = expect.get("max_seconds", JOB_SECONDS)
    if not (isinstance(wanted, int) and not isinstance(wanted, bool) and 0 < wanted <= LONGEST_SECONDS):
        problems.append(f"expect: “max_seconds” must be a number of seconds from 1 to {LONGEST_SECONDS}.")
    return problems
