"""What a real API server and its controllers make of applied objects is no drift; a field that others took is."""

from collections.abc import Mapping
from typing import Any

import pytest

from deployments.targets.kubernetes.comparing import fieldnames
from deployments.targets.kubernetes.comparing.differences import changes
from deployments.targets.kubernetes.comparing.drift import drifted
from tests.targets.recordings import answers, lines

SCENARIOS = (
    "rollout-success", "rollout-crash-loop", "rollout-never-ready", "rollout-image-pull-back-off",
    "statefulset-daemonset-service-configmap",
)  # fmt: skip


def lives(scenario: str) -> list[tuple[Mapping[str, Any], dict[str, Any]]]:
    """(what had been applied, the object as the cluster tells it), for every moment after an apply."""
    applied = {
        _state(body): request["body"]
        for request, _, body in answers(scenario)
        if request["method"] == "PATCH" and "dryRun" not in request["params"]
    }
    seen = [line["event"]["object"] for line in lines(scenario) if line.get("event", {}).get("type") == "MODIFIED"]
    return [(applied[_state(live)], live) for live in seen if _state(live) in applied]


def _state(live: Mapping[str, Any]) -> tuple[str, str, int]:
    """A watch may be faster than the answer to the apply, so they are matched by what the object counts."""
    return live["kind"], live["metadata"]["name"], live["metadata"].get("generation", 0)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nothing_drifts_while_controllers_work(scenario: str) -> None:
    moments = lives(scenario)

    assert len(moments) > 4
    for wanted, live in moments:
        assert [fieldnames.words(live, leaf.steps) for leaf, _ in drifted(wanted, live)] == []


def test_what_another_manager_took_by_force_is_drift_with_its_name() -> None:
    applies = [
        (request["body"], body)
        for request, status, body in answers("errors")
        if request["method"] == "PATCH" and status < 300
    ]
    (wanted, _), (_, live) = applies

    found = {fieldnames.words(live, leaf.steps): owner for leaf, owner in drifted(wanted, live)}

    assert sorted(found) == ["image of container app", "replicas"]
    assert {owner.manager for owner in found.values() if owner} == {"someone-else"}


def test_a_recorded_dry_run_against_the_live_object_tells_only_what_was_asked_for() -> None:
    live: dict[str, Any] = {}
    told = []
    for request, _, body in answers("rollout-success"):
        if request["method"] != "PATCH":
            continue
        if "dryRun" in request["params"]:
            told += [[each.path for each in changes(live, body)]] if live else []
        else:
            live = dict(body)

    assert told == [["image of container app"]]
