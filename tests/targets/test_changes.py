import json

from deployments.targets.kubernetes.changes import change_of, decode
from tests.targets import recordings


def test_every_recorded_event_is_decoded_as_a_full_parse_would() -> None:
    for scenario in ("rollout-success", "jobs"):
        for line in recordings.lines(scenario):
            if "event" in line:
                raw = json.dumps(line["event"], separators=(",", ":")).encode()
                assert decode(raw) == (line["event"]["type"], line["event"]["object"]["metadata"])


def test_another_order_of_fields_is_decoded_as_well() -> None:
    pod = {"spec": {"template": {"metadata": {"name": "wrong"}}}, "metadata": {"name": "right"}, "kind": "Pod"}
    assert decode(json.dumps({"type": "ADDED", "object": pod}).encode()) == ("ADDED", {"name": "right"})
    assert decode(json.dumps({"object": pod, "type": "DELETED"}).encode()) == ("DELETED", {"name": "right"})


def test_a_pod_names_its_replica_set_and_its_deployment() -> None:
    meta = {
        "name": "web-5f-x1",
        "namespace": "shop",
        "labels": {"pod-template-hash": "5f"},
        "ownerReferences": [{"kind": "ReplicaSet", "name": "web-5f", "controller": True}],
    }
    change = change_of("Pod", "MODIFIED", meta)
    assert (change.namespace, change.name, change.owner) == ("shop", "web-5f-x1", "web-5f")
    assert change.workload == ("Deployment", "web")


def test_other_owners_are_the_workload_themselves() -> None:
    owned = {"name": "db-0", "ownerReferences": [{"kind": "StatefulSet", "name": "db", "controller": True}]}
    assert change_of("Pod", "ADDED", owned).workload == ("StatefulSet", "db")
    lone_set = {"name": "rs-x", "ownerReferences": [{"kind": "ReplicaSet", "name": "rs", "controller": True}]}
    assert change_of("Pod", "ADDED", lone_set).workload == ("ReplicaSet", "rs")
    assert change_of("Deployment", "DELETED", {"name": "web"}).workload == ("Deployment", "web")
