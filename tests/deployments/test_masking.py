"""What of a Kubernetes object may be shown."""

from typing import Any

from deployments.masking import as_yaml, masked, without_our_marks

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
