"""`expect`, the part of a check that says what is good: its keys, and how a number is judged. Pure."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deployments.health.base import Problems

# A bound, and the words that follow the value.
BOUNDS = ("above", "below", "between")
# How long a Job may run, if its check does not say.
JOB_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Judged:
    """`words` completes a sentence that begins with the value: `0.2 is not below 0.05`."""

    good: bool
    words: str


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def unknown_keys(expect: Mapping[str, Any], known: Iterable[str], *, where: str = "expect") -> list[str]:
    allowed = sorted(known)
    unknown = sorted(str(key)[:60] for key in expect if key not in allowed)
    listed = ", ".join(allowed)
    return [f"{where} has an unknown key “{key}”. Known: {listed}." for key in unknown]


def bound_problems(bounds: Mapping[str, Any], *, where: str = "expect") -> list[str]:
    """What is wrong with `above`, `below` and `between` where they are given."""
    problems = [
        f"{where}: “{name}” must be a number."
        for name in ("above", "below")
        if name in bounds and not is_number(bounds[name])
    ]
    if "between" in bounds:
        pair = bounds["between"]
        if not (isinstance(pair, list) and len(pair) == 2 and all(map(is_number, pair)) and pair[0] <= pair[1]):
            problems.append(f"{where}: “between” must be two numbers, the lower one first: [0, 0.05].")
    return problems


def has_bounds(bounds: Mapping[str, Any]) -> bool:
    return any(name in bounds for name in BOUNDS)


def judge(value: float, bounds: Mapping[str, Any]) -> Judged:
    """`above` and `below` exclude the bound, `between` includes both. Infinity is a number like any other here."""
    rules: list[tuple[bool, str]] = []
    if "above" in bounds:
        rules.append((value > bounds["above"], f"above {shown(bounds['above'])}"))
    if "below" in bounds:
        rules.append((value < bounds["below"], f"below {shown(bounds['below'])}"))
    if "between" in bounds:
        low, high = bounds["between"]
        rules.append((low <= value <= high, f"between {shown(low)} and {shown(high)}"))
    broken = [words for good, words in rules if not good]
    if broken:
        return Judged(good=False, words=f"{shown(value)} is not {broken[0]}")
    return Judged(good=True, words=f"{shown(value)} is {' and '.join(words for _, words in rules)}")


def shown(value: float) -> str:
    """Six significant digits are enough for people."""
    return f"{value:.6g}"


def merged(*found: Problems) -> Problems:
    together: Problems = {}
    for each in found:
        for name, sentences in each.items():
            together.setdefault(name, []).extend(sentences)
    return {name: sentences for name, sentences in together.items() if sentences}
