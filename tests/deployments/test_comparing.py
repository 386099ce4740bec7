"""The diff before deploying and the drift afterwards, as people and programs ask for them, on a live cluster."""

import json
import re
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg
import pytest
import urllib3
import yaml
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from deployments import services
from deployments.models import Cluster, Deployment, Target
from deployments.sandbox.server import SandboxServer
from deployments.services.comparing import LOCK, compare_release
from releases.models import Release
from tests import factories
from tests.deployments.conftest import HTMX
from tests.flows.conftest import Worker, checkout, cluster, deploy, staging, worker
from tests.sandbox.fixtures import sandbox_cluster

__all__ = ["checkout", "cluster", "deploy", "sandbox_cluster", "staging", "worker"]
pytestmark = pytest.mark.django_db

ApiOf = Callable[[User], APIClient]
BrowserOf = Callable[[User], Client]
Deploy = Callable[..., Deployment]
CONFIG = """
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {COLOUR: blue}
"""
CANARIES = [f"CANARY-{number:02d}-91c2" for number in range(50)]
SECRET = yaml.safe_dump(
    {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"},
        "stringData": {f"KEY{number}": canary for number, canary in enumerate(CANARIES)},
    }
)  # fmt: skip


def write(server: SandboxServer, path: str, body: Any = None, *, method: str = "PATCH", **query: str) -> None:
    """As somebody with kubectl."""
    user = server.kubeconfig["users"][0]["user"]
    answer = urllib3.request(
        method, server.url + path, body=json.dumps(body), fields=None,
        headers={
            "Authorization": f"Bearer {user['token']}",
            "Content-Type": "application/strategic-merge-patch+json" if method == "PATCH" else "application/json",
        },
    )  # fmt: skip
    assert answer.status < 300, answer.data


def hotfix(server: SandboxServer, place: Target, image: str = "registry.example/web:hotfix") -> None:
    spec = {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}
    path = f"/apis/apps/v1/namespaces/{place.namespace}/deployments/web"
    write(server, f"{path}?fieldManager=kubectl-edit", {"spec": spec})


def release_of(deployer: User, approver: User, place: Target, version: str, more: str = "") -> Release:
    content = factories.artifacts(version, manifests=factories.MANIFESTS + more)
    return factories.approved(deployer, approver, place.application, version, artifacts=content)


@pytest.fixture
def running(deployer: User, approver: User, checkout: Target, worker: Worker) -> Deployment:
    """1.0.0 with a ConfigMap, brought by us."""
    release = release_of(deployer, approver, checkout, "1.0.0", CONFIG)
    made = services.start_deployment(actor=factories.actor(deployer), release=release, environment=checkout.environment)
    assert worker.finish(made).status == "succeeded"
    return made


@pytest.fixture
def following(running: Deployment, deployer: User, approver: User, checkout: Target) -> Release:
    """2.0.0 without it."""
    return release_of(deployer, approver, checkout, "2.0.0")


def diff_of(api: APIClient, release: Release) -> Any:
    answer = api.get(f"/api/v1/releases/{release.pk}/diff?environment=staging")
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_the_diff_tells_changes_drift_conflicts_and_what_is_left_behind(
    running: Deployment, following: Release, checkout: Target, sandbox_cluster: SandboxServer, viewer: User,
    api_of: ApiOf,
) -> None:  # fmt: skip
    hotfix(sandbox_cluster, checkout)

    told = diff_of(api_of(viewer), following)

    (web,) = told["objects"]
    image = {"path": "image of container app", "before": "registry.example/web:hotfix"}
    assert web["changes"] == [image | {"after": "registry.example/web:2.0.0"}]
    assert (web["kind"], web["name"], web["result"], web["is_ours"]) == ("Deployment", "web", "changed", True)
    assert web["conflicts"] == [
        {"manager": "kubectl-edit", "fields": ['spec.template.spec.containers[name="app"].image']}
    ]
    (drift,) = told["drift"]
    assert (drift["applied"], drift["live"]) == ("registry.example/web:1.0.0", "registry.example/web:hotfix")
    assert (drift["manager"], drift["path"]) == ("kubectl-edit", "image of container app")
    assert told["left_behind"] == [{"apiVersion": "v1", "kind": "ConfigMap", "name": "settings"}]
    assert told["problems"] == []


def test_the_drift_of_a_target_is_told_by_api_and_page(
    running: Deployment, checkout: Target, sandbox_cluster: SandboxServer, viewer: User, api_of: ApiOf,
    browser_of: BrowserOf,
) -> None:  # fmt: skip
    quiet = api_of(viewer).get(f"/api/v1/targets/{checkout.pk}/drift").json()
    page = browser_of(viewer).get(f"/targets/{checkout.pk}/drift", headers=HTMX).content.decode()
    hotfix(sandbox_cluster, checkout)
    loud = api_of(viewer).get(f"/api/v1/targets/{checkout.pk}/drift").json()
    dialog = browser_of(viewer).get(f"/targets/{checkout.pk}/drift", headers=HTMX).content.decode()

    assert quiet == {"since": str(running.pk), "drift": [], "problems": []}
    assert "Nothing has changed" in page
    assert [each["manager"] for each in loud["drift"]] == ["kubectl-edit"]
    assert "kubectl-edit" in dialog
    assert "hotfix" in dialog


def test_the_start_dialog_asks_the_cluster_and_offers_the_choices(
    running: Deployment, following: Release, checkout: Target, sandbox_cluster: SandboxServer, deployer: User,
    browser_of: BrowserOf,
) -> None:  # fmt: skip
    hotfix(sandbox_cluster, checkout)
    browser, address = browser_of(deployer), f"/deployments/start/{following.pk}/staging"

    dialog = browser.get(address, headers=HTMX).content.decode()
    diff = browser.get(f"{address}/diff", headers=HTMX).content.decode()
    made = browser.post(
        address,
        {"take_over": ["kubectl-edit"], "prune": "on", "prune_seen": ["v1 ConfigMap settings", "v1 ConfigMap other"]},
        headers=HTMX,
    )

    assert f'hx-get="{address}/diff"' in dialog
    assert "image of container app" in dialog, "told from what we remember until the cluster has answered"
    assert "Changed in the cluster since our last deployment" in diff
    assert 'value="kubectl-edit"' in diff
    assert "checked" not in diff, "nothing is taken or removed unless a person says so"
    assert 'value="v1 ConfigMap settings"' in diff
    started = Deployment.objects.get(release=following)
    assert made["HX-Redirect"] == f"/deployments/{started.pk}"
    assert started.take_over == ["kubectl-edit"]
    assert started.prune == [{"apiVersion": "v1", "kind": "ConfigMap", "name": "settings"}], "only what is left behind"


def test_with_that_choice_the_fields_are_taken_and_the_rest_is_removed(
    running: Deployment, following: Release, checkout: Target, sandbox_cluster: SandboxServer, deployer: User,
    browser_of: BrowserOf, worker: Worker,
) -> None:  # fmt: skip
    hotfix(sandbox_cluster, checkout)
    browser, address = browser_of(deployer), f"/deployments/start/{following.pk}/staging"
    actor = factories.actor(deployer)

    browser.post(address)
    refused = worker.finish(Deployment.objects.get(release=following))
    page = browser.get(f"/deployments/{refused.pk}").content.decode()
    choice = {"take_over": "kubectl-edit", "prune": "on", "prune_seen": "v1 ConfigMap settings"}
    browser.post(address, choice, headers=HTMX)
    done = worker.finish(Deployment.objects.exclude(pk=refused.pk).get(release=following))
    told = compare_release(actor=actor, release=following, environment=checkout.environment)

    assert refused.status == "failed"
    assert f"{address}?after={refused.pk}" in page
    assert done.status == "succeeded", done.error_message
    assert [each.result for each in told.objects] == ["unchanged"], "the hotfix is gone"
    assert (told.left_behind, told.drift, told.problems) == ((), (), [])


def test_a_rollback_asks_before_it_takes_fields_over(
    running: Deployment, following: Release, checkout: Target, sandbox_cluster: SandboxServer, deployer: User,
    browser_of: BrowserOf, worker: Worker,
) -> None:  # fmt: skip
    actor = factories.actor(deployer)
    second = worker.finish(services.start_deployment(actor=actor, release=following, environment=checkout.environment))
    hotfix(sandbox_cluster, checkout)
    browser, address = browser_of(deployer), f"/deployments/{second.pk}/rollback"
    form = {"to": running.release_id, "reason": "Carts are empty"}

    first_dialog = browser.get(address, headers=HTMX).content.decode()
    browser.post(address, form, headers=HTMX)
    refused = worker.finish(Deployment.objects.get(kind="rollback"))
    dialog = browser.get(address, headers=HTMX).content.decode()
    browser.post(address, form | {"take_over": "kubectl-edit"}, headers=HTMX)
    done = worker.finish(Deployment.objects.exclude(pk=refused.pk).get(kind="rollback"))

    assert "take_over" not in first_dialog
    assert refused.status == "failed"
    assert "Take these fields over from “kubectl-edit”" in dialog
    (box,) = re.findall(r'<input[^>]*name="take_over"[^>]*>', dialog)
    assert "checked" not in box
    assert (done.status, done.take_over) == ("succeeded", ["kubectl-edit"])


def test_only_what_was_shown_is_removed(
    running: Deployment, following: Release, deployer: User, browser_of: BrowserOf
) -> None:
    address = f"/deployments/start/{following.pk}/staging"
    browser = browser_of(deployer)

    browser.post(address, {"prune": "on"}, headers=HTMX)
    refused = browser.post(address, {"prune": "on", "prune_seen": ["nonsense"]}, headers=HTMX)
    many = browser.post(address, {"take_over": [f"m{number}" for number in range(21)]}, headers=HTMX)

    assert Deployment.objects.get(release=following).prune == []
    assert (refused.status_code, many.status_code) == (422, 422)
    assert "is not what was shown" in refused.content.decode()
    assert "At most 20 field managers" in many.content.decode()


def test_a_refused_form_keeps_what_was_chosen(following: Release, deployer: User, browser_of: BrowserOf) -> None:
    window = {
        "not_before": "2030-01-02T10:00",
        "not_after": "2030-01-01T10:00",
        "take_over": ["kubectl"],
        "prune": "on",
    }

    form = browser_of(deployer).post(f"/deployments/start/{following.pk}/staging", window, headers=HTMX)

    assert form.status_code == 422
    assert '<input type="hidden" name="take_over" value="kubectl">' in form.content.decode()


def test_trying_again_after_a_conflict_leads_to_the_choice(
    following: Release, deployer: User, checkout: Target, browser_of: BrowserOf, worker: Worker
) -> None:
    made = services.start_deployment(
        actor=factories.actor(deployer), release=following, environment=checkout.environment
    )
    held = {"object": "Deployment web", "manager": "kubectl", "fields": ["spec.replicas"]}
    Deployment.objects.filter(pk=made.pk).update(status="failed", evidence={"conflicts": [held]})
    browser, address = browser_of(deployer), f"/deployments/start/{following.pk}/staging"

    page = browser.get(f"/deployments/{made.pk}", headers=HTMX).content.decode()
    dialog = browser.get(f"{address}?after={made.pk}", headers=HTMX).content.decode()
    Cluster.objects.update(kubeconfig=yaml.safe_dump(GONE), credentials_version=7)
    diff = browser.get(f"{address}/diff?after={made.pk}", headers=HTMX).content.decode()
    again = browser.post(f"/deployments/{made.pk}/retry")

    assert f'hx-get="{address}?after={made.pk}"' in page
    assert "“kubectl” holds what this release changes" in dialog
    assert "Deployment web: spec.replicas" in diff, "also when the cluster is away"
    assert again.status_code == 302
    assert Deployment.objects.exclude(pk=made.pk).get(release=following).take_over == [], "a retry takes nothing"


GONE = {
    "current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    "clusters": [{"name": "x", "cluster": {"server": "http://127.0.0.1:1"}}], "users": [{"name": "x", "user": {}}],
}  # fmt: skip


@pytest.mark.parametrize("kubeconfig", [yaml.safe_dump(GONE), "no: kubeconfig"])
def test_a_cluster_that_is_away_is_a_sentence_with_what_we_remember(
    running: Deployment, following: Release, viewer: User, api_of: ApiOf, browser_of: BrowserOf, kubeconfig: str
) -> None:
    Cluster.objects.update(kubeconfig=kubeconfig, credentials_version=7)

    told = diff_of(api_of(viewer), following)
    part = browser_of(viewer).get(f"/deployments/start/{following.pk}/staging/diff", headers=HTMX).content.decode()

    assert told["objects"] == []
    assert len(told["problems"]) == 1
    assert "Ask the cluster again" in part
    assert "image of container app" in part
    assert "CANARY" not in part


def test_who_only_looks_does_not_see_what_is_not_ours(
    running: Deployment, checkout: Target, sandbox_cluster: SandboxServer, deployer: User, approver: User,
    viewer: User, api_of: ApiOf,
) -> None:  # fmt: skip
    """Otherwise a release that names an object of somebody else would be a way to read it."""
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}, "data": {"TOKEN": CANARIES[0]}}
    write(sandbox_cluster, f"/api/v1/namespaces/{checkout.namespace}/configmaps", other, method="POST")
    curious = CONFIG.replace("settings", "theirs").replace("COLOUR", "TOKEN")
    release = release_of(deployer, approver, checkout, "3.0.0", curious)

    seen, allowed = (json.dumps(diff_of(api_of(person), release)) for person in (viewer, deployer))

    assert CANARIES[0] not in seen
    assert CANARIES[0] in allowed


def test_fifty_canaries_are_in_no_page_and_no_answer(
    checkout: Target, sandbox_cluster: SandboxServer, deployer: User, approver: User, admin: User, worker: Worker,
    api_of: ApiOf, browser_of: BrowserOf,
) -> None:  # fmt: skip
    actor = factories.actor(deployer)
    first, second = (
        release_of(deployer, approver, checkout, version, f"---\n{text}")
        for version, text in (("1.0.0", SECRET), ("2.0.0", SECRET.replace("-91c2", "-91c3")))
    )
    for release in (first, second):
        made = worker.finish(services.start_deployment(actor=actor, release=release, environment=checkout.environment))
        assert made.status == "succeeded", made.error_message
    path = f"/api/v1/namespaces/{checkout.namespace}/secrets/keys"
    drifted = {"stringData": {"KEY1": "CANARY-drift-91c2"}}
    write(sandbox_cluster, f"{path}?fieldManager=kubectl-edit", drifted)
    browser, api = browser_of(admin), api_of(admin)

    answers = {
        address: (api if "/api/" in address else browser).get(address, headers=HTMX).content.decode()
        for address in (
            f"/api/v1/releases/{first.pk}/diff?environment=staging", f"/api/v1/targets/{checkout.pk}/drift",
            f"/deployments/start/{first.pk}/staging", f"/deployments/start/{first.pk}/staging/diff",
            f"/targets/{checkout.pk}/drift", f"/deployments/{made.pk}/manifests", f"/deployments/{made.pk}",
        )
    }  # fmt: skip

    hits = [(address, text[text.index("91c") - 30 :][:60]) for address, text in answers.items() if "91c" in text]
    assert hits == []
    told = json.loads(answers[f"/api/v1/releases/{first.pk}/diff?environment=staging"])
    secret = next(each for each in told["objects"] if each["kind"] == "Secret")
    assert len(secret["changes"]) == 50, "that they differ is seen"
    assert [each["path"] for each in told["drift"]] == ["data.KEY1"]
    assert "data.KEY1" in answers[f"/targets/{checkout.pk}/drift"]
    assert answers[f"/deployments/{made.pk}/manifests"].count("(differs)") == 50


def test_what_changed_since_the_deployment_before_stands_on_its_page(
    running: Deployment, following: Release, deployer: User, checkout: Target, worker: Worker, browser_of: BrowserOf
) -> None:
    made = services.start_deployment(
        actor=factories.actor(deployer), release=following, environment=checkout.environment
    )
    worker.finish(made)

    part = browser_of(deployer).get(f"/deployments/{made.pk}/manifests").content.decode()
    first = browser_of(deployer).get(f"/deployments/{running.pk}/manifests").content.decode()

    assert "What changed since" in part
    assert "image of container app" in part
    assert "No longer applied" in part
    assert "The first that was applied here" in first


def test_one_person_asks_one_thing_at_a_time(
    following: Release, viewer: User, api_of: ApiOf, browser_of: BrowserOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployments.services.comparing.TURN_SECONDS", 0.0)
    person = int.from_bytes(viewer.pk.bytes[:4], "big", signed=True)
    with closing(psycopg.connect(**connection.get_connection_params() | {"autocommit": True})) as other:  # type: ignore[arg-type]
        other.execute("SELECT pg_advisory_lock(%s, %s)", [LOCK, person])
        busy = api_of(viewer).get(f"/api/v1/releases/{following.pk}/diff?environment=staging")
        part = browser_of(viewer).get(f"/deployments/start/{following.pk}/staging/diff", headers=HTMX)

    assert busy.status_code == 429
    assert part.status_code == 200
    assert "still being asked for you" in part.content.decode()
    assert diff_of(api_of(viewer), following)["objects"]


def test_a_stranger_finds_nothing_and_a_token_needs_the_right_to_read_deployments(
    running: Deployment, following: Release, checkout: Target, outsider: User, api_of: ApiOf, browser_of: BrowserOf
) -> None:
    for address in (
        f"/api/v1/releases/{following.pk}/diff?environment=staging",
        f"/api/v1/targets/{checkout.pk}/drift",
    ):
        assert api_of(outsider).get(address).status_code == 404
    for address in (f"/deployments/start/{following.pk}/staging/diff", f"/targets/{checkout.pk}/drift"):
        assert browser_of(outsider).get(address).status_code == 404
