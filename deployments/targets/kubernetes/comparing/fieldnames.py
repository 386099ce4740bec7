"""Paths of fields in people's words: `image of container app` rather than `.spec.template.spec.containers[0].image`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deployments.targets.kubernetes.wording import clean

WORDS_LENGTH = 200
CONTAINERS = {"containers": "container", "initContainers": "init container"}
POD_TEMPLATES = (("spec", "template"), ("spec", "jobTemplate", "spec", "template"))
MAPS = {"annotations": "annotation", "labels": "label"}


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a list: `label` is what it is known by, `index` its place in the second object, None if not there."""

    label: str
    value: Mapping[str, Any] = field(compare=False, repr=False)
    index: int | None

    def __str__(self) -> str:
        return self.label


Step = str | Item


def words(item: Mapping[str, Any], steps: Sequence[Step]) -> str:
    """How a person would name the field of `item`."""
    for template in POD_TEMPLATES:
        if tuple(map(str, steps[: len(template)])) == template:
            return clean(_of_pods(steps[len(template) :]) or _dotted(steps), limit=WORDS_LENGTH)
    if item.get("kind") == "Pod" and (told := _of_pods(steps)):
        return clean(told, limit=WORDS_LENGTH)
    return clean(_of_map(steps) or _of_replicas(steps) or _dotted(steps), limit=WORDS_LENGTH)


def rank(steps: Sequence[Step]) -> int:
    """What people look at first comes first: images, env, replicas, then the rest."""
    container = _container(steps)
    if container is not None:
        tail = [str(step) for step in steps[container + 2 :]]
        if tail == ["image"]:
            return 0
        if tail[:1] in (["env"], ["envFrom"]):
            return 1
    return 2 if _of_replicas(steps) else 3


def _of_pods(steps: Sequence[Step]) -> str:
    container = _container(steps)
    if container is None:
        told = _of_map(steps)
        return f"{told} of the pods" if told else ""
    kind, name = CONTAINERS[str(steps[container])], steps[container + 1]
    tail = steps[container + 2 :]
    if len(tail) > 1 and tail[0] == "env":
        what = f"env {tail[1]}" if [*map(str, tail[2:])] == ["value"] else f"env {tail[1]} {_dotted(tail[2:])}".rstrip()
    else:
        what = _dotted(tail)
    return f"{what} of {kind} {name}" if what else f"{kind} {name}"


def _container(steps: Sequence[Step]) -> int | None:
    """Where in the path the list of containers stands, if an item of it follows."""
    for place, step in enumerate(steps[:-1]):
        if str(step) in CONTAINERS and isinstance(steps[place + 1], Item):
            return place
    return None


def _of_map(steps: Sequence[Step]) -> str:
    if len(steps) == 3 and steps[0] == "metadata" and str(steps[1]) in MAPS:
        return f"{MAPS[str(steps[1])]} {steps[2]}"
    return ""


def _of_replicas(steps: Sequence[Step]) -> str:
    return "replicas" if tuple(steps) == ("spec", "replicas") else ""


def _dotted(steps: Sequence[Step]) -> str:
    told = ""
    for step in steps:
        text = str(step)
        if isinstance(step, Item) or not text.replace("-", "").replace("_", "").isalnum():
            told += f"[{text}]"
        else:
            told += f".{text}" if told else text
    return told
