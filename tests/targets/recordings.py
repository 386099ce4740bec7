"""Replays what a real API server recorded: the objects as they were after each event."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "sandbox" / "recordings"


@dataclass
class Recorded:
    """The cluster at one moment of a recording."""

    seconds: float = 0.0
    objects: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def named(self, kind: str, name: str) -> dict[str, Any]:
        return self.objects[(kind, name)]

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [item for (found, _), item in self.objects.items() if found == kind]


def lines(scenario: str) -> Iterator[dict[str, Any]]:
    with (FOLDER / f"{scenario}.jsonl").open() as file:
        yield from map(json.loads, file)


def moments(scenario: str) -> Iterator[Recorded]:
    """The cluster after each watch event; the same object is changed and yielded again."""
    cluster = Recorded()
    for line in lines(scenario):
        event = line.get("event")
        if event is None or event["type"] == "BOOKMARK":
            continue
        item = event["object"]
        key = (item["kind"], item["metadata"]["name"])
        cluster.seconds = line["t"]
        if event["type"] == "DELETED":
            cluster.objects.pop(key, None)
        else:
            cluster.objects[key] = item
        yield cluster


def answers(scenario: str) -> Iterator[tuple[Mapping[str, Any], int, Mapping[str, Any]]]:
    """(request, status, body) of each exchange."""
    for line in lines(scenario):
        if "request" in line and "body" in line["response"]:
            yield line["request"], line["response"]["status"], line["response"]["body"]


def applied(scenario: str, number: int) -> Mapping[str, Any]:
    """The body of the n-th real (not dry-run) apply, counted from 0."""
    bodies = [
        request["body"]
        for request, _, _ in answers(scenario)
        if request["method"] == "PATCH" and "dryRun" not in request["params"]
    ]
    found: Mapping[str, Any] = bodies[number]
    return found
