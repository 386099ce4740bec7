"""The pages of environments, clusters and targets."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from deployments.forms.checks import CheckForm
from deployments.forms.places import EnvironmentForm, TargetForm
from deployments.models import Cluster, Environment, Target
from deployments.targets.kubernetes.wire.cluster import ClusterVersion
from releasemgr.core.forms import RefusableForm
from tests import factories
from tests.deployments.test_places_api import KUBECONFIG
from tests.engine.conftest import Crew, ScriptedTarget

BrowserOf = Callable[[User], Client]


def text_of(response: Any) -> str:
    return response.content.decode()


ENVIRONMENT = {
    "name": "production",
    "position": "3",
    "soak_minutes": "30",
    "verify_seconds": "60",
    "bake_seconds": "600",
    "wave_pause_seconds": "5",
    "protected": "on",
}


def test_an_environment_is_created_and_edited(admin: User, browser_of: BrowserOf) -> None:
    factories.environment("staging")
    browser = browser_of(admin)

    made = browser.post("/environments/new", ENVIRONMENT | {"requires": "staging"}, follow=True)

    page = text_of(made)
    for words in ("The environment production is saved.", "Protected", "30 min", "60 s", "It stays as it is"):
        assert words in page
    changed = browser.post("/environments/production/edit", ENVIRONMENT | {"name": "live", "auto_rollback": "on"})
    assert changed["Location"] == "/environments/live"
    live = Environment.objects.get(name="live")
    assert (live.auto_rollback, live.requires) == (True, None)
    assert browser.post("/environments/live/delete").status_code == 302
    assert not Environment.objects.filter(name="live").exists()


@pytest.mark.parametrize(
    "change", [{"name": ""}, {"name": "Big Name"}, {"name": "staging"}, {"position": "x"}, {"requires": "moon"}]
)
def test_a_refused_environment_keeps_what_was_typed(admin: User, browser_of: BrowserOf, change: dict[str, str]) -> None:
    factories.environment("staging")

    answer = browser_of(admin).post("/environments/new", ENVIRONMENT | {"soak_minutes": "77"} | change)

    assert answer.status_code == 422
    assert 'value="77"' in text_of(answer)
    assert 'aria-invalid="true"' in text_of(answer)


def test_a_refused_change_still_names_the_environment(admin: User, browser_of: BrowserOf) -> None:
    factories.environment("staging")
    factories.environment("qa")

    answer = browser_of(admin).post("/environments/staging/edit", ENVIRONMENT | {"name": "qa"})

    assert answer.status_code == 422
    assert "Edit staging" in " ".join(text_of(answer).split())


def test_an_environment_in_use_stays(crew: Crew, admin: User, browser_of: BrowserOf) -> None:
    answer = browser_of(admin).post("/environments/staging/delete")

    assert answer.status_code == 409
    assert "it stays" in text_of(answer)


def test_an_environment_page_shows_what_the_person_may_see(
    crew: Crew, world: ScriptedTarget, outsider: User, browser_of: BrowserOf
) -> None:
    crew.run(crew.deploy("1.0.0"))

    mine, theirs = (text_of(browser_of(person).get("/environments/staging")) for person in (crew.deployer, outsider))

    assert "Checkout" in mine
    assert "1.0.0" in mine
    assert "Checkout" not in theirs
    assert "/environments/staging/edit" not in mine


def test_a_cluster_is_registered_and_its_credentials_replaced(
    admin: User, browser_of: BrowserOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ClusterVersion(version="v1.36.0", server="https://127.0.0.1:1")
    monkeypatch.setattr("deployments.services.clusters.check_cluster", lambda connection: found)
    browser = browser_of(admin)

    made = browser.post("/clusters/new", {"name": "eu-1", "kubeconfig": KUBECONFIG}, follow=True)

    assert "The cluster eu-1 answers: Kubernetes v1.36.0." in text_of(made)
    kept = browser.post("/clusters/eu-1/edit", {"name": "eu-2", "kubeconfig": ""})
    assert kept.status_code == 302
    cluster = Cluster.objects.get()
    assert (cluster.name, cluster.credentials_version) == ("eu-2", 1)
    assert "CANARY" in cluster.kubeconfig
    for address in ("/clusters", "/clusters/eu-2/edit"):
        assert "CANARY" not in text_of(browser.get(address))
    assert browser.post("/clusters/eu-2/delete").status_code == 302


@pytest.mark.parametrize("kubeconfig", [KUBECONFIG, "CANARY: [", "CANARY"])
def test_a_refused_kubeconfig_is_not_said_back(admin: User, browser_of: BrowserOf, kubeconfig: str) -> None:
    answer = browser_of(admin).post("/clusters/new", {"name": "eu-1", "kubeconfig": kubeconfig})

    page = text_of(answer)
    assert answer.status_code == 422
    assert "CANARY" not in page
    assert 'value="eu-1"' in page
    assert "The kubeconfig is not shown again." in page


def test_a_cluster_in_use_stays(crew: Crew, admin: User, browser_of: BrowserOf) -> None:
    assert browser_of(admin).post("/clusters/main/delete").status_code == 409


TARGET = {
    "wave": "1",
    "application": "checkout",
    "environment": "production",
    "cluster": "main",
    "namespace": "shop",
    "kind": "manifests",
    "timeout_seconds": "300",
    "overrides": '{"replicas": 3}',
}


def test_a_target_is_set_up_and_changed(crew: Crew, admin: User, browser_of: BrowserOf) -> None:
    factories.environment("production")
    browser = browser_of(admin)

    assert 'value="checkout" selected' in text_of(browser.get("/targets/new?application=checkout"))
    made = browser.post("/targets/new", TARGET | {"database_url": "postgresql://u:CANARY@db/shop"})

    assert made["Location"] == "/applications/checkout"
    target = Target.objects.get(environment__name="production")
    assert (target.namespace, target.overrides) == ("shop", {"replicas": 3})
    address = f"/targets/{target.pk}/edit"
    page = text_of(browser.get(address))
    assert "One is stored." in page
    assert "CANARY" not in page
    browser.post(address, TARGET | {"namespace": "store", "overrides": ""})
    target.refresh_from_db()
    assert (target.namespace, target.overrides) == ("store", {})
    assert "CANARY" in target.database_url
    browser.post(address, TARGET | {"forget_database_url": "on"})
    target.refresh_from_db()
    assert target.database_url == ""
    assert browser.post(f"/targets/{target.pk}/delete").status_code == 302


@pytest.mark.parametrize(
    "change",
    [
        {"overrides": "{"},
        {"overrides": "[1]"},
        {"overrides": '{"odd": 1}'},
        {"overrides": '{"env": {"A": "\\u0000"}}'},
        {"overrides": '{"replicas": NaN}'},
        {"overrides": "[" * 100_000},
        {"namespace": "Shop!"},
        {"cluster": "moon"},
        {"application": "nowhere"},
        {"environment": "staging", "namespace": "default"},
    ],
)
def test_a_refused_target_keeps_what_was_typed_but_not_the_secret(
    crew: Crew, admin: User, browser_of: BrowserOf, change: dict[str, str]
) -> None:
    factories.environment("production")

    answer = browser_of(admin).post("/targets/new", TARGET | {"database_url": "postgresql://CANARY"} | change)

    assert answer.status_code == 422
    assert "300" in text_of(answer)
    assert "CANARY" not in text_of(answer)
    assert Target.objects.count() == 1


SET_UP = [
    "/environments/new",
    "/environments/staging/edit",
    "/clusters/new",
    "/clusters/main/edit",
    "/targets/new",
    "/targets/{target}/edit",
]
REMOVALS = ["/environments/staging/delete", "/clusters/main/delete", "/targets/{target}/delete"]


@pytest.mark.parametrize("address", [*SET_UP, *REMOVALS])
def test_only_administrators_change_the_set_up(
    crew: Crew, viewer: User, client: Client, browser_of: BrowserOf, address: str
) -> None:
    address = address.format(target=crew.place.pk)

    for person in (crew.deployer, viewer):
        answer = browser_of(person).post(address, {})
        assert answer.status_code == 403
        assert "Only administrators change the set-up. Ask one of them." in text_of(answer)
    assert client.post(address).status_code == 302
    if address in SET_UP:
        assert browser_of(crew.deployer).get(address).status_code == 403


@pytest.mark.parametrize(
    "address", ["/clusters/main/edit", "/clusters/main/delete", "/targets/{target}/edit", "/targets/{target}/delete"]
)
def test_an_outsider_finds_neither_cluster_nor_target(
    crew: Crew, outsider: User, browser_of: BrowserOf, address: str
) -> None:
    assert browser_of(outsider).post(address.format(target=crew.place.pk)).status_code == 404


@pytest.mark.parametrize("address", ["/environments", "/clusters", "/environments/staging"])
def test_the_lists_can_be_read_and_cost_the_same_however_long(
    crew: Crew,
    viewer: User,
    client: Client,
    browser_of: BrowserOf,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    address: str,
) -> None:
    for number in range(5):
        environment = factories.environment(f"qa-{number}", requires=crew.place.environment)
        factories.target(crew.application, environment, factories.cluster(name=f"eu-{number}"))
    browser = browser_of(viewer)

    with django_assert_max_num_queries(7):
        assert browser.get(address).status_code == 200
    assert client.get(address).status_code == 302


def test_empty_lists_say_what_to_do(admin: User, outsider: User, browser_of: BrowserOf) -> None:
    for address, words in (
        ("/environments", "Create the first one"),
        ("/clusters", "Register one with its kubeconfig"),
    ):
        assert words in text_of(browser_of(admin).get(address))
        assert words not in text_of(browser_of(outsider).get(address))


@pytest.mark.parametrize(
    ("address", "form"),
    [("/environments/new", EnvironmentForm), ("/targets/new", TargetForm), ("/checks/new", CheckForm)],
)
def test_no_field_is_forgotten_where_a_page_groups_them(
    address: str, form: type[RefusableForm], admin: User, browser_of: BrowserOf
) -> None:
    page = text_of(browser_of(admin).get(address))

    missing = {name for name in form.base_fields if f'name="{name}"' not in page}
    assert missing <= {"forget_database_url"}, "A new field needs a place in its page's groups."
