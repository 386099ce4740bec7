"""What of a Kubernetes object may be shown."""

import copy
from typing import Any

from deployments.masking import as_yaml, masked, without_our_marks
from deployments.targets.kubernetes.comparing.differences import changes

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def secret(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, **fields}


def test_the_values_of_a_secret_are_hidden_and_its_keys_stay() -> None:
    (shown,) = masked([secret(data={"token": "Q0FOQVJZ"}, stringData={"url": "CANARY"}, type="Opaque")])

    assert shown["data"] == {"token": "•••"}
    assert shown["stringData"] == {"url": "•••"}
    assert shown["type"] == "Opaque"


def test_data_of_any_other_shape_is_hidden_whole() -> None:
    for data in ("CANARY", ["CANARY"], 7):
        assert masked([secret(data=data)])[0]["data"] == "•••"


def test_secrets_inside_lists_are_hidden_too() -> None:
    shown = masked([{"kind": "List", "items": [secret(data={"a": "CANARY"}), "CANARY"]}])

    assert "CANARY" not in as_yaml(shown)


def test_what_kubectl_remembers_of_the_object_is_hidden() -> None:
    item = {"kind": "ConfigMap", "metadata": {"annotations": {LAST_APPLIED: "CANARY", "kept": "yes"}}}

    assert masked([item])[0]["metadata"]["annotations"] == {LAST_APPLIED: "•••", "kept": "yes"}


def test_other_objects_stay_as_they_are_and_nothing_is_changed_in_place() -> None:
    items = [{"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}}, secret(data={"a": "CANARY"})]

    assert masked(items)[0] == items[0]
    assert items[1]["data"] == {"a": "CANARY"}


def test_odd_objects_do_no_harm() -> None:
    for odd in ({}, {"kind": None}, {"metadata": "x"}, {"metadata": {"annotations": ["x"]}}, {"kind": "secret"}):
        assert masked([odd]) == [odd]
        assert without_our_marks([odd]) == [odd]


def test_without_our_marks_two_deployments_of_the_same_look_the_same() -> None:
    first, second = (
        {"metadata": {"name": "web", "annotations": {"releasemgr.dev/sequence": number, "team": "payments"}}}
        for number in ("1", "2")
    )

    assert without_our_marks([first]) == without_our_marks([second])
    assert without_our_marks([first])[0]["metadata"]["annotations"] == {"team": "payments"}


def test_objects_are_written_as_people_write_them() -> None:
    text = as_yaml(
        [{"spec": {"replicas": 1}, "metadata": {"labels": {}, "name": "web"}, "kind": "K", "apiVersion": "v1"}]
    )

    assert text.index("apiVersion") < text.index("kind") < text.index("metadata") < text.index("name: web")
    assert text.index("name: web") < text.index("labels") < text.index("spec")


def test_variables_with_a_telling_name_are_hidden_and_references_are_not() -> None:
    """What a target's overrides put there is hidden on the target's own page as well."""
    reference = {"name": "API_TOKEN", "valueFrom": {"secretKeyRef": {"name": "api", "key": "token"}}}
    variables = [{"name": "DB_PASSWORD", "value": "CANARY"}, {"name": "LEVEL", "value": "debug"}, reference]
    item = {"kind": "Deployment", "spec": {"template": {"spec": {"containers": [{"name": "app", "env": variables}]}}}}
    shown = masked([item])[0]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert shown == [{"name": "DB_PASSWORD", "value": "•••"}, *variables[1:]]
    told = [change for pair in ((None, item), (_with(item, "OTHER"), item)) for change in changes(*pair)]
    assert "CANARY" not in str(told) and "OTHER" not in str(told)
    assert any("DB_PASSWORD" in change.path for change in told)


def _with(item: dict[str, Any], password: str) -> dict[str, Any]:
    other = copy.deepcopy(item)
    other["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = password
    return other
