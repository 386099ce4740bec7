"""What a target's strategy may say."""

from typing import Any

import pytest

from deployments.targets import strategies

CANARY: dict[str, Any] = {
    "type": "canary",
    "steps": [{"weight": 10, "pause_seconds": 30}, {"weight": 50, "pause": "manual"}],
    "traffic": {"by": "gateway", "route": "shop"},
}


VALID: list[dict[str, Any]] = [
    {},
    {"type": "rolling"},
    {"type": "recreate"},
    {"type": "blue_green"},
    {"type": "blue_green", "promote": "manual", "preview": True},
    CANARY,
    {"type": "canary", "steps": [{"weight": 1}]},
    CANARY | {"traffic": {"by": "nginx", "ingress": "shop.example"}},
]


@pytest.mark.parametrize("strategy", VALID)
def test_what_the_documentation_shows_is_valid(strategy: dict[str, Any]) -> None:
    assert strategies.problems_of(strategy, "manifests") == []


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        ([], "is an object"),
        ({"type": "purple"}, "Known: rolling, recreate, blue_green, canary"),
        ({"type": ["canary"]}, "is no strategy"),
        ({"type": "rolling", "steps": []}, "does not know “steps”"),
        ({"type": "blue_green", "promote": "later"}, "auto or manual"),
        ({"type": "blue_green", "preview": "yes"}, "true or false"),
        ({"type": "canary"}, "needs steps"),
        ({"type": "canary", "steps": [{"weight": 1}] * 21}, "at most 20"),
        ({"type": "canary", "steps": ["10"]}, "Step 1 must be an object"),
        ({"type": "canary", "steps": [{"weight": 100}]}, "from 1 to 99"),
        ({"type": "canary", "steps": [{"weight": True}]}, "from 1 to 99"),
        ({"type": "canary", "steps": [{"weight": 10, "wait": 1}]}, "does not know “wait”"),
        ({"type": "canary", "steps": [{"weight": 10, "pause": "long"}]}, "can only be manual"),
        ({"type": "canary", "steps": [{"weight": 10, "pause": "manual", "pause_seconds": 1}]}, "keep one"),
        ({"type": "canary", "steps": [{"weight": 10, "pause_seconds": -1}]}, "pause_seconds must be"),
        ({"type": "canary", "steps": [{"weight": 50}, {"weight": 50}]}, "must rise"),
        (CANARY | {"traffic": {"by": "luck"}}, "by what it is split"),
        (CANARY | {"traffic": None}, "by what it is split"),
        (CANARY | {"traffic": {"by": "gateway"}}, "needs route"),
        (CANARY | {"traffic": {"by": "nginx", "ingress": "../x"}}, "needs ingress"),
        (CANARY | {"traffic": {"by": "replicas", "route": "x"}}, "does not know “route”"),
    ],
)
def test_what_it_may_not_say_is_told(strategy: Any, told: str) -> None:
    assert told in " ".join(strategies.problems_of(strategy, "manifests"))


@pytest.mark.parametrize("kind", ["helm", "images"])
def test_charts_and_images_are_replaced_pod_by_pod(kind: str) -> None:
    assert strategies.problems_of({"type": "rolling"}, kind) == []
    assert "needs the kind manifests" in strategies.problems_of(CANARY, kind)[0]
    assert "needs the kind manifests" in strategies.problems_of({"type": "recreate"}, kind)[0]


def test_a_strategy_is_read_and_told_in_words() -> None:
    assert strategies.canary_steps(CANARY) == (strategies.CanaryStep(10, 30), strategies.CanaryStep(50, None))
    assert strategies.traffic_of(CANARY) == strategies.Traffic("gateway", "shop")
    assert strategies.in_words(CANARY) == "Canary: 10 %, 50 %, then all; by HTTPRoute shop"
    assert strategies.in_words({}) == "Rolling update"
    assert strategies.planned_seconds(CANARY) == 30 + strategies.MANUAL_SECONDS
