"""Releases that bring their own kinds, and objects of the whole cluster, over the sandbox cluster."""

import copy
import itertools
from typing import Any

import pytest

from deployments.targets.base import Failed, Running, Succeeded, Work
from deployments.targets.kubernetes.applying import definitions
from deployments.targets.kubernetes.manifests import ManifestsTarget
from tests.targets import works
from tests.targets.conftest import Place
from tests.targets.test_contract import prepared, settle

TARGET = ManifestsTarget()
_numbers = itertools.count(1)
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {"type": "object", "properties": {"size": {"type": "integer"}, "colour": {"type": "string"}}},
    },
}


class Widgets:
    """A kind of its own for each test: definitions belong to the whole cluster."""

    def __init__(self, scope: str = "Namespaced") -> None:
        number = next(_numbers)
        self.kind, self.plural, self.group = f"Widget{number}", f"widget{number}s", "example.com"
        self.definition: dict[str, Any] = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{self.plural}.{self.group}"},
            "spec": {
                "group": self.group,
                "scope": scope,
                "names": {"kind": self.kind, "plural": self.plural},
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}],
            },
        }
        self.guardrails = {
            "kinds": ["apiextensions.k8s.io/CustomResourceDefinition", f"{self.group}/{self.kind}", "Namespace"]
        }

    def one(self, **spec: Any) -> dict[str, Any]:
        made = {"apiVersion": f"{self.group}/v1", "kind": self.kind, "metadata": {"name": "one"}}
        return made | {"spec": spec or {"size": 3}}

    def path(self, place: Place, *, namespaced: bool = True) -> str:
        where = f"/namespaces/{place.namespace}" if namespaced else ""
        return f"/apis/{self.group}/v1{where}/{self.plural}/one"

    def work(self, place: Place, *more: Any, **changes: Any) -> Work:
        values = {"manifests": (works.DEPLOYMENT, self.one(), self.definition, *more), "guardrails": self.guardrails}
        return prepared(TARGET, place.work(**(values | changes)))


def test_a_definition_and_its_objects_come_in_one_release(place: Place) -> None:
    widgets = Widgets()
    work = widgets.work(place)
    checked = TARGET.preflight(work)
    assert isinstance(checked, Succeeded), checked
    assert f"{widgets.kind} one could not be tried yet: what it needs comes with this release." in checked.log
    applied = TARGET.apply(work)
    assert isinstance(applied, Succeeded), applied
    assert [line.partition(":")[2] for line in applied.log] == [" created"] * 3
    assert isinstance(settle(TARGET, work), Succeeded)
    assert place.request("GET", widgets.path(place))["spec"] == {"size": 3}
    again = TARGET.apply(work)
    assert isinstance(again, Succeeded)
    assert {line.partition(":")[2] for line in again.log} == {" unchanged"}


def test_a_changed_definition_lets_its_new_fields_in(place: Place) -> None:
    widgets = Widgets()
    TARGET.apply(widgets.work(place))
    newer = copy.deepcopy(widgets.definition)
    schema = newer["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["speed"] = {"type": "integer"}
    manifests = (works.DEPLOYMENT, newer, widgets.one(size=3, speed=9))
    work = widgets.work(place, manifests=manifests, sequence=2, deployment_id="d-2")
    # The field is unknown until the definition has been applied, so the dry run proves nothing.
    assert isinstance(TARGET.preflight(work), Succeeded)
    assert isinstance(TARGET.apply(work), Succeeded)
    assert place.request("GET", widgets.path(place))["spec"]["speed"] == 9


def test_without_its_definition_an_object_of_a_wrong_shape_is_refused(place: Place) -> None:
    widgets = Widgets()
    TARGET.apply(widgets.work(place))
    result = TARGET.preflight(widgets.work(place, manifests=(works.DEPLOYMENT, widgets.one(size="big"))))
    assert isinstance(result, Failed)
    assert "spec.size" in result.message


def test_objects_of_the_whole_cluster_get_no_namespace(place: Place) -> None:
    widgets = Widgets(scope="Cluster")
    work = widgets.work(place)
    assert isinstance(TARGET.preflight(work), Succeeded)
    assert isinstance(TARGET.apply(work), Succeeded)
    assert "namespace" not in place.request("GET", widgets.path(place, namespaced=False))["metadata"]
    # Without the definition only the cluster knows.
    alone = widgets.work(place, manifests=(works.DEPLOYMENT, widgets.one()), sequence=2, deployment_id="d-2")
    assert isinstance(TARGET.preflight(alone), Succeeded)
    assert isinstance(TARGET.apply(alone), Succeeded)
    pruned = prepared(
        TARGET,
        place.work(
            sequence=3, deployment_id="d-3",
            prune=({"apiVersion": "example.com/v1", "kind": widgets.kind, "name": "one"},),
        ),
    )  # fmt: skip
    removed = TARGET.prune(pruned)
    assert isinstance(removed, Succeeded)
    assert removed.message == "Removed 1 of 1 object."


def test_a_release_may_bring_the_namespace_that_it_lives_in(place: Place) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "brand-new"}}
    work = Widgets().work(place, namespace, namespace="brand-new")
    checked = TARGET.preflight(work)
    assert isinstance(checked, Succeeded), checked
    assert "Deployment web could not be tried yet: what it needs comes with this release." in checked.log
    assert isinstance(TARGET.apply(work), Succeeded)
    assert isinstance(settle(TARGET, work), Succeeded)


def test_a_kind_that_is_not_served_in_time_is_waited_for_without_a_worker(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    widgets = Widgets()
    monkeypatch.setattr(definitions, "PAUSES_SECONDS", ())
    result = TARGET.apply(widgets.work(place))
    assert isinstance(result, Running)
    assert "is not served yet" in result.message
    monkeypatch.undo()
    assert isinstance(TARGET.apply(widgets.work(place)), Succeeded)


def test_a_definition_that_the_cluster_does_not_take_is_a_verdict(place: Place) -> None:
    widgets = Widgets()
    widgets.definition["metadata"]["name"] = "odd"
    result = TARGET.preflight(widgets.work(place))
    assert isinstance(result, Failed)
    assert "spec.names.plural" in result.message


def test_rights_in_the_whole_cluster_are_asked_for_as_such(place: Place) -> None:
    result = TARGET.preflight(Widgets().work(place, connection=place.connection("deployer")))
    assert isinstance(result, Failed)
    assert "for objects of the whole cluster: get customresourcedefinitions.apiextensions.k8s.io" in result.message
