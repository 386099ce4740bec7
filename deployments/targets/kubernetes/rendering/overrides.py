"""What a target changes in every release that goes to it: replicas, environment variables, any field by a patch.

Shapes: `replicas` is a number for every scaled workload, or {workload: number}; `env` is {variable: value} for every
container, or {container: {variable: value}}; `patches` are those of the module of that name; `grace_seconds` is how
long a kind of trouble may last before it fails a rollout, a number for all or {kind: number} (see `grace`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.judging import grace

KNOWN = ("replicas", "env", "patches", "grace_seconds")


def apply_overrides(rendered: Sequence[dict[str, Any]], overrides: Mapping[str, Any]) -> list[str]:
    """Changes the rendered objects in place; returns the problems as sentences."""
    unknown = sorted(set(overrides) - set(KNOWN))
    known = ", ".join(KNOWN)
    problems = [f"The target's override “{str(name)[:60]}” is not known. Known: {known}." for name in unknown]
    problems += _set_replicas(rendered, overrides.get("replicas"))
    problems += _set_env(rendered, overrides.get("env"))
    problems += grace.problems(overrides["grace_seconds"]) if "grace_seconds" in overrides else []
    return problems


def _set_replicas(rendered: Sequence[dict[str, Any]], wanted: Any) -> list[str]:
    if wanted is None:
        return []
    scaled = {objects.name_of(item): item for item in rendered if item["kind"] in objects.SCALED_KINDS}
    by_name = wanted if isinstance(wanted, Mapping) else dict.fromkeys(scaled, wanted)
    problems = []
    for name, replicas in by_name.items():
        if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
            problems.append("The target's replicas must be whole numbers, 0 or more.")
        elif name not in scaled:
            problems.append(f"The target sets replicas of “{str(name)[:63]}”, but the release has no such workload.")
        else:
            scaled[name].setdefault("spec", {})["replicas"] = replicas
    return problems


def _set_env(rendered: Sequence[dict[str, Any]], wanted: Any) -> list[str]:
    if wanted is None:
        return []
    if not isinstance(wanted, Mapping):
        return ["The target's env must map variables to values."]
    everywhere = {name: value for name, value in wanted.items() if not isinstance(value, Mapping)}
    by_container = {name: value for name, value in wanted.items() if isinstance(value, Mapping)}
    used = set()
    for item in rendered:
        spec = objects.pod_spec(item) or {}
        for container in objects.containers({"containers": spec.get("containers")}):
            name = container.get("name")
            used.add(name)
            _merge_env(container, {**everywhere, **by_container.get(name, {})})
    unused = [name for name in by_container if name not in used]
    return [
        f"The target sets env of a container “{str(name)[:63]}”, which the release does not have." for name in unused
    ]


def _merge_env(container: dict[str, Any], variables: Mapping[str, Any]) -> None:
    if not variables:
        return
    kept = [entry for entry in container.get("env") or [] if str(entry.get("name")) not in variables]
    container["env"] = kept + [{"name": str(name), "value": _text(value)} for name, value in variables.items()]


def _text(value: Any) -> str:
    # YAML's true and 5 become what a shell would see.
    return str(value).lower() if isinstance(value, bool) else str(value)
