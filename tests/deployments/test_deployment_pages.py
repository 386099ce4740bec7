"""The pages of deployments: who sees what, in every state."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from deployments.models import Deployment, LogLine
from deployments.targets.base import Failed, Running
from releases.models import ApprovalRule
from tests.deployments.conftest import HOSTILE, HTMX
from tests.engine.conftest import Crew, ScriptedTarget

BrowserOf = Callable[[User], Client]
EVIDENCE = {
    "workload": {"kind": "Deployment", "name": "web", "conditions": [{"type": "Progressing", "status": "False"}]},
    "pods": [
        {
            "name": "web-1",
            "phase": "Running",
            "node": "node-1",
            "conditions": [],
            "containers": [
                {
                    "name": "app",
                    "ready": False,
                    "restarts": 3,
                    "state": {"state": "waiting", "reason": "CrashLoopBackOff"},
                    "last_state": {"state": "terminated", "exit_code": 1},
                    "log": ["panic: no database", HOSTILE],
                },
            ],
        }
    ],
    "events": [{"at": "", "reason": "BackOff", "about": "Pod web-1", "message": "Back-off restarting", "count": 4}],
}


def text_of(response: Any) -> str:
    return response.content.decode()


def test_a_deployment_page_shows_its_steps_and_its_outcome(
    crew: Crew, world: ScriptedTarget, browser_of: BrowserOf
) -> None:
    deployment = crew.run(crew.deploy("1.0.0"))

    page = text_of(browser_of(crew.deployer).get(f"/deployments/{deployment.pk}"))

    for words in ("Checkout 1.0.0", "staging", "Succeeded", "Preflight", "Rollout", "4 of 4", "Roll back"):
        assert words in page
    assert "Cancel the deployment" not in page


def test_a_failed_deployment_shows_the_cause_and_the_evidence(
    crew: Crew, world: ScriptedTarget, browser_of: BrowserOf
) -> None:
    world.answers["rollout"] = [Failed("CrashLoopBackOff: container app", evidence=EVIDENCE)]
    deployment = crew.run(crew.deploy("1.0.0"))

    page = text_of(browser_of(crew.deployer).get(f"/deployments/{deployment.pk}"))

    for words in ("What went wrong", "CrashLoopBackOff: container app", "Try again"):
        assert words in page
    for evidence in ("panic: no database", "exit code 1"):
        assert evidence in page
    assert "Back-off restarting" in page


def test_a_running_deployment_says_what_it_does_and_can_be_cancelled(
    crew: Crew, world: ScriptedTarget, browser_of: BrowserOf
) -> None:
    world.answers["rollout"] = [Running("1 of 2 pods ready")]
    deployment = crew.run(crew.deploy("1.0.0"))

    page = text_of(browser_of(crew.deployer).get(f"/deployments/{deployment.pk}"))

    assert "1 of 2 pods ready" in page
    assert f'data-live="deployment.{deployment.pk}"' in page
    assert "Cancel the deployment" in page


def test_a_waiting_deployment_says_why_and_who_can_open_it(
    crew: Crew, world: ScriptedTarget, browser_of: BrowserOf
) -> None:
    ApprovalRule.objects.create(environment=crew.place.environment, team=crew.application.team, count=1)
    deployment = crew.deploy("1.0.0")

    for person, may_open in ((crew.approver, True), (crew.deployer, False)):
        page = text_of(browser_of(person).get(f"/deployments/{deployment.pk}"))
        assert "0 of 1 approvals by Payments." in page
        assert "Can be opened by Payments" in page
        assert (f"/deployments/{deployment.pk}/approve" in page) is may_open
    assert "somebody else decides about it (four eyes)" in page


def test_a_gate_with_a_time_says_when_it_opens_by_itself(
    crew: Crew, world: ScriptedTarget, browser_of: BrowserOf
) -> None:
    deployment = crew.deploy("1.0.0")
    Deployment.objects.filter(pk=deployment.pk).update(not_before=timezone.now() + timedelta(hours=3))

    page = text_of(browser_of(crew.deployer).get(f"/deployments/{deployment.pk}"))

    assert "Starts at" in page
    assert "Opens by itself" in page


def test_a_cancelled_deployment_says_by_whom(crew: Crew, world: ScriptedTarget, browser_of: BrowserOf) -> None:
    deployment = crew.deploy("1.0.0")
    browser_of(crew.deployer).post(f"/deployments/{deployment.pk}/cancel")
    crew.run(deployment)

    page = text_of(browser_of(crew.deployer).get(f"/deployments/{deployment.pk}"))

    assert "Cancelled by Deployer." in page


def test_a_rolled_back_deployment_and_its_rollback_lead_to_each_other(
    crew: Crew, world: ScriptedTarget, browser_of: BrowserOf
) -> None:
    crew.run(crew.deploy("1.0.0"))
    world.answers["rollout"] = [Failed("CrashLoopBackOff"), Running("back soon")]
    bad = crew.run(crew.deploy("2.0.0"))
    rollback = bad.rollbacks.get()

    page = text_of(browser_of(crew.deployer).get(f"/deployments/{rollback.pk}"))

    assert "Started by itself: it takes back 2.0.0" in page
    assert f'href="/deployments/{bad.pk}"' in page
    Deployment.objects.filter(pk=rollback.pk).update(status="succeeded", sequence=3)
    Deployment.objects.filter(pk=bad.pk).update(status="rolled_back")
    assert f'href="/deployments/{rollback.pk}"' in text_of(browser_of(crew.deployer).get(f"/deployments/{bad.pk}"))


def test_an_earlier_deployment_offers_to_bring_its_release_back(
    crew: Crew, world: ScriptedTarget, browser_of: BrowserOf
) -> None:
    first = crew.run(crew.deploy("1.0.0"))
    second = crew.run(crew.deploy("2.0.0"))

    page = text_of(browser_of(crew.deployer).get(f"/deployments/{first.pk}"))

    assert f"/deployments/{second.pk}/rollback?to={first.release_id}" in page
    assert "rollback-button" not in page.replace("bring-back-button", "")


def test_a_viewer_sees_everything_and_why_nothing_can_be_done(
    crew: Crew, world: ScriptedTarget, viewer: User, browser_of: BrowserOf
) -> None:
    deployment = crew.run(crew.deploy("1.0.0"))

    page = text_of(browser_of(viewer).get(f"/deployments/{deployment.pk}"))

    assert 'aria-disabled="true"' in page
    assert "You may not deploy Checkout to staging." in page
    assert f"/deployments/{deployment.pk}/rollback" not in page


PAGES = ["", "/log", "/manifests", "/rollback", "/approve", "/reject"]


@pytest.mark.parametrize("page", PAGES)
def test_an_outsider_finds_nothing(
    crew: Crew, world: ScriptedTarget, outsider: User, browser_of: BrowserOf, page: str
) -> None:
    deployment = crew.deploy("1.0.0")

    assert browser_of(outsider).get(f"/deployments/{deployment.pk}{page}").status_code == 404


@pytest.mark.parametrize("page", ["", *(f"/{{pk}}{page}" for page in PAGES)])
def test_visitors_are_sent_to_the_login(crew: Crew, client: Client, page: str) -> None:
    deployment = crew.deploy("1.0.0")

    answer = client.get("/deployments" + page.format(pk=deployment.pk))

    assert answer.status_code == 302
    assert "/login" in answer["Location"]


def test_hostile_text_stays_text(crew: Crew, world: ScriptedTarget, browser_of: BrowserOf) -> None:
    world.answers["rollout"] = [Failed(HOSTILE, evidence=EVIDENCE)]
    deployment = crew.run(crew.deploy("1.0.0"))
    LogLine.objects.create(deployment=deployment, message=HOSTILE, level="error")
    Deployment.objects.filter(pk=deployment.pk).update(reason=HOSTILE)

    for address in (f"/deployments/{deployment.pk}", f"/deployments/{deployment.pk}/log", "/deployments", "/"):
        page = text_of(browser_of(crew.deployer).get(address))
        assert "<script>alert" not in page, address


def test_the_live_part_renders_alone(crew: Crew, world: ScriptedTarget, browser_of: BrowserOf) -> None:
    deployment = crew.deploy("1.0.0")

    part = text_of(browser_of(crew.deployer).get(f"/deployments/{deployment.pk}", headers=HTMX)).strip()

    assert part.startswith('<div class="stack"\n     id="deployment"')
    assert "<html" not in part


def test_the_log_shows_the_newest_lines_and_leads_to_earlier_ones(
    crew: Crew, world: ScriptedTarget, browser_of: BrowserOf
) -> None:
    deployment = crew.deploy("1.0.0")
    LogLine.objects.bulk_create(LogLine(deployment=deployment, message=f"line {n}.") for n in range(250))
    address = f"/deployments/{deployment.pk}/log"
    browser = browser_of(crew.deployer)

    newest = text_of(browser.get(address, headers=HTMX))

    assert "line 249." in newest
    assert "line 49." not in newest
    oldest_shown = LogLine.objects.get(message="line 50.").pk
    assert f"?before={oldest_shown}" in newest
    earlier = text_of(browser.get(f"{address}?before={oldest_shown}", headers=HTMX))
    assert "line 49." in earlier
    assert "data-live" not in earlier


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "%00"])
def test_a_log_address_that_is_none_shows_the_newest_lines(
    crew: Crew, world: ScriptedTarget, browser_of: BrowserOf, before: str
) -> None:
    deployment = crew.run(crew.deploy("1.0.0"))

    answer = browser_of(crew.deployer).get(f"/deployments/{deployment.pk}/log?before={before}")

    assert answer.status_code == 200
    assert "1.0.0 runs in staging." in text_of(answer)


def test_the_list_can_be_searched_and_filtered(crew: Crew, world: ScriptedTarget, browser_of: BrowserOf) -> None:
    crew.run(crew.deploy("1.0.0"))
    crew.deploy("2.0.0")
    browser = browser_of(crew.deployer)

    for query, shown in {
        "": {"1.0.0", "2.0.0"},
        "?status=pending": {"2.0.0"},
        "?q=1.0": {"1.0.0"},
        "?environment=staging&application=checkout&kind=deploy": {"1.0.0", "2.0.0"},
        "?kind=rollback": set(),
    }.items():
        page = text_of(browser.get(f"/deployments{query}", headers=HTMX))
        assert {version for version in ("1.0.0", "2.0.0") if version in page} == shown, query
    assert "No deployment matches" in page


@pytest.mark.parametrize("query", ["status=odd", "application=nowhere", "environment=moon", "kind=x"])
def test_a_filter_that_is_none_is_refused_in_the_page(crew: Crew, browser_of: BrowserOf, query: str) -> None:
    answer = browser_of(crew.deployer).get(f"/deployments?{query}")

    assert answer.status_code == 422
    assert "This filter cannot be used." in text_of(answer)


def test_an_outsider_sees_an_empty_list(
    crew: Crew, world: ScriptedTarget, outsider: User, browser_of: BrowserOf
) -> None:
    crew.deploy("1.0.0")

    assert "Nothing deployed yet" in text_of(browser_of(outsider).get("/deployments"))


def test_the_list_costs_the_same_however_long_it_is(
    crew: Crew,
    world: ScriptedTarget,
    browser_of: BrowserOf,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(30):
        crew.deploy(f"1.0.{number}")
    browser = browser_of(crew.deployer)

    # Session, person, rights, page.
    with django_assert_max_num_queries(5):
        page = text_of(browser.get("/deployments", headers=HTMX))
    assert "Older" in page
    assert page.count('scope="row"') == 25


def test_what_a_secret_holds_is_not_among_the_objects(crew: Crew, world: ScriptedTarget, browser_of: BrowserOf) -> None:
    deployment = crew.deploy("1.0.0")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": "CANARY"}}
    Deployment.objects.filter(pk=deployment.pk).update(manifests=[secret])

    page = text_of(browser_of(crew.deployer).get(f"/deployments/{deployment.pk}/manifests"))

    assert "password" in page
    assert "CANARY" not in page
    assert "•••" in page


def test_a_deployment_that_waits_is_not_replaced_by_what_runs(
    crew: Crew, world: ScriptedTarget, browser_of: BrowserOf
) -> None:
    crew.run(crew.deploy("1.0.0"))
    waiting = crew.deploy("2.0.0")

    page = text_of(browser_of(crew.deployer).get(f"/deployments/{waiting.pk}"))

    assert "Followed by" not in page


def test_dialogs_open_inside_the_dialog_and_do_not_take_its_place(
    crew: Crew, world: ScriptedTarget, browser_of: BrowserOf
) -> None:
    """The live part around the buttons swaps itself whole, and its buttons would inherit that."""
    ApprovalRule.objects.create(environment=crew.place.environment, count=1)
    ended = crew.run(crew.deploy("1.0.0"))
    Deployment.objects.filter(pk=ended.pk).update(status="succeeded", sequence=1)
    waiting = crew.deploy("2.0.0")

    for deployment in (ended, waiting):
        page = " ".join(text_of(browser_of(crew.approver).get(f"/deployments/{deployment.pk}")).split())
        openers = page.count('hx-target="#modal"')
        assert openers > 0
        assert page.count('hx-target="#modal" hx-swap="innerHTML"') == openers
