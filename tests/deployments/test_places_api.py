"""The API of environments, clusters and targets: for administrators; others read."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import User
from audit.models import Event
from deployments.models import Cluster, Environment, Target
from deployments.targets.kubernetes.wire.cluster import ClusterVersion
from tests import factories
from tests.engine.conftest import Crew

ApiOf = Callable[[User], APIClient]
ENVIRONMENTS, CLUSTERS, TARGETS = "/api/v1/environments", "/api/v1/clusters", "/api/v1/targets"
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: CANARY-token}}]
"""


@pytest.fixture
def answering_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ClusterVersion(version="v1.36.0", server="https://127.0.0.1:1")
    monkeypatch.setattr("deployments.services.clusters.check_cluster", lambda connection: found)


def test_an_environment_is_made_read_changed_and_deleted(admin: User, api_of: ApiOf) -> None:
    client = api_of(admin)
    client.post(ENVIRONMENTS, {"name": "staging"})
    body = {
        "name": "production",
        "position": 3,
        "protected": True,
        "auto_rollback": False,
        "requires": "staging",
        "soak_minutes": 30,
        "verify_seconds": 60,
    }

    made = client.post(ENVIRONMENTS, body)

    assert made.status_code == 201
    assert made.json() | body == made.json()
    assert made["Location"] == f"{ENVIRONMENTS}/{made.json()['id']}"
    for reference in ("production", made.json()["id"]):
        assert client.get(f"{ENVIRONMENTS}/{reference}").json() == made.json()
    changed = client.patch(f"{ENVIRONMENTS}/production", {"soak_minutes": 5, "requires": None})
    assert (changed.json()["soak_minutes"], changed.json()["requires"]) == (5, None)
    assert [each["name"] for each in client.get(ENVIRONMENTS).json()["results"]] == ["staging", "production"]
    assert client.delete(f"{ENVIRONMENTS}/production").status_code == 204
    assert client.get(f"{ENVIRONMENTS}/production").status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "Production!"}, "name"),
        ({"name": "x" * 64}, "name"),
        ({"name": "qa", "position": -1}, "position"),
        ({"name": "qa", "position": 10**9}, "position"),
        ({"name": "qa", "requires": "moon"}, "requires"),
        ({"name": "qa", "soak_minutes": "long"}, "soak_minutes"),
        ({"name": "staging"}, "name"),
    ],
)
def test_an_environment_that_will_not_do_is_refused(
    admin: User, api_of: ApiOf, body: dict[str, Any], field: str
) -> None:
    factories.environment("staging")

    answer = api_of(admin).post(ENVIRONMENTS, body)

    assert answer.status_code == 422
    assert field in answer.json()["details"]


def test_environments_do_not_require_one_another(admin: User, api_of: ApiOf) -> None:
    staging = factories.environment("staging")
    factories.environment("production", requires=staging)

    answer = api_of(admin).patch(f"{ENVIRONMENTS}/staging", {"requires": "production"})

    assert answer.status_code == 422


def test_a_stale_change_of_an_environment_is_412(admin: User, api_of: ApiOf) -> None:
    factories.environment("staging")
    client, address = api_of(admin), f"{ENVIRONMENTS}/staging"
    etag = client.get(address)["ETag"]

    assert client.patch(address, {"position": 2}, headers={"If-Match": etag}).status_code == 200
    assert client.patch(address, {"position": 3}, headers={"If-Match": etag}).status_code == 412


def test_what_is_in_use_stays(crew: Crew, admin: User, api_of: ApiOf) -> None:
    for address in (f"{ENVIRONMENTS}/staging", f"{CLUSTERS}/main"):
        answer = api_of(admin).delete(address)
        assert (answer.status_code, answer.json()["details"]) == (409, {"status": "in_use"})


def test_a_cluster_is_registered_and_its_kubeconfig_never_answered(
    admin: User, api_of: ApiOf, answering_cluster: None
) -> None:
    client = api_of(admin)

    made = client.post(CLUSTERS, {"name": "eu-1", "kubeconfig": KUBECONFIG})

    assert made.status_code == 201
    body = made.json()
    assert set(body) == {"id", "name", "server", "version", "problem", "checked_at", "created_at"}
    assert (body["server"], body["version"]) == ("https://127.0.0.1:1", "v1.36.0")
    changed = client.patch(f"{CLUSTERS}/eu-1", {"name": "eu-2", "kubeconfig": KUBECONFIG})
    assert changed.json()["name"] == "eu-2"
    assert Cluster.objects.get().credentials_version == 2
    assert client.patch(f"{CLUSTERS}/eu-2", {"name": "eu-3"}).status_code == 200
    assert Cluster.objects.get().kubeconfig == KUBECONFIG
    assert client.delete(f"{CLUSTERS}/eu-3").status_code == 204


@pytest.mark.parametrize(
    ("kubeconfig", "words"),
    [
        ("", "blank"),
        ("CANARY: [", "not valid YAML"),
        ("just CANARY text", "no kubeconfig"),
        ("current-context: CANARY", "contexts"),
        (KUBECONFIG, "127.0.0.1:1"),
        (KUBECONFIG.replace("token: CANARY-token", "exec: {command: CANARY}"), "runs a program"),
    ],
)
def test_a_cluster_that_cannot_be_reached_is_refused_without_saying_back(
    admin: User, api_of: ApiOf, kubeconfig: str, words: str
) -> None:
    answer = api_of(admin).post(CLUSTERS, {"name": "eu-1", "kubeconfig": kubeconfig})

    assert answer.status_code == 422, answer.json()
    assert words in answer.json()["details"]["kubeconfig"][0]
    assert "CANARY" not in answer.content.decode()
    assert not Cluster.objects.exists()


def test_a_target_is_set_up_by_names_and_its_database_url_never_answered(
    crew: Crew, admin: User, api_of: ApiOf
) -> None:
    factories.environment("production", position=2)
    client = api_of(admin)
    body = {
        "application": "checkout",
        "environment": "production",
        "cluster": "main",
        "namespace": "shop",
        "kind": "manifests",
        "overrides": {"replicas": 3, "env": {"LOG_LEVEL": "debug"}},
        "timeout_seconds": 300,
    }

    made = client.post(TARGETS, {**body, "database_url": "postgresql://u:CANARY@db/shop"})

    assert made.status_code == 201
    assert made.json() | body == made.json()
    assert made.json()["has_database_url"] is True
    address = f"{TARGETS}/{made.json()['id']}"
    assert "CANARY" not in made.content.decode() + client.get(address).content.decode()
    changed = client.patch(address, {"namespace": "store"})
    assert (changed.json()["namespace"], changed.json()["has_database_url"]) == ("store", True)
    forgotten = client.patch(address, {"database_url": ""})
    assert forgotten.json()["has_database_url"] is False
    assert client.delete(address).status_code == 204


def test_values_under_a_telling_name_are_for_administrators_and_never_on_record(
    crew: Crew, admin: User, api_of: ApiOf
) -> None:
    crew.place.kind = "helm"
    crew.place.save()
    address = f"{TARGETS}/{crew.place.pk}"
    body = {"overrides": {"values": {"replicas": 2, "db": {"password": "CANARY"}}}}

    assert api_of(admin).patch(address, body).json() | body == api_of(admin).get(address).json()

    seen = api_of(crew.deployer).get(address)
    assert "CANARY" not in seen.content.decode()
    assert seen.json()["overrides"]["values"]["replicas"] == 2
    event = Event.objects.get(action="target.updated")
    assert "CANARY" not in str(event.changes)
    assert event.changes["overrides"][1]["values"]["db"]


@pytest.mark.parametrize(
    ("kind", "override"),
    [("manifests", {"values": {"a": 1}}), ("helm", {"workloads": ["web"]}), ("images", {"workloads": ["Web!"]})],
)
def test_overrides_are_for_the_kinds_that_take_them(
    crew: Crew, admin: User, api_of: ApiOf, kind: str, override: dict[str, Any]
) -> None:
    refused = api_of(admin).patch(f"{TARGETS}/{crew.place.pk}", {"kind": kind, "overrides": override})

    assert refused.status_code == 422
    assert "overrides" in refused.json()["details"]


def test_the_team_may_deploy_to_a_new_target(crew: Crew, admin: User, api_of: ApiOf) -> None:
    production = factories.environment("production")
    body = {
        "application": str(crew.application.pk),
        "environment": str(production.pk),
        "cluster": str(crew.place.cluster_id),
        "namespace": "shop",
    }

    assert api_of(admin).post(TARGETS, body).status_code == 201
    assert factories.actor(crew.deployer).holds("deploy_environment", production.pk)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"application": "nowhere"}, "application"),
        ({"environment": "moon"}, "environment"),
        ({"cluster": "moon"}, "cluster"),
        ({"namespace": "Shop!"}, "namespace"),
        ({"kind": "odd"}, "kind"),
        ({"overrides": []}, "overrides"),
        ({"overrides": {"odd": 1}}, "overrides"),
        ({"overrides": {"replicas": "3"}}, "overrides"),
        ({"overrides": {"patches": [{"kind": "Deployment", "name": "web", "patch": [{"op": "add"}]}]}}, "overrides"),
        ({"overrides": {"patches": [{"kind": "Secret", "name": "web", "patch": []}]}}, "overrides"),
        ({"overrides": {"grace_seconds": {"moon": 3}}}, "overrides"),
        ({"guardrails": {"odd": 1}}, "guardrails"),
        ({"guardrails": {"pod_security": "off"}}, "guardrails"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"environment": "staging", "namespace": "default"}, "__all__"),
    ],
)
def test_a_target_that_will_not_do_is_refused(
    crew: Crew, admin: User, api_of: ApiOf, change: dict[str, Any], field: str
) -> None:
    factories.environment("production")
    body = {"application": "checkout", "environment": "production", "cluster": "main", "namespace": "shop"}

    answer = api_of(admin).post(TARGETS, body | change)

    assert answer.status_code == 422
    assert field in answer.json()["details"], answer.json()
    assert Target.objects.count() == 1


def test_a_target_with_history_stays(crew: Crew, admin: User, api_of: ApiOf) -> None:
    crew.deploy("1.0.0")

    assert api_of(admin).delete(f"{TARGETS}/{crew.place.pk}").status_code == 409


@pytest.mark.parametrize("address", [ENVIRONMENTS, CLUSTERS, TARGETS])
def test_only_administrators_change_the_set_up(
    crew: Crew, viewer: User, outsider: User, api_of: ApiOf, address: str
) -> None:
    one = f"{address}/{ {ENVIRONMENTS: 'staging', CLUSTERS: 'main', TARGETS: crew.place.pk}[address] }"

    for person in (crew.deployer, crew.approver, viewer):
        client = api_of(person)
        answers = [client.post(address, {}), client.patch(one, {}), client.delete(one)]
        assert [each.status_code for each in answers] == [403, 403, 403]
        assert answers[0].json()["message"] == "Only administrators change the set-up. Ask one of them."
        assert client.get(one).status_code == 200
    assert api_of(outsider).post(address, {}).status_code == 403
    anonymous = APIClient()
    assert [anonymous.get(address).status_code, anonymous.post(address, {}).status_code] == [401, 401]


def test_an_outsider_sees_environments_but_no_cluster_nor_target(crew: Crew, outsider: User, api_of: ApiOf) -> None:
    client = api_of(outsider)

    assert len(client.get(ENVIRONMENTS).json()["results"]) == 1
    for address, one in ((CLUSTERS, "main"), (TARGETS, crew.place.pk)):
        assert client.get(address).json()["results"] == []
        assert client.get(f"{address}/{one}").status_code == 404


@pytest.mark.parametrize("address", [ENVIRONMENTS, CLUSTERS, TARGETS])
def test_lists_cost_the_same_however_long_they_are(
    crew: Crew, api_of: ApiOf, address: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        environment = factories.environment(f"qa-{number}", position=number, requires=crew.place.environment)
        factories.target(crew.application, environment, factories.cluster(name=f"eu-{number}"))
    client = api_of(crew.deployer)

    # Session, person, rights, page.
    with django_assert_max_num_queries(4):
        assert len(client.get(address).json()["results"]) == 6


@pytest.mark.parametrize(
    ("query", "found"), [("environment=staging", 1), ("application=checkout", 1), ("cluster=main", 1), ("cluster=x", 0)]
)
def test_targets_are_filtered(crew: Crew, api_of: ApiOf, query: str, found: int) -> None:
    assert len(api_of(crew.deployer).get(f"{TARGETS}?{query}").json()["results"]) == found


def test_environments_keep_their_order_over_pages(admin: User, api_of: ApiOf) -> None:
    for position, name in enumerate(("development", "staging", "production")):
        Environment.objects.create(name=name, position=position)
    client, names, address = api_of(admin), [], f"{ENVIRONMENTS}?limit=1"

    while address:
        page = client.get(address).json()
        names += [each["name"] for each in page["results"]]
        address = page["next"]

    assert names == ["development", "staging", "production"]
