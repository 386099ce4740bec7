"""Whether objects may go to a target: what its guardrails say of each, as sentences for people. Pure.

Asked when somebody asks to deploy, in the preview, and again when the deployment starts; never only once something
has been sent.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deployments.targets.base import Manifest
from deployments.targets.guardrails import BASELINE, Guardrails, read, written
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.rendering.pod_security import pod_problems

SERVICE_ACCOUNT = ("", "ServiceAccount")
TOKEN_SECRET = "kubernetes.io/service-account-token"  # noqa: S105 - a type of Secret


def judge(items: Sequence[Manifest], raw: Mapping[str, Any], namespace: str) -> list[str]:
    """Why these objects may not go there, together; empty when they may. `raw`: the target's guardrails."""
    rails = read(raw)
    accounts = {"default"} | rails.service_accounts
    accounts |= {objects.name_of(item) for item in items if objects.group_kind(item) == SERVICE_ACCOUNT}
    return [problem for item in items for problem in _problems(item, items, rails, accounts, namespace)]


def accounts_in_use(items: Sequence[Manifest], raw: Mapping[str, Any]) -> set[str]:
    """The service accounts that the release brings or its pods use and nobody has listed: they must be its own.

    Those it only brings, too: once applied they carry our mark, and the next release could use them.
    """
    used = {name for item in items for name in _accounts(objects.pod_spec(item))}
    used |= {objects.name_of(item) for item in items if objects.group_kind(item) == SERVICE_ACCOUNT}
    return used - {"default"} - read(raw).service_accounts


def _problems(
    item: Manifest, items: Sequence[Manifest], rails: Guardrails, accounts: set[str], namespace: str
) -> Iterator[str]:
    group, kind = objects.group_kind(item)
    title = objects.title(item)
    if not rails.allows(group, kind):
        yield _refused_kind(item, items)
        return
    if (group, kind) == ("", "Secret") and item.get("type") == TOKEN_SECRET and not rails.service_account_tokens:
        yield f"{title} would hold a token of a service account. An operator has to allow service_account_tokens."
    if (group, kind) == ("", "Service") and _claims_addresses(item) and not rails.external_ips:
        yield f"{title} claims addresses (spec.externalIPs). An operator has to allow external_ips."
    inner = {name: value for name, value in item.items() if name != "metadata"}
    yield from (f"{title}: {problem}." for problem in _foreign_claims(inner, namespace))
    template = _template(item)
    if template is None:
        return
    spec = template.get("spec") or {}
    for name in _accounts(spec):
        if name not in accounts:
            yield (
                f"{title} runs as the service account “{name[:63]}”, which is not part of the release. "
                "Add it, or ask an operator to list it in the target's guardrails (service_accounts)."
            )
    if rails.pod_security == BASELINE:
        annotations = objects.metadata(template).get("annotations")
        found = pod_problems(spec, annotations, tokens=rails.service_account_tokens)
        yield from (f"{title}: {problem} (Pod Security baseline)." for problem in found)


def _claims_addresses(service: Manifest) -> bool:
    spec = service.get("spec")
    return isinstance(spec, Mapping) and bool(spec.get("externalIPs"))


def _refused_kind(item: Manifest, items: Sequence[Manifest]) -> str:
    group, kind = objects.group_kind(item)
    why = ""
    if objects.is_cluster_scoped(item, items):
        why = "belongs to the whole cluster, not to a namespace, and "
    return (
        f"{objects.title(item)} {why}is of a kind that this target does not take ({written(group, kind)[:80]}). "
        "An operator has to list it in the target's guardrails (kinds)."
    )


def _template(item: Manifest) -> Mapping[str, Any] | None:
    """What surrounds the pod spec: the pod template, or the pod itself."""
    path = objects.POD_SPEC_PATHS.get(objects.group_kind(item))
    if path is None:
        return None
    found: Any = item
    for step in path[:-1]:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _accounts(spec: Any) -> list[str]:
    if not isinstance(spec, Mapping):
        return []
    # The second name is older and still honoured.
    named = (spec.get("serviceAccountName"), spec.get("serviceAccount"))
    return list(dict.fromkeys(str(name) for name in named if name))


def _foreign_claims(value: Any, namespace: str) -> Iterator[str]:
    """Anything below that would come from another namespace: templates of claims, and what a claim is copied from."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            named = inner.get("namespace") if isinstance(inner, Mapping) else None
            if name in ("dataSourceRef", "metadata") and named and named != namespace:
                yield f"{name}.namespace is “{str(named)[:63]}”, but this target is “{namespace}”"
            yield from _foreign_claims(inner, namespace)
    elif isinstance(value, list):
        for inner in value:
            yield from _foreign_claims(inner, namespace)
