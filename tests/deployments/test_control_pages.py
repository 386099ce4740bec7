"""The buttons: start, cancel, retry, roll back, approve, reject; for those who may, and for everybody else."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from deployments.models import Deployment
from deployments.targets.base import Failed, Running
from releases.models import ApprovalRule, Release
from tests import factories
from tests.deployments.conftest import HTMX
from tests.engine.conftest import Crew, ScriptedTarget

BrowserOf = Callable[[User], Client]


def text_of(response: Any) -> str:
    return response.content.decode()


def toast_of(response: Any) -> dict[str, str]:
    told: dict[str, str] = json.loads(response["HX-Trigger"])["toast"]
    return told


@pytest.fixture
def release(crew: Crew) -> Release:
    return factories.approved(crew.deployer, crew.approver, crew.application)


def start_address(release: Release, environment: str = "staging") -> str:
    return f"/deployments/start/{release.pk}/{environment}"


def test_starting_leads_to_the_deployment(
    crew: Crew, world: ScriptedTarget, release: Release, browser_of: BrowserOf
) -> None:
    answer = browser_of(crew.deployer).post(
        start_address(release), {"reason": "Friday", "not_before": "2030-01-01T10:00"}, headers=HTMX
    )

    made = Deployment.objects.get()
    assert answer["HX-Redirect"] == f"/deployments/{made.pk}"
    assert (made.reason, made.deployed_by) == ("Friday", crew.deployer)
    assert made.not_before is not None
    assert made.not_before.isoformat() == "2030-01-01T10:00:00+00:00"


def test_the_start_dialog_says_what_changes_and_what_would_hold_it(
    crew: Crew, release: Release, browser_of: BrowserOf
) -> None:
    ApprovalRule.objects.create(environment=crew.place.environment, count=2)

    dialog = text_of(browser_of(crew.deployer).get(start_address(release), headers=HTMX))

    assert "It would wait" in dialog
    assert "0 of 2 approvals" in dialog
    assert "registry.example/web" in dialog
    assert "<html" not in dialog
    assert "<html" in text_of(browser_of(crew.deployer).get(start_address(release)))


def test_what_cannot_be_started_is_told_in_the_dialog(
    crew: Crew, world: ScriptedTarget, release: Release, browser_of: BrowserOf
) -> None:
    window = {"reason": "kept", "not_before": "2030-01-02T10:00", "not_after": "2030-01-01T10:00"}

    answer = browser_of(crew.deployer).post(start_address(release), window, headers=HTMX)

    assert answer.status_code == 422
    assert "Must be later than not_before." in text_of(answer)
    assert "kept" in text_of(answer)
    assert not Deployment.objects.exists()


@pytest.mark.parametrize("value", ["soon", "2030-13-01T00:00", "\x00"])
def test_a_time_that_is_none_is_refused(
    crew: Crew, world: ScriptedTarget, release: Release, browser_of: BrowserOf, value: str
) -> None:
    answer = browser_of(crew.deployer).post(start_address(release), {"not_before": value}, headers=HTMX)

    assert answer.status_code == 422


def test_a_release_in_review_does_not_go_out(crew: Crew, world: ScriptedTarget, browser_of: BrowserOf) -> None:
    waiting = factories.in_review(crew.deployer, crew.application)

    answer = browser_of(crew.deployer).post(start_address(waiting), headers=HTMX)

    assert answer.status_code == 409
    assert "only an approved release goes out" in text_of(answer)
    assert not Deployment.objects.exists()


def test_who_may_not_deploy_cannot_start(
    crew: Crew, release: Release, viewer: User, outsider: User, client: Client, browser_of: BrowserOf
) -> None:
    refused = browser_of(viewer).post(start_address(release), headers=HTMX)

    assert refused.status_code == 403
    assert toast_of(refused)["message"] == "You may not deploy Checkout to staging."
    assert browser_of(viewer).get(start_address(release)).status_code == 403
    assert browser_of(outsider).post(start_address(release)).status_code == 404
    assert client.post(start_address(release)).status_code == 302
    assert browser_of(crew.deployer).get(start_address(release, "moon")).status_code == 404
    factories.environment("moon")
    assert browser_of(crew.deployer).get(start_address(release, "moon")).status_code == 422
    assert not Deployment.objects.exists()


def test_cancelling_shows_the_deployment_as_it_is_now(crew: Crew, world: ScriptedTarget, browser_of: BrowserOf) -> None:
    world.answers["rollout"] = [Running("1 of 2")]
    deployment = crew.run(crew.deploy("1.0.0"))

    answer = browser_of(crew.deployer).post(f"/deployments/{deployment.pk}/cancel", headers=HTMX)

    assert answer.status_code == 200
    assert "It is being cancelled" in text_of(answer)
    assert toast_of(answer)["level"] == "success"
    assert answer["HX-Retarget"] == "#deployment"


def test_cancelling_what_has_ended_is_409_with_the_fresh_part(
    crew: Crew, world: ScriptedTarget, browser_of: BrowserOf
) -> None:
    deployment = crew.run(crew.deploy("1.0.0"))

    answer = browser_of(crew.deployer).post(f"/deployments/{deployment.pk}/cancel", headers=HTMX)

    assert answer.status_code == 409
    assert toast_of(answer) == {"message": "It has already ended (succeeded): nothing to cancel.", "level": "danger"}
    assert 'id="deployment"' in text_of(answer)


def test_a_rollback_needs_a_reason_and_leads_to_the_new_deployment(
    crew: Crew, world: ScriptedTarget, browser_of: BrowserOf
) -> None:
    first = crew.run(crew.deploy("1.0.0"))
    second = crew.run(crew.deploy("2.0.0"))
    browser, address = browser_of(crew.deployer), f"/deployments/{second.pk}/rollback"

    dialog = text_of(browser.get(address, headers=HTMX))
    without = browser.post(address, {"to": first.release_id}, headers=HTMX)
    done = browser.post(address, {"to": first.release_id, "reason": "Slow"}, headers=HTMX)

    assert "1.0.0, ran well from" in dialog
    assert without.status_code == 422
    assert "Say why you roll back" in text_of(without)
    made = Deployment.objects.get(kind="rollback")
    assert done["HX-Redirect"] == f"/deployments/{made.pk}"
    assert (made.release_id, made.reason) == (first.release_id, "Slow")


def test_a_release_that_never_ran_here_cannot_be_brought_back(
    crew: Crew, world: ScriptedTarget, release: Release, browser_of: BrowserOf
) -> None:
    crew.run(crew.deploy("2.0.0"))
    deployment = crew.run(crew.deploy("3.0.0"))

    answer = browser_of(crew.deployer).post(
        f"/deployments/{deployment.pk}/rollback", {"to": release.pk, "reason": "x"}, headers=HTMX
    )

    assert answer.status_code == 422
    assert not Deployment.objects.filter(kind="rollback").exists()


def test_without_an_earlier_release_the_dialog_says_so(
    crew: Crew, world: ScriptedTarget, browser_of: BrowserOf
) -> None:
    deployment = crew.run(crew.deploy("1.0.0"))

    dialog = text_of(browser_of(crew.deployer).get(f"/deployments/{deployment.pk}/rollback", headers=HTMX))

    assert "There is nothing to go back to" in dialog


def test_rolling_back_what_has_not_started_is_409(crew: Crew, world: ScriptedTarget, browser_of: BrowserOf) -> None:
    first = crew.run(crew.deploy("1.0.0"))
    waiting = crew.deploy("2.0.0")

    answer = browser_of(crew.deployer).post(
        f"/deployments/{waiting.pk}/rollback", {"to": first.release_id, "reason": "x"}, headers=HTMX
    )

    assert answer.status_code == 409
    assert 'id="deployment"' in text_of(answer)
    assert "close-modal" in answer["HX-Trigger-After-Settle"]


def test_trying_again_makes_a_new_deployment(crew: Crew, world: ScriptedTarget, browser_of: BrowserOf) -> None:
    world.answers["rollout"] = [Failed("CrashLoopBackOff")]
    deployment = crew.run(crew.deploy("1.0.0"))
    browser = browser_of(crew.deployer)

    answer = browser.post(f"/deployments/{deployment.pk}/retry", headers=HTMX)

    made = Deployment.objects.exclude(pk=deployment.pk).get()
    assert answer["HX-Redirect"] == f"/deployments/{made.pk}"
    assert browser.post(f"/deployments/{made.pk}/retry", headers=HTMX).status_code == 409


@pytest.fixture
def waiting(crew: Crew, world: ScriptedTarget) -> Deployment:
    ApprovalRule.objects.create(environment=crew.place.environment, count=1)
    return crew.run(crew.deploy("1.0.0"))


def test_an_approval_opens_the_gate(crew: Crew, waiting: Deployment, browser_of: BrowserOf) -> None:
    browser, address = browser_of(crew.approver), f"/deployments/{waiting.pk}/approve"

    dialog = browser.get(address, headers=HTMX)
    answer = browser.post(address, {"digest": waiting.release_digest, "comment": "Fine"}, headers=HTMX)
    again = browser.post(address, {"digest": waiting.release_digest}, headers=HTMX)

    assert waiting.release_digest[7:19] in text_of(dialog)
    assert answer.status_code == 200
    assert "1 of 1 approvals" in text_of(answer)
    assert again.status_code == 409
    assert crew.run(waiting).status == "succeeded"


def test_a_rejection_needs_a_reason_and_ends_it(crew: Crew, waiting: Deployment, browser_of: BrowserOf) -> None:
    browser, address = browser_of(crew.approver), f"/deployments/{waiting.pk}/reject"

    without = browser.post(address, {"digest": waiting.release_digest}, headers=HTMX)
    done = browser.post(address, {"digest": waiting.release_digest, "comment": "Not today"}, headers=HTMX)

    assert without.status_code == 422
    assert done.status_code == 200
    assert crew.run(waiting).error_message == "Rejected by Approver: Not today"


def test_another_content_than_was_read_is_not_approved(crew: Crew, waiting: Deployment, browser_of: BrowserOf) -> None:
    answer = browser_of(crew.approver).post(
        f"/deployments/{waiting.pk}/approve", {"digest": "sha256:" + "0" * 64}, headers=HTMX
    )

    assert answer.status_code == 409
    assert not waiting.approvals.exists()


def test_who_asked_for_it_does_not_decide(crew: Crew, waiting: Deployment, viewer: User, browser_of: BrowserOf) -> None:
    for person in (crew.deployer, viewer):
        for verb in ("approve", "reject"):
            browser, address = browser_of(person), f"/deployments/{waiting.pk}/{verb}"
            assert browser.get(address).status_code == 403
            assert browser.post(address, {"digest": waiting.release_digest, "comment": "x"}).status_code == 403
    assert not waiting.approvals.exists()


ACTIONS = ["cancel", "retry", "rollback", "approve", "reject"]


@pytest.mark.parametrize("action", ACTIONS)
def test_nothing_moves_for_those_who_may_not(
    crew: Crew, waiting: Deployment, viewer: User, outsider: User, client: Client, browser_of: BrowserOf, action: str
) -> None:
    address = f"/deployments/{waiting.pk}/{action}"

    assert browser_of(viewer).post(address, {"reason": "x"}).status_code == 403
    assert browser_of(outsider).post(address, {"reason": "x"}).status_code == 404
    assert client.post(address).status_code == 302
    assert Deployment.objects.count() == 1
    waiting.refresh_from_db()
    assert waiting.cancel_requested_at is None


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_a_get_changes_nothing(crew: Crew, waiting: Deployment, browser_of: BrowserOf, action: str) -> None:
    assert browser_of(crew.deployer).get(f"/deployments/{waiting.pk}/{action}").status_code == 405


def test_without_a_script_a_plain_form_does_the_same(crew: Crew, waiting: Deployment, browser_of: BrowserOf) -> None:
    answer = browser_of(crew.deployer).post(f"/deployments/{waiting.pk}/cancel", follow=True)

    assert answer.redirect_chain == [(f"/deployments/{waiting.pk}", 302)]
    assert "It stops at the next safe point." in text_of(answer)
