"""What Secrets of a release hold is kept out of the audit log, where it could never be removed."""

import json

import pytest

from accounts.models import User
from audit.models import Event
from releases import services
from releases.masking import without_secrets
from releases.models import Application
from tests import factories

SECRET = """
---
apiVersion: v1
kind: Secret
metadata: {name: web}
stringData: {password: "%s"}
"""


def test_text_without_a_secret_stays_as_it_was_written() -> None:
    assert without_secrets(factories.MANIFESTS) == factories.MANIFESTS


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
