"""Charts brought out by the real Helm, over the sandbox cluster."""

import base64
import dataclasses
import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from deployments.sandbox.server import SandboxServer
from deployments.targets.base import (
    Comparing,
    Errored,
    Failed,
    InvalidContent,
    Running,
    StepResult,
    Succeeded,
    Target,
    Work,
)
from deployments.targets.helm import archive, keyhole, process, releases, rendering, storage
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.registry import get_target
from tests.targets import charts, works
from tests.targets.conftest import SPEED, Place
from tests.targets.test_contract import live, replica_sets, settle


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    """Helm sends its token only over TLS."""
    with SandboxServer(speed=SPEED, tls=True) as server:
        yield server


@pytest.fixture
def target() -> Target:
    return get_target("helm")


@pytest.fixture
def work(place: Place) -> Callable[..., Work]:
    def make(**changes: Any) -> Work:
        number = changes.pop("number", 1)
        values = {"manifests": (), "images": {}, "deployment_id": f"d-{number}", "sequence": number}
        return place.work(**(values | {"chart": charts.inline()} | changes))

    return make


def prepared(target: Target, work: Work) -> Work:
    result = target.preflight(work)
    assert isinstance(result, Succeeded), result
    assert result.objects is not None
    return dataclasses.replace(work, objects=result.objects)


def deployed(target: Target, work: Work) -> Work:
    ready = prepared(target, work)
    result = target.apply(ready)
    assert isinstance(result, Succeeded), result
    assert isinstance(settle(target, ready), Succeeded)
    return ready


def newest(place: Place) -> storage.Revision:
    found = storage.newest(Cluster(place.connection()), place.namespace, "web")
    assert found is not None
    return found


def refused(result: StepResult) -> str:
    assert isinstance(result, Failed), result
    return result.message


def object_of(work: Work, kind: str) -> Mapping[str, Any]:
    return next(item for item in work.objects if item["kind"] == kind)


def test_a_chart_goes_out_with_values_and_the_targets_over_them(
    target: Target, work: Callable[..., Work], place: Place
) -> None:
    overrides = {"values": {"replicas": 1}, "env": {"COLOUR": "blue"}}
    ready = deployed(target, work(values={"image": "registry.example/web:2.0.0", "replicas": 5}, overrides=overrides))
    found = live(place)
    container = found["spec"]["template"]["spec"]["containers"][0]
    assert (found["spec"]["replicas"], container["image"]) == (1, "registry.example/web:2.0.0")
    assert container["env"] == [{"name": "COLOUR", "value": "blue"}]
    assert found["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
    assert found["metadata"]["annotations"]["releasemgr.dev/deployment"] == "d-1"
    assert {entry["manager"] for entry in found["metadata"]["managedFields"] if entry["operation"] == "Apply"} == {
        "releasemgr"
    }
    revision = newest(place)
    assert (revision.number, revision.status, revision.deployment_id) == (1, "deployed", "d-1")
    assert "deployment d-1" in revision.description()
    assert not [item for item in ready.objects if item["kind"] == "Pod"]


def test_what_was_judged_is_what_is_applied(target: Target, work: Callable[..., Work], place: Place) -> None:
    """A random value would come out differently if the chart were rendered again; and Go's YAML is not Python's."""
    ready = deployed(target, work())
    stored = object_of(ready, "ConfigMap")["data"]
    applied = place.request("GET", place.path("configmaps", "web", api="api/v1"))["data"]
    assert applied == stored
    assert (stored["switch"], stored["exponent"], stored["template"]) == ("on", "1e3", "{{ .Values.kept }}")


def test_a_rollback_brings_the_very_objects_back(target: Target, work: Callable[..., Work], place: Place) -> None:
    first = deployed(target, work())
    deployed(target, work(number=2, values={"image": "registry.example/web:2.0.0"}))
    gone = {"repository": "https://charts.example.com", "name": "web", "version": "0.1.0"}
    back = dataclasses.replace(first, deployment_id="d-3", sequence=3, is_rollback=True, chart=gone)
    deployed(target, dataclasses.replace(back, objects=target.stamp(back)))
    assert live(place)["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/web:1.0.0"
    assert len(replica_sets(place)) == 2
    assert newest(place).number == 3


def test_applying_again_after_a_crash_makes_no_second_revision(
    target: Target, work: Callable[..., Work], place: Place
) -> None:
    ready = deployed(target, work())
    again = target.apply(ready)
    assert isinstance(again, Succeeded)
    assert "revision 1 of web" in again.message
    assert newest(place).number == 1


def test_a_newer_deployment_is_never_overwritten(target: Target, work: Callable[..., Work], place: Place) -> None:
    stale = prepared(target, work())
    deployed(target, work(number=2, values={"image": "registry.example/web:2.0.0"}))
    assert "newer deployment (number 2)" in refused(target.apply(stale))
    assert "newer deployment (number 2)" in refused(target.preflight(stale))
    assert newest(place).number == 1


@pytest.mark.parametrize("former", [False, True], ids=["install", "upgrade"])
def test_a_release_left_pending_by_a_killed_helm_is_repaired(
    target: Target, work: Callable[..., Work], place: Place, former: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if former:
        deployed(target, work())
    slow = prepared(target, work(number=2, values={"migrate": "registry.example/migrate:slow"}))
    helm = process.idle.take()
    monkeypatch.setattr(process.idle, "take", lambda: helm)
    results: list[StepResult] = []
    thread = threading.Thread(target=lambda: results.append(target.apply(slow)))
    thread.start()
    _await(lambda: _has_job(place))
    os.kill(helm.process.pid, signal.SIGKILL)
    thread.join()
    assert isinstance(results[0], Errored), results
    assert newest(place).is_pending

    monkeypatch.undo()
    again = target.apply(slow)
    assert isinstance(again, Succeeded), again
    assert "was left pending-" in again.log[0]
    assert isinstance(settle(target, slow), Succeeded)
    assert newest(place).status == "deployed"


def _await(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def _has_job(place: Place) -> bool:
    return bool(place.request("GET", place.path("jobs", api="apis/batch/v1"))["items"])


def test_helm_ends_with_the_worker_that_asked(target: Target, work: Callable[..., Work], place: Place) -> None:
    """As after kill -9 of the worker: its end of the pipe closes while Helm waits for a hook."""
    ready = prepared(target, work(values={"migrate": "registry.example/migrate:unready"}))
    helm = process.Worker()
    request = releases.request(
        ready, archive.chart_of(ready.objects, {"name": "web", "version": "1"}), is_upgrade=False
    )
    to, _ = helm.pipes
    to.write(json.dumps({"action": "apply", "timeout_seconds": 30, **request}).encode() + b"\n")
    to.flush()
    _await(lambda: _has_job(place))
    to.close()
    assert helm.process.wait(timeout=5) == 1
    helm.end()


def test_helm_is_asked_again_for_a_while_and_then_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    process.idle.end_all()
    monkeypatch.setattr(process, "IDLE_SECONDS", 0.2)
    first = process.idle.take()
    process.idle.keep(first)
    assert process.idle.take() is first
    process.idle.keep(first)
    _await(lambda: first.process.returncode is not None)
    second = process.idle.take()
    second.end()
    assert second is not first


def test_somebody_elses_helm_at_work_is_waited_for(target: Target, work: Callable[..., Work], place: Place) -> None:
    ready = prepared(target, work())
    _given_pending(place, at=int(time.time()))
    waiting = target.apply(ready)
    assert isinstance(waiting, Running)
    assert "Somebody else's Helm" in waiting.message
    _given_pending(place, at=int(time.time()) - 3600)
    assert isinstance(target.apply(ready), Succeeded)


def _given_pending(place: Place, *, at: int) -> None:
    record = {"name": "web", "namespace": place.namespace, "version": 1, "info": {"status": "pending-install"}}
    record |= {"chart": {"metadata": {"name": "web", "version": "0", "apiVersion": "v2"}}, "manifest": ""}
    packed = base64.b64encode(gzip.compress(json.dumps(record).encode()))
    labels = {"owner": "helm", "name": "web", "version": "1", "status": "pending-install", "createdAt": str(at)}
    place.request(
        "PATCH",
        place.path("secrets", "sh.helm.release.v1.web.v1", api="api/v1"),
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "helm.sh/release.v1",
            "metadata": {"name": "sh.helm.release.v1.web.v1", "labels": labels},
            "data": {"release": base64.b64encode(packed).decode()},
        },
        fieldManager="helm",
        force="true",
    )


def test_fields_of_others_are_taken_only_when_somebody_says_so(
    target: Target, work: Callable[..., Work], place: Place
) -> None:
    deployed(target, work())
    patch = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"switch": "off"}}
    place.request("PATCH", place.path("configmaps", "web", api="api/v1"), patch, fieldManager="kubectl", force="true")
    assert "“kubectl” owns data.switch" in refused(target.preflight(work(number=2)))

    ready = prepared(target, work(number=3, take_over=("kubectl",)))
    result = target.apply(ready)
    assert isinstance(result, Succeeded), result
    assert any("over from “kubectl”" in line for line in result.log)
    assert place.request("GET", place.path("configmaps", "web", api="api/v1"))["data"]["switch"] == "on"


def test_an_autoscalers_replicas_are_left_alone(target: Target, work: Callable[..., Work], place: Place) -> None:
    deployed(target, work())
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 9},
    }
    place.request("POST", place.path("horizontalpodautoscalers", api="apis/autoscaling/v2"), scaler)
    scale = {"metadata": {"name": "web", "namespace": place.namespace}, "spec": {"replicas": 4}}
    place.request("PUT", place.path("deployments", "web") + "/scale", scale)
    deployed(target, work(number=2, values={"image": "registry.example/web:2.0.0"}))
    assert live(place)["spec"]["replicas"] == 4


def test_hooks_that_take_long_hold_no_worker(
    target: Target, work: Callable[..., Work], place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STAY_AFTER_SECONDS", 0.5)
    ready = prepared(target, work(values={"migrate": "registry.example/migrate:unready"}))
    waiting = target.apply(ready)
    assert isinstance(waiting, Running), waiting
    assert isinstance(target.apply(ready), Running), "whoever looks next lets it work"
    assert newest(place).alive_at

    # The hook comes to its end while nobody waits.
    place.request(
        "PATCH", place.path("jobs", "web-migrate", api="apis/batch/v1") + "/status", _COMPLETE, fieldManager="x"
    )
    _await(lambda: newest(place).status == "deployed")
    assert isinstance(target.apply(ready), Succeeded)
    assert newest(place).number == 1


def test_a_newer_deployment_ends_a_helm_that_stayed(
    target: Target, work: Callable[..., Work], place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STAY_AFTER_SECONDS", 0.5)
    monkeypatch.setattr(storage, "SILENT_SECONDS", 4)
    stuck = prepared(target, work(values={"migrate": "registry.example/migrate:unready"}))
    assert isinstance(target.apply(stuck), Running)
    helm = process.idle._left[-1]

    newer = prepared(target, work(number=2))
    told = target.apply(newer)
    assert isinstance(told, Running)
    assert "told to end" in told.message
    _await(lambda: helm.process.poll() is not None)
    _await(lambda: isinstance(target.apply(newer), Succeeded))
    assert newest(place).deployment_id == "d-2"


_COMPLETE = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "web-migrate"},
    "status": {"conditions": [{"type": "Complete", "status": "True"}], "succeeded": 1},
}


def test_a_failing_hook_is_a_verdict(target: Target, work: Callable[..., Work], place: Place) -> None:
    ready = prepared(target, work(values={"migrate": "registry.example/migrate:fail"}))
    assert "migrate" in refused(target.apply(ready))
    assert newest(place).status == "failed"


def test_a_crash_loop_is_seen(target: Target, work: Callable[..., Work]) -> None:
    ready = prepared(target, work(values={"image": "registry.example/web:2-crash"}))
    assert isinstance(target.apply(ready), Succeeded)
    assert "CrashLoopBackOff" in refused(settle(target, ready, seconds_per_look=5.0))


def test_values_that_the_chart_refuses_are_told(target: Target, work: Callable[..., Work]) -> None:
    assert "image is needed" in refused(target.preflight(work(values={"image": None})))


def test_guardrails_judge_what_the_chart_renders(target: Target, work: Callable[..., Work], place: Place) -> None:
    role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: all}\n"
    chart = charts.inline(files={"templates/role.yaml": role})
    assert "ClusterRole all" in refused(target.preflight(work(chart=chart)))
    hook = charts.HOOK.replace("restartPolicy: Never", "restartPolicy: Never\n      hostNetwork: true")
    chart = charts.inline(files={"templates/hook.yaml": hook})
    assert "hostNetwork" in refused(target.preflight(work(chart=chart, values={"migrate": "registry.example/m:1"})))
    crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a.example.com}\n"
    assert "a.example.com" in refused(target.preflight(work(chart=charts.inline(files={"crds/a.yaml": crd}))))
    other = charts.WORKLOAD.replace("  name: {{ .Release.Name }}\nspec", "  name: web\n  namespace: other\nspec")
    chart = charts.inline(files={"templates/workload.yaml": other})
    assert "namespace “other”" in refused(target.preflight(work(chart=chart)))
    assert not [written for written in place.writes() if place.namespace in written]


def looking_up(*what: str) -> dict[str, str]:
    words = " ".join(f'"{word}"' for word in what)
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: found}\ndata: {it: {{ toJson (lookup %s) | quote }}}\n"
    return charts.inline(files={"templates/found.yaml": text % words})


def found_by(target: Target, work: Work) -> str:
    (found,) = (item for item in prepared(target, work).objects if item["metadata"]["name"] == "found")
    return str(found["data"]["it"])


def test_a_chart_sees_its_own_namespace_only(target: Target, work: Callable[..., Work], place: Place) -> None:
    """The credentials reach further than the people who write charts."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "crown"}, "stringData": {"is": "gold"}}
    for namespace in (place.namespace, "default"):
        Cluster(place.connection()).apply({**secret, "metadata": {"name": "crown", "namespace": namespace}})
    assert "Z29sZA==" in found_by(target, work(chart=looking_up("v1", "Secret", place.namespace, "crown")))
    assert found_by(target, work(chart=looking_up("v1", "Secret", "default", "crown"))) == "{}"
    assert place.namespace in found_by(target, work(chart=looking_up("v1", "Namespace", "", place.namespace)))
    for namespace in ("default", ""):
        told = refused(target.preflight(work(chart=looking_up("v1", "Secret", namespace, ""))))
        assert "objects of its own namespace" in told and "Z29sZA==" not in told


@pytest.mark.parametrize(
    ("path", "verdict"),
    [
        ("/version", 200),
        ("/apis/apps/v1", 200),
        ("/openapi/v3/apis/apps/v1", 200),
        ("/api/v1/namespaces/shop/secrets/a", 200),
        ("/apis/apps/v1/namespaces/shop/deployments", 200),
        ("/apis/rbac.authorization.k8s.io/v1/clusterroles/a", 200),
        ("/api/v1/namespaces/other/secrets/a", 404),
        ("/api/v1/namespaces/other/secrets", 403),
        ("/api/v1/secrets", 403),
        ("/api/v1/watch/secrets", 403),
        ("/api/v1/nodes/a/proxy", 403),
        ("/api/v1/namespaces/shop/pods/a/log", 403),
        ("/api/v1/namespaces/shop/../other/secrets", 403),
        ("/openapi/v3/../../api/v1/secrets", 403),
        ("/api/v1/namespaces/shop/%2e%2e/secrets", 403),
        ("/metrics", 403),
    ],
)
def test_what_a_chart_may_ask_the_cluster(path: str, verdict: int) -> None:
    assert keyhole.judge(path, "shop") == verdict


def test_a_chart_cannot_take_all_memory(target: Target, work: Callable[..., Work]) -> None:
    chart = charts.inline(files={"templates/bomb.yaml": '{{ $bomb := repeat 900000000 "abcd" }}'})
    began = time.monotonic()
    result = target.preflight(work(chart=chart))
    assert isinstance(result, Errored) and "without an answer" in result.message
    # Ended by its own limit, not by the time that rendering may take.
    assert time.monotonic() - began < process.RENDER_SECONDS / 2


def test_no_secret_in_a_sentence(target: Target, work: Callable[..., Work]) -> None:
    leaky = '{{ fail (printf "no: %s %s" .Values.password (b64enc .Values.password)) }}'
    chart = charts.inline(files={"templates/leaky.yaml": leaky})
    told = refused(target.preflight(work(chart=chart, values={"password": "canary-7f3a"})))
    assert "canary" not in told
    assert "no: ••• •••" in told


def test_no_secret_in_the_arguments_or_surroundings_of_helm(
    target: Target, work: Callable[..., Work], place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "canary-env")
    process.idle.end_all()
    seen: list[Any] = []
    popen = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda *args, **kwargs: seen.append((args, kwargs)) or popen(*args, **kwargs)
    )
    deployed(target, work())
    assert seen
    token = place.connection().kubeconfig["users"][0]["user"]["token"]
    assert token not in repr(seen)
    assert "canary" not in repr(seen)


def test_helm_that_hangs_is_stopped(target: Target, work: Callable[..., Work], monkeypatch: pytest.MonkeyPatch) -> None:
    ready = prepared(target, work(values={"migrate": "registry.example/migrate:unready"}))
    monkeypatch.setattr(process, "APPLY_SECONDS", 1.0)
    monkeypatch.setattr(process, "STAY_AFTER_SECONDS", 5.0)
    result = target.apply(ready)
    assert isinstance(result, Errored)
    assert "took longer than 1 s" in result.message


def test_a_cluster_without_tls_is_refused(target: Target) -> None:
    with SandboxServer(speed=SPEED) as server:
        place = Place(server, "default")
        told = refused(target.preflight(place.work(manifests=(), images={}, chart=charts.inline())))
    assert "over TLS only" in told


def test_a_cluster_that_is_away_is_asked_again(target: Target) -> None:
    assert isinstance(target.preflight(works.work(manifests=(), chart=charts.inline())), Errored)


def test_a_release_without_a_chart_is_refused(target: Target) -> None:
    with pytest.raises(InvalidContent, match="holds no chart"):
        target.render(works.work(manifests=()))


def test_loading_the_adapters_never_loads_go() -> None:
    """A worker forks after this; a Go runtime in its parent would make the child hang."""
    program = "import sys; from deployments.targets.registry import *; [get_target(kind) for kind in ADAPTERS]; "
    program += "sys.exit('helm_python' in sys.modules or not ADAPTERS)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_values_are_merged_as_helm_does() -> None:
    over = {"a": {"b": None, "d": [3]}, "e": {"f": 1}}
    assert rendering.merged({"a": {"b": 1, "c": 2, "d": [1, 2]}, "e": "text"}, over) == {
        "a": {"b": None, "c": 2, "d": [3]},
        "e": {"f": 1},
    }


def test_a_chart_is_compared_with_what_its_last_release_left(target: Target, work: Callable[..., Work]) -> None:
    assert isinstance(target, Comparing)
    done = deployed(target, work(values={"image": "registry.example/web:1.0.0"}))

    found = target.compare(work(number=2, values={"image": "registry.example/web:2.0.0"}))
    nothing = target.compare(work(number=2, chart=charts.inline() | {"archive": "bm8gY2hhcnQ="}))

    changes = {each.kind: [(change.path, *change.short) for change in each.changes] for each in found.objects}
    assert found.problems == ()
    assert changes["Deployment"] == [("image of container app", "1.0.0", "2.0.0")]
    assert changes["Secret"] == []
    assert [path for path, *_ in changes["ConfigMap"]] == ["data.random"], "the chart draws it anew each time"
    assert target.find_drift(done).found == ()
    assert (nothing.objects, len(nothing.problems)) == ((), 1)
