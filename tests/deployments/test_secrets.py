"""Canaries: a kubeconfig, a database URL and a Secret's data are in no page and in no answer."""

from collections.abc import Callable

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from deployments import services
from deployments.models import Deployment, Target
from tests import factories
from tests.engine.conftest import Crew

SECRET = """
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {password: SECRET-CANARY}
"""
CANARIES = ("KUBECONFIG-CANARY", "DATABASE-CANARY", "SECRET-CANARY")


@pytest.fixture
def deployment(crew: Crew) -> Deployment:
    """Really rendered, from a release that holds a Secret."""
    crew.place.cluster.kubeconfig = "{token: KUBECONFIG-CANARY}"
    crew.place.cluster.save()
    Target.objects.filter(pk=crew.place.pk).update(database_url="postgresql://u:DATABASE-CANARY@db/shop")
    release = factories.approved(
        crew.deployer,
        crew.approver,
        crew.application,
        artifacts=factories.artifacts(manifests=factories.MANIFESTS + SECRET),
    )
    made = services.start_deployment(
        actor=factories.actor(crew.deployer), release=release, environment=crew.place.environment
    )
    Deployment.objects.filter(pk=made.pk).update(sequence=1, status="succeeded")
    return made


def test_no_page_shows_a_secret(
    crew: Crew, deployment: Deployment, admin: User, browser_of: Callable[[User], Client]
) -> None:
    one, release = f"/deployments/{deployment.pk}", deployment.release_id
    addresses = ["/", "/deployments", one, f"{one}/log", f"{one}/manifests", f"{one}/rollback"]
    addresses += [f"/deployments/start/{release}/staging", f"/deployments/for-release/{release}"]
    addresses += [f"/deployments/for-application/{deployment.application_id}", "/environments", "/environments/staging"]
    addresses += ["/clusters", "/clusters/main/edit", f"/targets/{crew.place.pk}/edit", "/targets/new"]
    addresses += [f"/admin/deployments/{model}/" for model in ("cluster", "target", "deployment")]
    addresses += [f"/admin/deployments/cluster/{crew.place.cluster_id}/change/"]
    addresses += [f"/admin/deployments/target/{crew.place.pk}/change/"]
    addresses += [f"/admin/deployments/deployment/{deployment.pk}/change/"]
    browser = browser_of(admin)

    for address in addresses:
        answer = browser.get(address)
        assert answer.status_code == 200, address
        for canary in CANARIES:
            assert canary not in answer.content.decode(), address


def test_no_answer_of_the_api_shows_a_secret(
    crew: Crew, deployment: Deployment, admin: User, api_of: Callable[[User], APIClient]
) -> None:
    one, client = f"deployments/{deployment.pk}", api_of(admin)
    paths = ["clusters", "clusters/main", "targets", f"targets/{crew.place.pk}", "environments", "deployments", one]
    paths += [f"{one}/{part}" for part in ("steps", "log", "gates")]
    paths += [f"releases/{deployment.release_id}/preview?environment=staging"]

    for path in paths:
        answer = client.get(f"/api/v1/{path}")
        assert answer.status_code == 200, path
        for canary in CANARIES:
            assert canary not in answer.content.decode(), path
    assert "•••" in answer.content.decode()


def test_lists_do_not_even_load_what_is_secret(
    crew: Crew,
    deployment: Deployment,
    admin: User,
    browser_of: Callable[[User], Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("releasemgr.core.encryption.decrypt", _refuse)
    browser = browser_of(admin)

    for address in ("/", "/deployments", f"/deployments/{deployment.pk}", "/clusters", "/environments/staging"):
        assert browser.get(address).status_code == 200, address


def _refuse(token: str) -> str:
    raise AssertionError("A secret was decrypted for a page that shows none.")
