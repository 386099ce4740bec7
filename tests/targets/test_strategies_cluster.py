"""What the strategies do to a cluster, step by step, over the sandbox."""

import copy
import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from deployments.targets.base import Failed, InvalidContent, Running, StepResult, Succeeded, Work
from deployments.targets.kubernetes.manifests import ManifestsTarget
from deployments.targets.kubernetes.strategies import blue_green
from tests.targets import works
from tests.targets.conftest import Place
from tests.targets.test_contract import START, settle, with_image

TARGET = ManifestsTarget()
BLUE_GREEN = {"type": "blue_green"}
SCALER: Mapping[str, Any] = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "web"},
    "spec": {"maxReplicas": 5, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
}
ROUTE: Mapping[str, Any] = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "shop"},
    "spec": {
        "parentRefs": [{"name": "edge"}],
        "rules": [{"backendRefs": [{"name": "web", "port": 80}, {"name": "other", "port": 80, "weight": 3}]}],
    },
}
INGRESS: Mapping[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "shop"},
    "spec": {
        "ingressClassName": "nginx",
        "rules": [
            {
                "host": "shop.example",
                "http": {
                    "paths": [
                        {
                            "path": f"/{name}",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": name, "port": {"number": 80}}},
                        }
                        for name in ("web", "other")
                    ]
                },
            }
        ],
    },
}


def started(place: Place, tag: str, sequence: int, strategy: Mapping[str, Any], **changes: Any) -> Work:
    """As the engine starts a deployment: rendered, then stamped."""
    manifests = changes.pop("manifests", (works.SERVICE, works.DEPLOYMENT))
    work = with_image(place, tag, sequence, strategy=strategy, manifests=manifests, **changes)
    work = dataclasses.replace(work, objects=TARGET.render(work))
    return dataclasses.replace(work, objects=TARGET.stamp(work))


def back_to(work: Work, sequence: int) -> Work:
    """The rollback that brings its objects back."""
    again = dataclasses.replace(work, deployment_id=f"d-{sequence}", sequence=sequence, is_rollback=True)
    return dataclasses.replace(again, objects=TARGET.stamp(again))


def done(result: StepResult) -> Succeeded:
    assert isinstance(result, Succeeded), result
    return result


def run(work: Work) -> Work:
    done(TARGET.preflight(work))
    done(TARGET.apply(work))
    done(settle(TARGET, work))
    return work


def until_done(step: Callable[[], StepResult]) -> StepResult:
    deadline = time.monotonic() + 10
    while isinstance(result := step(), Running):
        assert time.monotonic() < deadline, result
        time.sleep(0.02)
    return result


def shift(work: Work, percent: int) -> StepResult:
    return until_done(lambda: TARGET.shift(work, percent, checkpoint={}, now=START))


def names(place: Place, plural: str = "deployments", api: str = "apis/apps/v1") -> list[str]:
    return sorted(item["metadata"]["name"] for item in place.request("GET", place.path(plural, api=api))["items"])


def service(place: Place, name: str = "web") -> dict[str, str]:
    found: dict[str, str] = place.request("GET", place.path("services", name, api="api/v1"))["spec"]["selector"]
    return found


def generation(place: Place, name: str = "web") -> int:
    return int(place.request("GET", place.path("deployments", name))["metadata"]["generation"])


def create(place: Place, item: Mapping[str, Any], plural: str, api: str) -> None:
    place.request("POST", place.path(plural, api=api), dict(item))


def test_the_service_stays_with_the_old_pods_until_the_switch(place: Place) -> None:
    first = run(started(place, "1.0.0", 1, BLUE_GREEN))
    assert service(place) == {"app": "web", "releasemgr.dev/variant": "1"}

    second = run(started(place, "2.0.0", 2, BLUE_GREEN))
    assert service(place)["releasemgr.dev/variant"] == "1"
    blocked = TARGET.tidy(second)
    assert isinstance(blocked, Failed)
    assert names(place) == ["web-1", "web-2"]

    assert "Service web now sends to web-2." in done(TARGET.switch(second)).message
    assert service(place) == {"app": "web", "releasemgr.dev/variant": "2"}

    # While both run, going back is a switch and nothing else: no pod starts.
    third = run(back_to(first, 3))
    assert generation(place, "web-1") == 1
    done(TARGET.switch(third))
    assert service(place)["releasemgr.dev/variant"] == "1"
    assert done(TARGET.tidy(third)).message == "Removed Deployment web-2."
    assert done(TARGET.tidy(third)).message == "Nothing is left over."
    assert names(place) == ["web-1"]


def test_a_preview_reaches_the_new_pods_before_the_switch(place: Place) -> None:
    preview = {"type": "blue_green", "preview": True}
    exposed = {**works.SERVICE, "spec": {**works.SERVICE["spec"], "type": "NodePort"}}
    run(started(place, "1.0.0", 1, preview, manifests=(exposed, works.DEPLOYMENT)))
    second = run(started(place, "2.0.0", 2, preview, manifests=(exposed, works.DEPLOYMENT)))
    assert service(place)["releasemgr.dev/variant"] == "1"
    assert service(place, "web-preview")["releasemgr.dev/variant"] == "2"
    done(TARGET.switch(second))
    done(TARGET.tidy(second))
    assert names(place, "services", "api/v1") == ["web", "web-preview"]


def test_the_plain_workload_gives_way_to_variants_and_back(place: Place) -> None:
    other = copy.deepcopy(dict(works.DEPLOYMENT)) | {"metadata": {"name": "worker"}}
    plain = run(started(place, "1.0.0", 1, {}, manifests=(works.SERVICE, works.DEPLOYMENT, other)))
    second = run(started(place, "2.0.0", 2, BLUE_GREEN, manifests=(works.SERVICE, works.DEPLOYMENT, SCALER)))
    done(TARGET.switch(second))
    done(TARGET.tidy(second))
    # `worker` is not in the release any more: that is pruned on request only.
    assert names(place) == ["web-2", "worker"]
    scaler = place.request("GET", place.path("horizontalpodautoscalers", "web-2", api="apis/autoscaling/v2"))
    assert scaler["spec"]["scaleTargetRef"]["name"] == "web-2"

    third = run(back_to(plain, 3))
    done(TARGET.tidy(third))
    assert names(place) == ["web", "worker"]
    assert names(place, "horizontalpodautoscalers", "apis/autoscaling/v2") == []


def test_a_zombie_neither_switches_nor_tidies(place: Place) -> None:
    zombie = run(started(place, "1.0.0", 1, BLUE_GREEN))
    newer = run(started(place, "2.0.0", 2, BLUE_GREEN))
    done(TARGET.switch(newer))

    late = TARGET.switch(zombie)
    assert isinstance(late, Failed)
    assert "newer deployment (number 2)" in late.message
    TARGET.tidy(zombie)
    assert names(place) == ["web-1", "web-2"]
    assert service(place)["releasemgr.dev/variant"] == "2"


def test_another_targets_workload_of_that_name_stays(place: Place) -> None:
    run(started(place, "1.0.0", 1, BLUE_GREEN, target_id="t-2"))
    second = run(started(place, "1.0.0", 2, BLUE_GREEN))
    done(TARGET.switch(second))
    done(TARGET.tidy(second))
    assert names(place) == ["web-1", "web-2"]


def test_a_name_too_long_for_a_number_is_refused(place: Place) -> None:
    item = works.deployment() | {"metadata": {"name": "w" * 62}}
    with pytest.raises(InvalidContent, match="too long for blue/green"):
        blue_green.shaped([item], 7)


def test_a_canary_by_replicas_stands_beside_what_runs(place: Place) -> None:
    canary = {"type": "canary", "steps": [{"weight": 10}, {"weight": 50}]}
    manifests = (works.SERVICE, works.deployment(replicas=4))
    assert done(shift(started(place, "1.0.0", 1, canary, manifests=manifests), 10)).checkpoint == {"nothing_runs": True}
    run(started(place, "1.0.0", 1, canary, manifests=manifests))
    fresh = {**works.CONFIG_MAP, "metadata": {"name": "fresh"}}
    second = started(place, "2.0.0", 2, canary, manifests=(*manifests, fresh))

    for percent, replicas in ((10, 1), (50, 2), (50, 2)):
        done(shift(second, percent))
        found = place.request("GET", place.path("deployments", "web-canary"))
        assert found["spec"]["replicas"] == found["status"]["readyReplicas"] == replicas
        assert found["spec"]["template"]["metadata"]["labels"] == {"app": "web", "releasemgr.dev/track": "canary"}
    assert "fresh" in names(place, "configmaps", "api/v1")
    assert generation(place) == 1

    run(second)
    assert done(TARGET.tidy(second)).message == "Removed Deployment web-canary."
    assert names(place) == ["web"]


def test_a_crashing_canary_fails_early_and_a_rollback_takes_it_away_first(place: Place) -> None:
    canary = {"type": "canary", "steps": [{"weight": 50}]}
    first = run(started(place, "1.0.0", 1, canary))
    second = started(place, "2.0.0-crash", 2, canary)
    target = ManifestsTarget(grace_seconds=dict.fromkeys(TARGET.grace_seconds, 0.0))
    result = until_done(lambda: target.shift(second, 50, checkpoint={}, now=START))
    assert isinstance(result, Failed)
    assert "CrashLoopBackOff" in result.message
    assert result.evidence["workload"]["name"] == "web-canary"

    run(back_to(first, 3))
    assert names(place) == ["web"]
    assert generation(place) == 1


def test_a_canary_by_gateway_gets_its_share_of_the_route(place: Place) -> None:
    gateway = "apis/gateway.networking.k8s.io/v1"
    canary = {"type": "canary", "steps": [{"weight": 20}], "traffic": {"by": "gateway", "route": "shop"}}
    create(place, ROUTE, "httproutes", gateway)
    before = place.request("GET", place.path("httproutes", "shop", api=gateway))["spec"]
    run(started(place, "1.0.0", 1, canary))
    second = started(place, "2.0.0", 2, canary)

    for percent in (20, 60, 60):
        done(shift(second, percent))
        found = place.request("GET", place.path("httproutes", "shop", api=gateway))
        refs = [(ref["name"], ref["weight"]) for ref in found["spec"]["rules"][0]["backendRefs"]]
        assert refs == [("web", 100 - percent), ("web-canary", percent), ("other", 300)]
    assert service(place, "web-canary") == {"app": "web-canary"}
    pods = place.request("GET", place.path("pods", api="api/v1"), labelSelector="app=web")["items"]
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {"registry.example/web:1.0.0"}

    waiting = TARGET.shift(second, 0, checkpoint={}, now=START)
    assert isinstance(waiting, Running), "the traffic goes first, its pods a moment later"
    assert names(place) == ["web", "web-canary"]
    done(shift(second, 0))
    found = place.request("GET", place.path("httproutes", "shop", api=gateway))
    assert found["spec"] == before
    assert "releasemgr.dev/traffic" not in (found["metadata"].get("annotations") or {})
    assert (names(place), names(place, "services", "api/v1")) == (["web"], ["web"])


def test_rules_that_somebody_wrote_meanwhile_stay(place: Place) -> None:
    gateway = "apis/gateway.networking.k8s.io/v1"
    canary = {"type": "canary", "steps": [{"weight": 20}], "traffic": {"by": "gateway", "route": "shop"}}
    run(started(place, "1.0.0", 1, canary, manifests=(works.SERVICE, works.DEPLOYMENT, ROUTE)))
    changed = copy.deepcopy(dict(ROUTE))
    changed["spec"]["rules"][0]["backendRefs"][1]["weight"] = 5
    second = started(place, "2.0.0", 2, canary, manifests=(works.SERVICE, works.DEPLOYMENT, changed))
    done(shift(second, 20))
    # The release brings the route itself: its apply takes the rules back from the canary.
    run(second)
    done(until_done(lambda: TARGET.tidy(second)))
    found = place.request("GET", place.path("httproutes", "shop", api=gateway))
    refs = [(ref["name"], ref.get("weight", 1)) for ref in found["spec"]["rules"][0]["backendRefs"]]
    assert refs == [("web", 1), ("other", 5)]


def test_a_canary_by_nginx_is_a_second_ingress(place: Place) -> None:
    networking = "apis/networking.k8s.io/v1"
    canary = {"type": "canary", "steps": [{"weight": 20}], "traffic": {"by": "nginx", "ingress": "shop"}}
    create(place, INGRESS, "ingresses", networking)
    run(started(place, "1.0.0", 1, canary))
    second = started(place, "2.0.0", 2, canary)
    done(shift(second, 20))
    found = place.request("GET", place.path("ingresses", "shop-canary", api=networking))
    assert found["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"] == "20"
    assert found["spec"]["ingressClassName"] == "nginx"
    (path,) = found["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"]["name"] == "web-canary"

    done(shift(second, 0))
    assert names(place, "ingresses", networking) == ["shop"]
    routes = place.path("httproutes", api="apis/gateway.networking.k8s.io/v1")
    assert not [asked for asked in place.server.requests if asked.path.startswith(routes)], "nothing of Gateway API"


@pytest.mark.parametrize("by", [{"by": "gateway", "route": "shop"}, {"by": "nginx", "ingress": "shop"}])
def test_a_route_that_is_not_there_is_a_verdict(place: Place, by: dict[str, str]) -> None:
    canary = {"type": "canary", "steps": [{"weight": 20}], "traffic": by}
    run(started(place, "1.0.0", 1, canary))
    result = shift(started(place, "2.0.0", 2, canary), 20)
    assert isinstance(result, Failed)
    assert "There is no" in result.message


def test_a_preflight_asks_for_what_the_strategy_needs(place: Place) -> None:
    canary = {"type": "canary", "steps": [{"weight": 20}], "traffic": {"by": "nginx", "ingress": "shop"}}
    result = TARGET.preflight(started(place, "1.0.0", 1, canary, user="deployer"))
    assert isinstance(result, Failed)
    assert "delete deployments.apps" in result.message
    assert "delete ingresses.networking.k8s.io" in result.message


def test_a_release_may_not_hold_what_a_canary_is_called(place: Place) -> None:
    other = works.deployment() | {"metadata": {"name": "web-canary"}}
    canary = {"type": "canary", "steps": [{"weight": 20}]}
    with pytest.raises(InvalidContent, match="the name of a canary"):
        started(place, "1.0.0", 1, canary, manifests=(works.DEPLOYMENT, other))


def test_a_rolling_deployment_becomes_one_that_is_recreated(place: Place) -> None:
    run(started(place, "1.0.0", 1, {}))
    run(started(place, "2.0.0", 2, {"type": "recreate"}))
    found = place.request("GET", place.path("deployments", "web"))
    assert found["spec"]["strategy"] == {"type": "Recreate"}
    assert "paused" not in found["spec"]
    assert len(place.request("GET", place.path("replicasets"))["items"]) == 2

    run(started(place, "3.0.0", 3, {}))
    assert place.request("GET", place.path("deployments", "web"))["spec"]["strategy"]["type"] == "RollingUpdate"
