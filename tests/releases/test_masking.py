"""What a release's Secrets hold: for those who may write it, and never in the audit log, where it would stay."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from accounts.policies import grant
from audit.models import Event
from releases import services
from releases.masking import without_secrets
from releases.models import Application, Release
from releases.policies import visible_artifacts
from tests import factories
from tests.releases.conftest import HTMX

LogIn = Callable[[User], APIClient]
Browse = Callable[[User], Client]

SECRET = """
---
apiVersion: v1
kind: Secret
metadata: {name: web}
stringData: {password: "%s"}
"""


def test_text_without_a_secret_stays_as_it_was_written() -> None:
    assert without_secrets(factories.MANIFESTS) == factories.MANIFESTS


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {p: hunter2}}]",
        "kind: SecretList\nitems: [{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {p: hunter2}}]",
        "apiVersion: v1\nkind: list\nitems: [{apiVersion: v1, kind: secret, metadata: {name: a}, data: {p: hunter2}}]",
        "apiVersion: v1\nkind: SECRET\nmetadata: {name: a}\nstringData: {p: hunter2}",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nStringData: {p: hunter2}",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: [hunter2]",
        "apiVersion: example.com/v1\nkind: Secret\nmetadata: {name: a}\nspec: hunter2",
    ],
)
def test_a_secret_is_known_in_lists_and_in_odd_casing(text: str) -> None:
    assert "hunter2" not in without_secrets(text)


def test_what_can_no_longer_be_read_is_hidden_as_a_whole() -> None:
    assert "hunter2" not in without_secrets("kind: [hunter2")


@pytest.mark.django_db
def test_an_edit_leaves_no_secret_in_the_audit_log(deployer: User, application: Application) -> None:
    actor = factories.actor(deployer)
    artifacts = factories.artifacts(manifests=factories.MANIFESTS + SECRET % "hunter2")
    release = services.draft_release(actor=actor, application=application, version="1.0", artifacts=artifacts)
    changed = artifacts | {"manifests": factories.MANIFESTS + SECRET % "hunter3"}
    services.edit_release(actor=actor, release=release, changes={"artifacts": changed, "description": "New password"})

    event = Event.objects.get(action="release.updated")
    assert "hunter" not in json.dumps(event.changes)
    assert event.changes["description"] == ["", "New password"]
    assert "password" in event.changes["artifacts"][1]["manifests"], "the keys may be seen"


@pytest.fixture
def release(deployer: User, application: Application) -> Release:
    content = factories.artifacts(manifests=factories.MANIFESTS + SECRET % "hunter2")
    return factories.in_review(deployer, application, artifacts=content)


@pytest.fixture
def judge(release: Release) -> User:
    """Approves and may not develop: a team of its own."""
    judges = factories.team("judges", "Judges")
    grant(judges, ["view_application", "approve_application"], release.application)
    return factories.user("judge", teams=[judges])


@pytest.mark.parametrize("who", ["viewer", "judge"])
def test_who_may_not_write_it_sees_no_secret(
    release: Release, who: str, request: pytest.FixtureRequest, api_of: LogIn, browser_of: Browse
) -> None:
    person, one = request.getfixturevalue(who), f"/api/v1/releases/{release.pk}"
    api, browser = api_of(person), browser_of(person)

    answers: list[Any] = [api.get(one), api.get("/api/v1/releases"), browser.get(f"/releases/{release.pk}")]
    answers += [browser.get(f"/releases/{release.pk}", headers=HTMX)]
    if who == "judge":
        answers += [api.post(f"{one}/approve", {"digest": release.digest})]

    for answer in answers:
        assert answer.status_code == 200
        said = answer.content.decode()
        assert "hunter2" not in said
        assert "password" in said, "the keys may be seen"


def test_who_may_write_it_sees_it_and_sends_it_back_unchanged(
    release: Release, deployer: User, api_of: LogIn, browser_of: Browse
) -> None:
    api, one = api_of(deployer), f"/api/v1/releases/{release.pk}"
    read = api.get(one).json()
    written = api.patch(one, {"artifacts": read["artifacts"]}).json()

    assert "hunter2" in read["artifacts"]["manifests"]
    assert written["digest"] == read["digest"] == release.digest
    assert "hunter2" in browser_of(deployer).get(f"/releases/{release.pk}").content.decode()


def test_a_token_that_only_reads_sees_no_secret(release: Release, deployer: User) -> None:
    reader = replace(factories.actor(deployer), scopes=frozenset({"releases:read"}))

    assert "hunter2" not in visible_artifacts(reader, release)["manifests"]


def test_another_draft_cannot_start_from_content_that_one_may_not_write(
    release: Release, judge: User, browser_of: Browse
) -> None:
    mine = factories.team("mine", "Mine")
    factories.join(judge, mine)
    factories.application(mine, "mine", "Mine")

    answer = browser_of(judge).get(f"/releases/new?from={release.pk}")

    assert answer.status_code == 403
    assert "hunter2" not in answer.content.decode()
