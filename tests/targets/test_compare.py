"""The diff before deploying, against a live cluster: what changes, who else holds it, and nothing of Secrets."""

import base64
import copy
import socket
import time
from dataclasses import replace
from typing import Any

import pytest

from deployments.targets.base import Comparing, Succeeded, Work
from deployments.targets.comparison import ComparedObject, Comparison, FieldChange
from deployments.targets.kubernetes.comparing.compare import compare
from deployments.targets.kubernetes.comparing.differences import changes
from deployments.targets.kubernetes.images import ImagesTarget
from deployments.targets.kubernetes.manifests import ManifestsTarget
from deployments.targets.kubernetes.wire.connections import get_client
from deployments.targets.registry import get_target
from tests.targets.conftest import Place
from tests.targets.works import CONFIG_MAP, DEPLOYMENT, SECRET, SERVICE, connection

TARGET = ManifestsTarget()


def rendered(place: Place, **fields: Any) -> Work:
    work = place.work(**fields)
    return replace(work, objects=TARGET.render(work))


def applied(place: Place, **fields: Any) -> Work:
    work = rendered(place, **fields)
    work = replace(work, objects=TARGET.stamp(work))
    assert isinstance(TARGET.apply(work), Succeeded)
    return work


def told(found: Comparison, kind: str = "Deployment") -> ComparedObject:
    return next(each for each in found.objects if each.kind == kind)


def with_env(**variables: str) -> dict[str, Any]:
    made = copy.deepcopy(dict(DEPLOYMENT))
    container = made["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": name, "value": value} for name, value in variables.items()]
    return made


def test_images_env_and_replicas_come_first_in_words(place: Place) -> None:
    applied(place, manifests=(with_env(COLOUR="blue", OLD="1"),))
    wanted = with_env(COLOUR="green", NEW="2")
    wanted["spec"]["replicas"] = 3
    wanted["metadata"]["labels"]["tier"] = "front"

    found = told(compare(rendered(place, manifests=(wanted,), images={"app": "registry.example/web:1.1.0"})))

    assert found.result == "changed"
    assert [(each.path, *each.short) for each in found.changes] == [
        ("image of container app", "1.0.0", "1.1.0"),
        ("env COLOUR of container app", "blue", "green"),
        ("env OLD of container app", "1", None),
        ("env NEW of container app", None, "2"),
        ("replicas", "2", "3"),
        ("label tier", None, "front"),
    ]


def test_the_same_again_is_unchanged_whatever_the_server_filled_in(place: Place) -> None:
    manifests = (DEPLOYMENT, CONFIG_MAP, SERVICE, SECRET)
    applied(place, manifests=manifests)

    found = compare(rendered(place, manifests=manifests, deployment_id="d-2", sequence=2, version="2.0.0"))

    assert {each.result for each in found.objects} == {"unchanged"}
    assert found.problems == ()


def test_what_is_not_there_will_be_created_and_nothing_is_by_looking(place: Place) -> None:
    before = place.writes()

    found = told(compare(rendered(place)))

    assert found.result == "created"
    assert FieldChange("image of container app", None, "registry.example/web:1.0.0") in found.changes
    assert not [each for each in found.changes if each.path in ("kind", "metadata.name")]
    assert place.writes() == before


def test_a_conflict_names_the_manager_and_still_shows_the_change(place: Place) -> None:
    applied(place)
    image = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "registry.example/web:hotfix"}]}}}}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}} | image
    place.request("PATCH", place.path("deployments", "web"), body, fieldManager="kubectl", force="true")

    found = told(compare(rendered(place, images={"app": "registry.example/web:2.0.0"})))

    (conflict,) = found.conflicts
    assert conflict.manager == "kubectl"
    assert conflict.fields == ('spec.template.spec.containers[name="app"].image',)
    assert found.changes[0].short == ("hotfix", "2.0.0")
    live = place.request("GET", place.path("deployments", "web"))
    assert live["spec"]["template"]["spec"]["containers"][0]["image"].endswith("hotfix")


def test_an_object_of_somebody_else_is_told_apart(place: Place) -> None:
    place.request("POST", place.path("configmaps", api="api/v1"), dict(CONFIG_MAP))

    found = told(
        compare(rendered(place, manifests=(CONFIG_MAP | {"data": {"COLOUR": "red"}},), images={})), "ConfigMap"
    )

    assert (found.result, found.is_ours) == ("changed", False)


def test_left_behind_is_only_what_is_still_there_and_ours(place: Place) -> None:
    applied(place, manifests=(CONFIG_MAP,), images={})
    foreign = {**CONFIG_MAP, "metadata": {"name": "foreign"}}
    place.request("POST", place.path("configmaps", api="api/v1"), foreign)
    candidates = [{"apiVersion": "v1", "kind": "ConfigMap", "name": name} for name in ("web", "foreign", "gone")]

    found = compare(replace(rendered(place), prune=candidates))

    assert [each["name"] for each in found.left_behind] == ["web"]


def test_what_the_cluster_would_refuse_is_a_problem_in_words(place: Place) -> None:
    applied(place)
    moved = copy.deepcopy(dict(DEPLOYMENT))
    moved["spec"]["selector"]["matchLabels"] = moved["spec"]["template"]["metadata"]["labels"] = {"app": "other"}

    found = compare(rendered(place, manifests=(moved,)))

    assert told(found).result == "refused"
    assert "field is immutable" in found.problems[0]


def test_a_missing_namespace_is_said_once(place: Place) -> None:
    found = compare(rendered(place, namespace="nowhere", manifests=(DEPLOYMENT, CONFIG_MAP)))

    assert found.problems == (
        "The namespace “nowhere” does not exist on the cluster. Create it, or change the target.",
    )


def test_a_cluster_that_never_answers_is_one_sentence_and_soon(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        began = time.monotonic()
        away = replace(rendered(place), connection=connection(f"http://127.0.0.1:{deaf.getsockname()[1]}"))
        found = compare(away, seconds=0.5)
        took = time.monotonic() - began

    assert took < 2
    assert found == Comparison(problems=("The cluster did not answer in time. Try again.",))


def test_a_cluster_that_is_gone_is_one_sentence(place: Place) -> None:
    found = compare(replace(rendered(place), connection=connection("http://127.0.0.1:1")))

    assert found == Comparison(problems=("Could not reach the cluster: http://127.0.0.1:1 refuses connections.",))


def test_missing_rights_are_told(place: Place) -> None:
    found = compare(rendered(place, user="reader"))

    assert told(found).result == "refused"
    assert "forbidden" in found.problems[0]


def test_images_of_existing_workloads_are_compared_and_only_they_drift(place: Place) -> None:
    target = get_target("images")
    assert isinstance(target, Comparing)
    place.request("POST", place.path("deployments"), dict(DEPLOYMENT))
    work = place.work(manifests=())

    before = target.compare(work)
    ready = target.preflight(work)
    assert isinstance(ready, Succeeded)
    done = replace(work, objects=ready.objects or ())
    assert isinstance(target.apply(done), Succeeded)
    edit(place, {"spec": {"replicas": 7}})
    quiet = target.find_drift(done).found
    edit(place, {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "registry.example/web:x"}]}}}})
    loud = target.find_drift(done).found

    assert [(each.path, *each.short) for each in told(before).changes] == [("image of container app", "0.0.0", "1.0.0")]
    assert told(before).is_ours is False
    assert quiet == ()
    assert [each.path for each in loud] == ["image of container app"]


def test_what_cannot_be_decided_is_a_problem(place: Place) -> None:
    found = ImagesTarget().compare(place.work(manifests=()))

    assert found.objects == ()
    assert "has no workloads" in found.problems[0]


def test_recreate_instead_of_rolling_is_told_as_it_will_be(place: Place) -> None:
    applied(place)
    wanted = rendered(place, strategy={"type": "recreate"})

    found = told(TARGET.compare(wanted))

    assert found.result == "changed"
    assert [each.path for each in found.changes if each.path == "spec.paused"] == []
    assert FieldChange("spec.strategy.type", "RollingUpdate", "Recreate") in found.changes


def test_a_blue_green_workload_is_compared_with_the_variant_that_runs(place: Place) -> None:
    blue_green = {"strategy": {"type": "blue_green"}, "manifests": (DEPLOYMENT, SERVICE)}
    applied(place, **blue_green)
    work = rendered(place, **blue_green, sequence=2, images={"app": "registry.example/web:2.0.0"})

    found = TARGET.compare(replace(work, objects=TARGET.stamp(work)))

    assert told(found).name == "web-2"
    assert [(each.path, *each.short) for each in told(found).changes] == [("image of container app", "1.0.0", "2.0.0")]
    assert told(found, "Service").result == "unchanged"


def edit(place: Place, patch: Any, plural: str = "deployments", *, manager: str = "kubectl-edit") -> None:
    """As `kubectl edit` writes: an update, which takes what it changes."""
    path = place.path(plural, "web", api="apis/apps/v1" if plural == "deployments" else "api/v1")
    get_client(place.connection()).request(
        "PATCH", path, body=patch, query_params=[("fieldManager", manager)],
        content_type="application/strategic-merge-patch+json",
    )  # fmt: skip


CANARIES = [f"canary-{number:02d}-7f3a" for number in range(50)]


def test_fifty_canaries_come_out_nowhere_and_every_change_is_seen(place: Place) -> None:
    old = {**SECRET, "stringData": {f"KEY{i}": each for i, each in enumerate(CANARIES)}}
    applied(place, manifests=(old,), images={})
    place.request(
        "PATCH",
        place.path("secrets", "web", api="api/v1"),
        {**SECRET, "stringData": {"KEY0": CANARIES[0] + "x"}, "metadata": {"name": "web", "annotations": LAST_APPLIED}},
        fieldManager="kubectl",
        force="true",
    )
    new = {**SECRET, "stringData": {f"KEY{i}": each[::-1] for i, each in enumerate(CANARIES)}}

    found = compare(rendered(place, manifests=(new,), images={}))

    (one,) = found.objects
    assert [each.path for each in one.changes] == [f"data.KEY{i}" for i in sorted(range(50), key=str)]
    assert {(each.before, each.after) for each in one.changes} == {("•••", "••• (differs)")}
    assert_none_of_the_canaries(found)


LAST_APPLIED = {"kubectl.kubernetes.io/last-applied-configuration": '{"data": {"a": "canary-00-7f3a"}}'}


def assert_none_of_the_canaries(found: object) -> None:
    text = repr(found)
    for canary in CANARIES:
        for form in (canary, canary[::-1], base64.b64encode(canary.encode()).decode().rstrip("=")):
            assert form not in text


def test_what_a_dry_run_says_about_a_secret_is_not_repeated(place: Place) -> None:
    broken = {**SECRET, "stringData": {"PASSWORD": ["canary-00-7f3a"]}}

    found = compare(rendered(place, manifests=(broken,), images={}))

    assert told(found, "Secret").result == "refused"
    assert found.problems
    assert_none_of_the_canaries(found)


@pytest.mark.parametrize(
    "hostile",
    [
        {"apiVersion": "v1", "kind": "secret", "data": {"a": "CANARY"}},
        {"apiVersion": "v1", "kind": "SECRET ", "stringData": "CANARY"},
        {"apiVersion": "vault.example/v1", "kind": "Secret", "spec": {"values": [{"name": "CANARY"}]}},
        {"apiVersion": "v1", "kind": "Secret", "data": {"a": {"CANARY": "CANARY"}}},
        {"apiVersion": "v1", "kind": "List", "items": [{"kind": "Secret", "data": {"a": "CANARY"}}]},
        {"apiVersion": "x/v1", "kind": "Bundle", "spec": {"template": {"kind": "Secret", "data": {"a": "CANARY"}}}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"annotations": {"note": "CANARY"}}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"annotations": dict.fromkeys(LAST_APPLIED, "CANARY")}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"finalizers": ["CANARY"]}, "type": "Opaque"},
    ],
)
def test_a_secret_in_disguise_is_hidden_on_both_sides(hostile: dict[str, Any]) -> None:
    innocent = {"apiVersion": hostile["apiVersion"], "kind": hostile["kind"], "metadata": {"name": "x"}}

    for before, after in ((innocent, hostile), (hostile, innocent), (None, hostile), (hostile, None)):
        found = changes(before, after)
        assert found
        assert "CANARY" not in repr(found)


def test_a_value_that_looks_hidden_does_not_hide_a_change() -> None:
    before, after = ({"kind": "Secret", "data": {"a": value}} for value in ("•••", "eA=="))

    assert changes(before, after) == [FieldChange("data.a", "•••", "••• (differs)")]


def test_text_from_the_cluster_is_cleaned_bounded_and_still_told_apart() -> None:
    before, after = ({"kind": "ConfigMap", "data": {"a\x1b[31m": text}} for text in ("a\u202eb", "ab"))
    long, longer = ({"kind": "ConfigMap", "data": {"a": "x" * 9000 + end}} for end in ("1", "2"))

    assert changes(before, after) == [FieldChange("data[a]", "ab", "ab (differs)")]
    assert len(changes(long, longer)[0].after or "") < 4100
    assert (changes(long, longer)[0].after or "").endswith("… (differs)")
