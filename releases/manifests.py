"""Kubernetes manifests as text from people: parsed with limits, and judged before anything is stored.

The limits stand before the parser: aliases are refused (a bomb of a few hundred bytes unfolds to hundreds of
megabytes), and so are deep nesting, long documents and duplicate keys.
"""

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any

import yaml

from releasemgr.core.errors import Invalid
from releasemgr.core.values import is_plain, is_unicode

Manifest = dict[str, Any]

MAX_BYTES = 512 * 1024
MAX_OBJECTS = 200
MAX_DEPTH = 40
# Which kinds may go out is the target's business (its guardrails); here they only have to be named as kinds are.
KIND = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
API_VERSION = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?v[0-9][a-z0-9]{0,30}")


class _Loader(yaml.CSafeLoader):
    """The safe loader over libyaml (five times faster than Python's), strict about duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002
        seen: set[str] = set()
        for key, _value in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(None, None, "a key must be plain text", key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(None, None, f"the key “{key.value}” stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


# YAML 1.1 reads unquoted dates as datetime objects, which JSON and Kubernetes do not know: keep them text.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse_manifests(text: str) -> list[Manifest]:
    """The Kubernetes objects in `text`, lists unfolded. Raises Invalid: details["manifests"] holds each problem."""
    documents = _load(text)
    problems: list[str] = []
    objects = list(_unfold(documents, problems))
    for number, obj in enumerate(objects, start=1):
        problems.extend(_judge(obj, number))
    if not problems and not objects:
        problems.append("The manifests are empty. Paste at least one Kubernetes object.")
    if len(objects) > MAX_OBJECTS:
        problems.append(f"{len(objects)} objects in one release; at most {MAX_OBJECTS} are taken.")
    problems.extend(_duplicates(objects) if not problems else [])
    if problems:
        raise _invalid(problems)
    return objects


def parse_values(text: str) -> dict[str, Any]:
    """Helm values from YAML, under the same limits; empty for no text. Raises Invalid: details["values"]."""
    try:
        documents = _load(text)
    except Invalid as exc:
        problems = [str(each).replace("The manifests", "The values", 1) for each in exc.details["manifests"]]
        raise Invalid(problems[0], details={"values": problems}) from None
    found = documents[0] if documents else {}
    if len(documents) > 1 or not isinstance(found, dict):
        sentence = "The values must be one YAML document of names and values."
        raise Invalid(sentence, details={"values": [sentence]})
    return found


def _invalid(problems: list[str]) -> Invalid:
    return Invalid(problems[0], details={"manifests": problems[:20]})


def _load(text: str) -> list[Any]:
    if not is_unicode(text):
        raise _invalid(["The manifests hold a character that is no Unicode. Paste them again as UTF-8."])
    if len(text.encode()) > MAX_BYTES:
        raise _invalid([f"The manifests are larger than {MAX_BYTES // 1024} kB. Split the release."])
    try:
        _refuse_bombs(text)
        return [document for document in yaml.load_all(text, Loader=_Loader) if document is not None]
    except yaml.MarkedYAMLError as exc:
        raise _not_yaml(exc.problem, exc.problem_mark) from None
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        first_line = (str(exc) or type(exc).__name__).splitlines()[0].rstrip(".")
        raise _invalid([f"The manifests are not valid YAML: {first_line}."]) from None
    except (LookupError, AttributeError, TypeError, OverflowError):
        # What PyYAML's own constructors let slip for an explicit tag on the wrong text, such as `!!bool maybe`.
        raise _invalid(["The manifests are not valid YAML: an explicit tag (!!…) does not fit its value."]) from None


def _refuse_bombs(text: str) -> None:
    """Looks at the events only: nothing is built yet, so nothing can unfold."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise _not_yaml("aliases (*name) are not allowed: write the value out", event.start_mark)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _not_yaml(f"nested deeper than {MAX_DEPTH} levels", event.start_mark)


def _not_yaml(problem: str | None, mark: Any) -> Invalid:
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    return _invalid([f"The manifests are not valid YAML: {problem}{where}."])


def _unfold(documents: Iterable[Any], problems: list[str]) -> Iterator[Manifest]:
    for number, document in enumerate(documents, start=1):
        if not isinstance(document, dict):
            problems.append(f"Document {number} is not a Kubernetes object, it is plain {type(document).__name__}.")
        elif str(document.get("kind")).lower().endswith("list") and isinstance(document.get("items"), list):
            yield from _unfold(document["items"], problems)
        else:
            yield document


def _judge(obj: Manifest, number: int) -> Iterator[str]:
    kind, api_version, metadata = obj.get("kind"), obj.get("apiVersion"), obj.get("metadata")
    if not isinstance(kind, str) or not isinstance(api_version, str):
        yield f"Object {number} is not a Kubernetes object: it needs apiVersion and kind."
        return
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        yield f"Object {number} ({kind[:80]}) needs metadata.name."
        return
    label = f"{kind[:80]} {metadata['name'][:80]}"
    if not KIND.fullmatch(kind) or not API_VERSION.fullmatch(api_version):
        yield f"{label} ({api_version[:80]}) is not named as Kubernetes names kinds, such as Deployment in apps/v1."
    elif not is_plain(obj):
        yield f"{label} holds a value that JSON cannot express (only text keys and plain values)."
    elif not isinstance(metadata.get("namespace") or "", str):
        yield f"The namespace of {label} must be text."
    elif (api_version.rpartition("/")[0], kind) in WORKLOADS and not pod_containers(obj):
        yield f"{label} has no containers."


def _duplicates(objects: Iterable[Manifest]) -> Iterator[str]:
    seen: set[tuple[str, str, str]] = set()
    for obj in objects:
        identity = (obj["apiVersion"].rpartition("/")[0], obj["kind"], obj["metadata"]["name"])
        if identity in seen:
            yield f"{obj['kind']} {obj['metadata']['name']} stands twice in the manifests."
        seen.add(identity)


WORKLOADS = {
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("batch", "Job"),
    ("batch", "CronJob"),
}
# Where kinds keep the pod's spec; all others keep it, if at all, in a template.
POD_SPECS: dict[str, tuple[str, ...]] = {"CronJob": ("jobTemplate", "spec", "template", "spec"), "Pod": ()}


def pod_containers(obj: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The containers and init containers of a workload; empty for anything else, whatever its shape."""
    spec: Any = obj.get("spec")
    for key in POD_SPECS.get(str(obj.get("kind")), ("template", "spec")):
        spec = spec.get(key) if isinstance(spec, Mapping) else None
    if not isinstance(spec, Mapping):
        return []
    found = [spec.get("containers"), spec.get("initContainers")]
    return [item for items in found if isinstance(items, list) for item in items if isinstance(item, Mapping)]


def container_names(objects: Iterable[Mapping[str, Any]]) -> set[str]:
    names = (container.get("name") for obj in objects for container in pod_containers(obj))
    return {name for name in names if isinstance(name, str)}
