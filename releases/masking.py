"""Kubernetes objects and Helm values as people may see them: what is secret stays hidden. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from releasemgr.core.errors import Invalid
from releases.manifests import parse_manifests

HIDDEN = "•••"
# Of a Secret nothing else is shown: a field in odd casing would be refused by a cluster, and is secret all the same.
PLAIN_FIELDS = frozenset({"apiVersion", "immutable", "kind", "metadata", "type"})
# kubectl keeps the whole object there, data included.
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
TELLING_NAME = re.compile(r"pass|token|secret|credential|private|api_?key|access_?key|key$|auth|dsn|connection", re.I)
PASSWORD_IN_URL = re.compile(r"(://[^/@\s:]*:)[^/@\s]+@")


def masked(manifests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Copies with every value of a Secret replaced, and of environment variables with a telling name.

    Keys and names stay, so that a missing one can be seen.
    """
    return [_without_telling_variables(_masked(item)) for item in manifests]


def _without_telling_variables(value: Any) -> Any:
    if isinstance(value, Mapping):
        shown = {name: _without_telling_variables(each) for name, each in value.items()}
        is_telling = isinstance(shown.get("value"), str) and TELLING_NAME.search(str(shown.get("name", "")))
        return shown | {"value": HIDDEN} if is_telling and shown["value"] else shown
    return [_without_telling_variables(each) for each in value] if isinstance(value, list) else value


def _masked(item: Mapping[str, Any]) -> dict[str, Any]:
    shown = dict(item)
    if isinstance(item.get("items"), list):
        shown["items"] = [_masked(each) if isinstance(each, Mapping) else HIDDEN for each in item["items"]]
    if str(item.get("kind", "")).strip().lower() == "secret":
        for name in shown.keys() - PLAIN_FIELDS:
            if shown[name]:
                shown[name] = dict.fromkeys(shown[name], HIDDEN) if isinstance(shown[name], Mapping) else HIDDEN
    found = annotations(shown)
    return annotated(shown, found | {LAST_APPLIED: HIDDEN}) if LAST_APPLIED in found else shown


def annotations(item: Mapping[str, Any]) -> dict[str, Any]:
    metadata = item.get("metadata")
    found = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}


def annotated(item: Mapping[str, Any], annotations: Mapping[str, Any]) -> dict[str, Any]:
    """`item` has annotations already: only they are replaced, or left out when there are none left."""
    metadata = {**item["metadata"], "annotations": dict(annotations)}
    if not annotations:
        del metadata["annotations"]
    return {**item, "metadata": metadata}


def without_secrets(text: str) -> str:
    """Manifests as YAML text, with what their Secrets hold hidden; text without a Secret comes back as it is."""
    try:
        objects = parse_manifests(text)
    except Invalid:
        # Stored when the rules were others: nobody knows what is in it.
        return HIDDEN
    shown = masked(objects)
    return text if shown == objects else str(yaml.safe_dump_all(shown, sort_keys=False, allow_unicode=True, width=120))


def artifacts_without_secrets(artifacts: Mapping[str, Any]) -> dict[str, Any]:
    """For what is kept for ever, such as the audit log."""
    shown = dict(artifacts)
    if artifacts.get("manifests"):
        shown["manifests"] = without_secrets(artifacts["manifests"])
    if artifacts.get("values"):
        shown["values"] = masked_values(artifacts["values"])
    if artifacts.get("chart"):
        shown["chart"] = chart_in_short(artifacts["chart"])
    return shown


def chart_in_short(chart: Mapping[str, Any]) -> dict[str, Any]:
    """Without a packaged chart's content, which its digest stands for; it may hold anything."""
    return {name: value for name, value in chart.items() if name != "archive"}


def masked_values(values: Any) -> Any:
    """Helm values, or a target's overrides, with everything hidden that stands under a telling name."""
    if isinstance(values, Mapping):
        shown = {
            str(name): _hidden(value) if TELLING_NAME.search(str(name)) else masked_values(value)
            for name, value in values.items()
        }
        if TELLING_NAME.search(str(values.get("name") or "")) and "value" in shown:
            # As in a container's env: the name tells about its neighbour.
            shown["value"] = _hidden(values["value"])
        return shown
    if isinstance(values, list):
        return [masked_values(each) for each in values]
    return PASSWORD_IN_URL.sub(rf"\1{HIDDEN}@", values) if isinstance(values, str) else values


def _hidden(value: Any) -> Any:
    """The shape stays, so that a missing value can be seen."""
    if isinstance(value, Mapping):
        return {str(name): _hidden(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_hidden(each) for each in value]
    return value if value is None or isinstance(value, bool) or value == "" else HIDDEN
