"""What an operator lets releases hold in one target beyond the defaults. Pure.

Shape, every key optional; an empty object means the defaults, which are the strictest:

    {"kinds": ["rbac.authorization.k8s.io/Role", "Namespace", "example.com/Widget"],
     "pod_security": "baseline" | "privileged",
     "service_accounts": ["migrator"],
     "service_account_tokens": true,
     "external_ips": true,
     "prune": ["PersistentVolumeClaim"]}

`kinds` are taken beside KINDS, written group/Kind, or Kind alone for the core group. `service_accounts` may be used
by pods without being part of the release, `service_account_tokens` lets pods mount tokens of their account,
`external_ips` lets Services claim addresses (which takes traffic from whoever else uses them, CVE-2020-8554), and
`prune` names kinds that hold data or other objects and may be removed with the rest nevertheless.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

GroupKind = tuple[str, str]

# Namespaced kinds that grant nothing to anybody: taken everywhere.
KINDS: Mapping[str, frozenset[str]] = {
    "": frozenset({"ConfigMap", "Secret", "Service", "ServiceAccount", "PersistentVolumeClaim"}),
    "apps": frozenset({"Deployment", "StatefulSet", "DaemonSet"}),
    "batch": frozenset({"Job", "CronJob"}),
    "networking.k8s.io": frozenset({"Ingress", "NetworkPolicy"}),
    "gateway.networking.k8s.io": frozenset({"HTTPRoute"}),
    "autoscaling": frozenset({"HorizontalPodAutoscaler"}),
    "policy": frozenset({"PodDisruptionBudget"}),
}
# Gone with them: what people stored, or every object inside.
KEPT_KINDS: frozenset[GroupKind] = frozenset(
    {
        ("", "PersistentVolumeClaim"),
        ("", "Namespace"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
    }
)
BASELINE, PRIVILEGED = "baseline", "privileged"
SWITCHES = ("service_account_tokens", "external_ips")
MOST_ENTRIES = 100
_GROUP_KIND = re.compile(
    r"(?:(?P<group>[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)/)?(?P<kind>[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)"
)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Guardrails:
    """Read from a target; see the module for what the fields mean."""

    kinds: frozenset[GroupKind] = frozenset()
    pod_security: str = BASELINE
    service_accounts: frozenset[str] = frozenset()
    service_account_tokens: bool = False
    external_ips: bool = False
    prune: frozenset[GroupKind] = frozenset()

    def allows(self, group: str, kind: str) -> bool:
        return kind in KINDS.get(group, ()) or (group, kind) in self.kinds

    def may_prune(self, group: str, kind: str) -> bool:
        return (group, kind) not in KEPT_KINDS or (group, kind) in self.prune


def read(raw: Mapping[str, Any]) -> Guardrails:
    """The guardrails of a target. What `problems` would refuse is left out, so a mistake never opens anything."""
    return Guardrails(
        kinds=_group_kinds(raw.get("kinds")),
        pod_security=PRIVILEGED if raw.get("pod_security") == PRIVILEGED else BASELINE,
        service_accounts=frozenset(_texts(raw.get("service_accounts"))),
        service_account_tokens=raw.get("service_account_tokens") is True,
        external_ips=raw.get("external_ips") is True,
        prune=_group_kinds(raw.get("prune")),
    )


def problems(raw: Any) -> list[str]:
    """Why these can't be a target's guardrails, as sentences; empty when they can."""
    if not isinstance(raw, Mapping):
        return ["Guardrails must be an object."]
    return [sentence for name, value in raw.items() for sentence in _problems(str(name), value)]


def written(group: str, kind: str) -> str:
    """A kind as guardrails write it."""
    return f"{group}/{kind}" if group else kind


def _problems(name: str, value: Any) -> Iterator[str]:
    if name in ("kinds", "prune"):
        yield from _list_problems(name, value, _GROUP_KIND, "group/Kind, or Kind alone for the core group")
    elif name == "service_accounts":
        yield from _list_problems(name, value, _NAME, "the name of a service account")
    elif name == "pod_security":
        if value not in (BASELINE, PRIVILEGED):
            yield f"The guardrail pod_security must be “{BASELINE}” or “{PRIVILEGED}”."
    elif name in SWITCHES:
        if not isinstance(value, bool):
            yield f"The guardrail {name} must be true or false."
    else:
        known = "kinds, pod_security, service_accounts, service_account_tokens, external_ips, prune"
        yield f"Unknown guardrail “{name[:60]}”. Known: {known}."


def _list_problems(name: str, value: Any, pattern: re.Pattern[str], meaning: str) -> Iterator[str]:
    if not isinstance(value, list) or len(value) > MOST_ENTRIES:
        yield f"The guardrail {name} must be a list of at most {MOST_ENTRIES} entries."
        return
    for entry in value:
        if not isinstance(entry, str) or not pattern.fullmatch(entry):
            yield f"The guardrail {name} holds “{str(entry)[:80]}”. Write {meaning}."


def _group_kinds(value: Any) -> frozenset[GroupKind]:
    found = (_GROUP_KIND.fullmatch(text) for text in _texts(value))
    return frozenset((match["group"] or "", match["kind"]) for match in found if match)


def _texts(value: Any) -> list[str]:
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []
