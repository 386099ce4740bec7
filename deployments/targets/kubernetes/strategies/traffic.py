"""Splits the traffic between what runs and the canary: an HTTPRoute's weights, or a second Ingress for nginx.

An HTTPRoute may belong to the release or to somebody else. Its rules are one value to the API server, so its owner's
rules are kept in an annotation while ours are in place, and put back from there.
"""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from deployments.targets.base import Manifest, StepResult, Succeeded, Work
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.applying import apply, fence
from deployments.targets.kubernetes.rendering import render
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wire.errors import Modified, Refused
from deployments.targets.strategies import traffic_of

GATEWAY, INGRESS = "gateway.networking.k8s.io/v1", "networking.k8s.io/v1"
# Its own field manager, so that an apply of the route by the release takes the rules back (see `owned`).
TRAFFIC_MANAGER = "releasemgr-traffic"
SPLIT = "releasemgr.dev/traffic"
ROUTE = "releasemgr.dev/route"
NGINX_CANARY = "nginx.ingress.kubernetes.io/canary"
NGINX_WEIGHT = "nginx.ingress.kubernetes.io/canary-weight"
ATTEMPTS = 6

# Service that runs → Service of the canary.
Pairs = Mapping[str, str]
Change = Callable[[Manifest], Mapping[str, Any] | None]


def split(cluster: Cluster, work: Work, pairs: Pairs, percent: int) -> StepResult:
    """Send `percent` of the traffic of each Service to its canary. Fenced and idempotent. Raises ClusterError."""
    traffic = traffic_of(work.strategy)
    if traffic.by == "nginx":
        return _split_ingress(cluster, work, traffic.name, pairs, percent)
    return _split_route(cluster, work, traffic.name, pairs, percent)


def restore(cluster: Cluster, work: Work, parts: Sequence[Manifest]) -> tuple[str, ...]:
    """Put back the rules of every HTTPRoute that sends to one of these canary Services; a log line for each changed."""
    named = {objects.annotation(item, ROUTE) for item in parts if item.get("kind") == "Service"}
    traffic = traffic_of(work.strategy)
    if traffic.by == "gateway":
        named.add(traffic.name)
    return tuple(line for name in sorted(named - {""}) if (line := _restore_route(cluster, work, name)))


def weighted(rules: Sequence[Mapping[str, Any]], pairs: Pairs, percent: int) -> list[dict[str, Any]]:
    """An HTTPRoute's rules with `percent` of each such backend's share given to its canary. Pure.

    Shares of other backends stay as they are: all weights of a rule are raised alike.
    """
    return [{**rule, "backendRefs": _weighted_refs(rule["backendRefs"], pairs, percent)} if _sends(rule, pairs)
            else dict(rule) for rule in rules]  # fmt: skip


def _weighted_refs(refs: Sequence[Mapping[str, Any]], pairs: Pairs, percent: int) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for ref in refs:
        weight = int(ref.get("weight", 1))
        if not _is_backend(ref, pairs):
            made.append({**ref, "weight": weight * 100})
            continue
        made.append({**ref, "weight": weight * (100 - percent)})
        made.append({**ref, "name": pairs[ref["name"]], "weight": weight * percent})
    return made


def _sends(rule: Mapping[str, Any], pairs: Pairs) -> bool:
    return any(_is_backend(ref, pairs) for ref in rule.get("backendRefs") or [])


def _is_backend(ref: Mapping[str, Any], pairs: Pairs) -> bool:
    return ref.get("name") in pairs and ref.get("kind", "Service") == "Service" and not ref.get("namespace")


def _split_route(cluster: Cluster, work: Work, name: str, pairs: Pairs, percent: int) -> StepResult:
    def change(live: Manifest) -> Mapping[str, Any] | None:
        kept = _kept(live, work)
        rules = kept["rules"] if kept else (live.get("spec") or {}).get("rules") or []
        if not any(_sends(rule, pairs) for rule in rules):
            raise Refused(
                f"HTTPRoute {name} sends nothing to {', '.join(sorted(pairs))}: it can't split their traffic."
            )
        note = {"target": work.target_id, "sequence": work.sequence, "canaries": sorted(pairs.values()), "rules": rules}
        return {
            "metadata": {"annotations": {SPLIT: json.dumps(note, sort_keys=True)}},
            "spec": {"rules": weighted(rules, pairs, percent)},
        }

    changed = _changed(cluster, work, name, change)
    told = f"HTTPRoute {name} sends {percent} % to the canary."
    return Succeeded(told, log=(told,) if changed else ())


def _restore_route(cluster: Cluster, work: Work, name: str) -> str:
    def change(live: Manifest) -> Mapping[str, Any] | None:
        kept = _kept(live, work)
        if kept is None:
            return None
        left = {"metadata": {"annotations": {SPLIT: None}}}
        canaries = dict.fromkeys(kept["canaries"], "")
        is_ours = any(_sends(rule, canaries) for rule in (live.get("spec") or {}).get("rules") or [])
        # Somebody, or the release itself, has written other rules since: theirs stay.
        return left | {"spec": {"rules": kept["rules"]}} if is_ours else left

    if cluster.get(GATEWAY, "HTTPRoute", work.namespace, name) is None or not _changed(cluster, work, name, change):
        return ""
    return f"HTTPRoute {name} sends nothing to the canary any more."


def _changed(cluster: Cluster, work: Work, name: str, change: Change) -> bool:
    for attempt in range(ATTEMPTS):
        live = cluster.get(GATEWAY, "HTTPRoute", work.namespace, name)
        if live is None:
            raise Refused(f"There is no HTTPRoute {name} in {work.namespace}, which this target's strategy splits.")
        wanted = change(live)
        if wanted is None or _holds(live, wanted):
            return False
        try:
            cluster.merge_patch(live, work.namespace, wanted, manager=TRAFFIC_MANAGER)
        except Modified:
            # Its controller writes the status whenever something moves.
            if attempt == ATTEMPTS - 1:
                raise
        else:
            return True
    raise AssertionError("unreachable: the last attempt returns or raises")


def _holds(live: Manifest, wanted: Mapping[str, Any]) -> bool:
    annotations = objects.metadata(live).get("annotations") or {}
    asked = wanted["metadata"]["annotations"]
    same_rules = "spec" not in wanted or wanted["spec"]["rules"] == (live.get("spec") or {}).get("rules")
    return same_rules and all(annotations.get(key) == value for key, value in asked.items())


def _kept(live: Manifest, work: Work) -> dict[str, Any] | None:
    """The note that a split left on the route; None without one of this target. Raises Superseded for a newer one."""
    try:
        note = json.loads(objects.annotation(live, SPLIT) or "null")
    except ValueError:
        return None
    if not isinstance(note, dict) or note.get("target") != work.target_id:
        return None
    if int(note.get("sequence") or 0) > work.sequence:
        raise fence.Superseded(f"A newer deployment splits the traffic of {objects.title(live)}; this one leaves it.")
    return note


def _split_ingress(cluster: Cluster, work: Work, name: str, pairs: Pairs, percent: int) -> StepResult:
    live = cluster.get(INGRESS, "Ingress", work.namespace, name)
    if live is None:
        raise Refused(f"There is no Ingress {name} in {work.namespace}, which this target's strategy splits.")
    made = render.stamp(replace(work, objects=(canary_ingress(live, pairs, percent),)))
    result = apply.apply_objects(cluster, replace(work, objects=made))
    if not isinstance(result, Succeeded):
        return result
    return Succeeded(f"Ingress {name}-canary gets {percent} % of the traffic of Ingress {name}.", log=result.log)


def canary_ingress(live: Manifest, pairs: Pairs, percent: int) -> dict[str, Any]:
    """The second Ingress that nginx splits by: the paths of `live` to these Services. Pure. Raises Refused."""
    spec = live.get("spec") or {}
    rules = [made for rule in spec.get("rules") or [] if (made := _canary_rule(rule, pairs)) is not None]
    if not rules:
        raise Refused(
            f"{objects.title(live)} sends nothing to {', '.join(sorted(pairs))}: it can't split their traffic."
        )
    kept = {"ingressClassName": spec["ingressClassName"]} if spec.get("ingressClassName") else {}
    annotations = {NGINX_CANARY: "true", NGINX_WEIGHT: str(percent)}
    legacy_class = objects.annotation(live, "kubernetes.io/ingress.class")
    if legacy_class:
        annotations["kubernetes.io/ingress.class"] = legacy_class
    return {
        "apiVersion": INGRESS,
        "kind": "Ingress",
        "metadata": {
            "name": f"{objects.name_of(live)}-canary",
            "labels": {objects.TRACK: "canary"},
            "annotations": annotations,
        },
        "spec": {**kept, "rules": rules},
    }


def _canary_rule(rule: Mapping[str, Any], pairs: Pairs) -> dict[str, Any] | None:
    paths = [
        path for path in (rule.get("http") or {}).get("paths") or []
        if ((path.get("backend") or {}).get("service") or {}).get("name") in pairs
    ]  # fmt: skip
    if not paths:
        return None
    made = copy.deepcopy(paths)
    for path in made:
        path["backend"]["service"]["name"] = pairs[path["backend"]["service"]["name"]]
    return {**({"host": rule["host"]} if rule.get("host") else {}), "http": {"paths": made}}


def _pointless(live: Manifest, pairs: Pairs) -> Refused:
    names = ", ".join(sorted(pairs)) or "any Service of the release"
    return Refused(f"{objects.title(live)} sends nothing to {names}, so it can't split that traffic.")
