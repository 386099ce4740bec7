"""How a release replaces the one before it: what a target's `strategy` may say, and how it is read. Pure.

{"type": "rolling"}  or {}          pod by pod, as the workload's own update strategy says
{"type": "recreate"}                all old pods go before the first new one starts
{"type": "blue_green", "promote": "auto" | "manual", "preview": true}
{"type": "canary",
 "steps": [{"weight": 10, "pause_seconds": 30}, {"weight": 50, "pause": "manual"}],
 "traffic": {"by": "replicas"} | {"by": "gateway", "route": "<HTTPRoute>"} | {"by": "nginx", "ingress": "<Ingress>"}}
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

ROLLING, RECREATE, BLUE_GREEN, CANARY = "rolling", "recreate", "blue_green", "canary"
KEYS: Mapping[str, frozenset[str]] = {
    ROLLING: frozenset({"type"}),
    RECREATE: frozenset({"type"}),
    BLUE_GREEN: frozenset({"type", "promote", "preview"}),
    CANARY: frozenset({"type", "steps", "traffic"}),
}
# What each way of splitting the traffic needs the name of, and what that is.
TRAFFIC: Mapping[str, str | None] = {"replicas": None, "gateway": "route", "nginx": "ingress"}
ROUTED_KINDS = {"gateway": "HTTPRoute", "nginx": "Ingress"}
MOST_STEPS = 20
LONGEST_PAUSE_SECONDS = 86_400
# How long a person may take to promote before the deployment gives up.
MANUAL_SECONDS = 86_400
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class CanaryStep:
    """`pause_seconds` is None where a person promotes it."""

    weight: int
    pause_seconds: int | None = 0


@dataclass(frozen=True, slots=True)
class Traffic:
    """`by` is a key of TRAFFIC, `name` that of the HTTPRoute or Ingress (empty by replicas)."""

    by: str = "replicas"
    name: str = ""


def type_of(strategy: Mapping[str, Any]) -> str:
    return str(strategy.get("type") or ROLLING)


def canary_steps(strategy: Mapping[str, Any]) -> tuple[CanaryStep, ...]:
    """The steps of a valid canary strategy, in order."""
    return tuple(
        CanaryStep(int(step["weight"]), None if step.get("pause") == "manual" else int(step.get("pause_seconds", 0)))
        for step in strategy.get("steps") or []
    )


def traffic_of(strategy: Mapping[str, Any]) -> Traffic:
    found = strategy.get("traffic") or {}
    by = str(found.get("by") or "replicas")
    return Traffic(by, str(found.get(TRAFFIC.get(by) or "", "")))


def has_preview(strategy: Mapping[str, Any]) -> bool:
    """Whether the new workload is to be reached before the switch, by Services of its own."""
    return type_of(strategy) == BLUE_GREEN and strategy.get("preview") is True


def waits_for_promotion(strategy: Mapping[str, Any]) -> bool:
    """Whether a person decides when a blue/green deployment switches."""
    return type_of(strategy) == BLUE_GREEN and strategy.get("promote") == "manual"


def planned_seconds(strategy: Mapping[str, Any]) -> int:
    """How long the pauses of a strategy may last in all, with the time that people may take."""
    pauses = sum(
        MANUAL_SECONDS if step.pause_seconds is None else step.pause_seconds for step in canary_steps(strategy)
    )
    return pauses + (MANUAL_SECONDS if waits_for_promotion(strategy) else 0)


def in_words(strategy: Mapping[str, Any]) -> str:
    """A valid strategy as a short sentence without its full stop."""
    kind = type_of(strategy)
    if kind == BLUE_GREEN:
        return "Blue/green, switched " + ("when somebody promotes it" if waits_for_promotion(strategy) else "by itself")
    if kind == CANARY:
        traffic = traffic_of(strategy)
        how = f"{ROUTED_KINDS[traffic.by]} {traffic.name}" if traffic.by in ROUTED_KINDS else "replicas"
        weights = ", ".join(f"{step.weight} %" for step in canary_steps(strategy))
        return f"Canary: {weights}, then all; by {how}"
    return "All at once, with a gap (recreate)" if kind == RECREATE else "Rolling update"


def problems_of(strategy: Any, target_kind: str) -> list[str]:
    """Why a strategy can't be used for targets of this kind, as sentences; empty when it can."""
    if not isinstance(strategy, Mapping):
        return ['A strategy is an object such as {"type": "rolling"}.']
    kind = strategy.get("type", ROLLING)
    if not isinstance(kind, str) or kind not in KEYS:
        return [f"“{str(kind)[:60]}” is no strategy. Known: {', '.join(KEYS)}."]
    unknown = sorted(str(name)[:60] for name in set(strategy) - KEYS[kind])
    if unknown:
        return [f"The strategy {kind} does not know “{unknown[0]}”. Known: {', '.join(sorted(KEYS[kind]))}."]
    if kind != ROLLING and target_kind != "manifests":
        return [f"Targets of kind {target_kind} replace releases pod by pod only; {kind} needs the kind manifests."]
    if kind == BLUE_GREEN and strategy.get("promote", "auto") not in ("auto", "manual"):
        return ["promote must be auto or manual."]
    if kind == BLUE_GREEN and not isinstance(strategy.get("preview", False), bool):
        return ["preview must be true or false."]
    if kind == CANARY:
        return [*_step_problems(strategy.get("steps")), *_traffic_problems(strategy.get("traffic", {"by": "replicas"}))]
    return []


def _step_problems(steps: Any) -> list[str]:
    if not isinstance(steps, list) or not steps:
        return ['A canary needs steps, such as [{"weight": 10, "pause_seconds": 60}].']
    if len(steps) > MOST_STEPS:
        return [f"A canary has at most {MOST_STEPS} steps; this one has {len(steps)}."]
    problems = [problem for number, step in enumerate(steps, start=1) if (problem := _step_problem(step, number))]
    return problems or _order_problems([step["weight"] for step in steps])


def _step_problem(step: Any, number: int) -> str:
    if not isinstance(step, Mapping):
        return f'Step {number} must be an object such as {{"weight": 10}}.'
    unknown = sorted(str(name)[:60] for name in set(step) - {"weight", "pause_seconds", "pause"})
    if unknown:
        return f"Step {number} does not know “{unknown[0]}”. Known: weight, pause_seconds, pause."
    if not _is_number(step.get("weight"), 1, 99):
        return f"Step {number}: the weight must be a whole number from 1 to 99 (what follows the last step is 100)."
    if "pause" in step and step["pause"] != "manual":
        return f"Step {number}: pause can only be manual; for a time use pause_seconds."
    if "pause" in step and "pause_seconds" in step:
        return f"Step {number} names both pause and pause_seconds: keep one."
    if not _is_number(step.get("pause_seconds", 0), 0, LONGEST_PAUSE_SECONDS):
        return f"Step {number}: pause_seconds must be a whole number from 0 to {LONGEST_PAUSE_SECONDS} (a day)."
    return ""


def _order_problems(weights: Sequence[int]) -> list[str]:
    rises = all(before < after for before, after in pairwise(weights))
    return [] if rises else [f"The weights must rise from step to step; they are {', '.join(map(str, weights))}."]


def _traffic_problems(traffic: Any) -> list[str]:
    by = traffic.get("by") if isinstance(traffic, Mapping) else None
    if not isinstance(by, str) or by not in TRAFFIC:
        return ['traffic must say by what it is split: {"by": "replicas"}, gateway or nginx.']
    needed = TRAFFIC[by]
    unknown = sorted(str(name)[:60] for name in set(traffic) - {"by", needed})
    if unknown:
        return [f"traffic by {by} does not know “{unknown[0]}”."]
    if needed and not (isinstance(traffic.get(needed), str) and _NAME.fullmatch(traffic[needed])):
        return [f"traffic by {by} needs {needed}, the name of an {ROUTED_KINDS[by]} in the target's namespace."]
    return []


def _is_number(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
