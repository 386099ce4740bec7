"""The home board, and the parts of it that other pages show."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from deployments import selectors, services
from deployments.models import Target
from deployments.targets.base import Failed, Running
from releases.models import ApprovalRule
from tests import factories
from tests.deployments.conftest import HOSTILE, HTMX
from tests.engine.conftest import Crew, ScriptedTarget

BrowserOf = Callable[[User], Client]


def text_of(response: Any) -> str:
    return response.content.decode()


def cell_of(crew: Crew) -> selectors.Cell:
    return selectors.board(factories.actor(crew.deployer)).rows[0].cells[0]


def test_the_board_shows_what_runs_and_what_is_not_set_up(
    crew: Crew, world: ScriptedTarget, browser_of: BrowserOf
) -> None:
    factories.environment("production", position=9)
    deployment = crew.run(crew.deploy("1.0.0"))

    page = text_of(browser_of(crew.deployer).get("/"))

    for words in ("Checkout", "1.0.0", "Healthy", "Deployer", "Not set up", f'href="/deployments/{deployment.pk}"'):
        assert words in page


def test_a_place_without_deployments_says_so(crew: Crew, browser_of: BrowserOf) -> None:
    assert "Nothing deployed yet" in text_of(browser_of(crew.deployer).get("/"))


def test_a_failure_is_shown_beside_what_still_runs(crew: Crew, world: ScriptedTarget, browser_of: BrowserOf) -> None:
    crew.run(crew.deploy("1.0.0"))
    world.answers["preflight"] = [Failed("Quota exceeded")]
    crew.run(crew.deploy("2.0.0"))

    cell, page = cell_of(crew), text_of(browser_of(crew.deployer).get("/"))

    assert cell.health == "degraded"
    assert cell.current is not None
    assert cell.current.release.version == "1.0.0"
    assert "2.0.0 failed" in " ".join(page.split())


def test_a_failure_where_nothing_ran_is_unhealthy(crew: Crew, world: ScriptedTarget) -> None:
    world.answers["rollout"] = [Failed("CrashLoopBackOff")]
    crew.run(crew.deploy("1.0.0"))

    assert cell_of(crew).health == "unhealthy"


def test_a_rollback_says_what_it_took_back(crew: Crew, world: ScriptedTarget, browser_of: BrowserOf) -> None:
    crew.run(crew.deploy("1.0.0"))
    second = crew.run(crew.deploy("2.0.0"))
    services.rollback_deployment(actor=factories.actor(crew.deployer), deployment=second, reason="Slow")
    crew.run_all()

    page = text_of(browser_of(crew.deployer).get("/"))

    assert "2.0.0 was rolled back" in page
    assert cell_of(crew).health == "healthy"


def test_what_moves_now_is_told_with_its_step(crew: Crew, world: ScriptedTarget, browser_of: BrowserOf) -> None:
    crew.run(crew.deploy("1.0.0"))
    world.answers["rollout"] = [Running("1 of 2 pods ready")]
    crew.run(crew.deploy("2.0.0"))

    page = " ".join(text_of(browser_of(crew.deployer).get("/")).split())

    assert "Moving now" in page
    assert page.count("rollout · 1 of 2 pods ready") == 2


def test_what_waits_is_told_with_its_gate(crew: Crew, world: ScriptedTarget, browser_of: BrowserOf) -> None:
    ApprovalRule.objects.create(environment=crew.place.environment, count=1)
    crew.run(crew.deploy("1.0.0"))

    approver, deployer = (text_of(browser_of(person).get("/")) for person in (crew.approver, crew.deployer))

    assert "0 of 1 approvals by anyone who may approve." in deployer
    assert "Waits for you" in approver
    assert "Waits for you" not in deployer


def test_releases_in_review_wait_for_those_who_may_approve_and_have_not(
    crew: Crew, world: ScriptedTarget, viewer: User, outsider: User, admin: User
) -> None:
    ApprovalRule.objects.create(application=crew.application, count=2)
    release = factories.in_review(crew.deployer, crew.application)

    def waits(person: User) -> bool:
        return release in selectors.board(factories.actor(person)).to_approve

    people = (crew.approver, admin, crew.deployer, viewer, outsider)
    assert [waits(person) for person in people] == [True, True, False, False, False]
    factories.services.approve_release(actor=factories.actor(crew.approver), release=release)
    assert not waits(crew.approver)


def test_the_board_is_found_by_words_and_by_team(
    crew: Crew, outsider: User, admin: User, browser_of: BrowserOf
) -> None:
    factories.application(factories.Team.objects.get(slug="others"), slug="ledger", name="Ledger")
    browser = browser_of(admin)

    for query, shown in {"": 2, "?q=check": 1, "?team=others": 1, "?q=payments": 1, "?q=nothing": 0}.items():
        page = text_of(browser.get(f"/{query}", headers=HTMX))
        assert page.count('class="board-application"') == shown, query
    assert "No application matches" in page


def test_an_outsider_sees_none_of_it(crew: Crew, world: ScriptedTarget, outsider: User, browser_of: BrowserOf) -> None:
    crew.run(crew.deploy("1.0.0"))

    page = text_of(browser_of(outsider).get("/"))

    assert "Checkout" not in page
    assert "No applications yet" in page


def test_a_viewer_sees_the_board(crew: Crew, world: ScriptedTarget, viewer: User, browser_of: BrowserOf) -> None:
    crew.run(crew.deploy("1.0.0"))

    assert "1.0.0" in text_of(browser_of(viewer).get("/"))


def test_visitors_are_sent_to_the_login(client: Client, db: None) -> None:
    assert client.get("/").status_code == 302


def test_the_board_asks_six_queries_however_much_is_on_it(
    crew: Crew, world: ScriptedTarget, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    production = factories.environment("production", position=2)
    for number in range(12):
        application = factories.application(crew.application.team, slug=f"app-{number}", name=f"App {number}")
        for environment in (crew.place.environment, production):
            factories.target(application, environment, crew.place.cluster)
        factories.in_review(crew.deployer, application)
        release = factories.approved(crew.deployer, crew.approver, application, "2.0.0")
        world.answers["rollout"] = [Running("1 of 2")] if number % 2 else []
        crew.run(
            services.start_deployment(
                actor=factories.actor(crew.deployer), release=release, environment=crew.place.environment
            )
        )
    actor = factories.actor(crew.approver)
    assert actor.grants

    with django_assert_max_num_queries(6):
        found = selectors.board(actor)
        assert len(found.rows) == 13
        assert sum(cell.moving is not None for row in found.rows for cell in row.cells) == 6
        assert len(found.to_approve) == 12


def test_the_page_adds_only_session_person_and_rights(
    crew: Crew,
    world: ScriptedTarget,
    browser_of: BrowserOf,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    world.answers["rollout"] = [Running("1 of 2")]
    crew.run(crew.deploy("1.0.0"))
    crew.deploy("2.0.0")
    browser = browser_of(crew.deployer)

    with django_assert_max_num_queries(9):
        browser.get("/", headers=HTMX)


def test_a_search_too_long_is_refused_in_the_page(crew: Crew, browser_of: BrowserOf) -> None:
    assert browser_of(crew.deployer).get(f"/?q={'x' * 300}").status_code == 422


def test_hostile_progress_stays_text(crew: Crew, world: ScriptedTarget, browser_of: BrowserOf) -> None:
    world.answers["rollout"] = [Running(HOSTILE)]
    crew.run(crew.deploy("1.0.0"))

    assert "<script>alert" not in text_of(browser_of(crew.deployer).get("/"))


def test_a_release_page_offers_each_environment_in_order(
    crew: Crew, world: ScriptedTarget, viewer: User, browser_of: BrowserOf
) -> None:
    factories.environment("production", position=9)
    release = factories.approved(crew.deployer, crew.approver, crew.application)
    address = f"/deployments/for-release/{release.pk}"

    part = text_of(browser_of(crew.deployer).get(address, headers=HTMX))
    seen = text_of(browser_of(viewer).get(address, headers=HTMX))

    assert part.index("staging") < part.index("production")
    assert f"/deployments/start/{release.pk}/staging" in part
    assert "Checkout is not set up in production." in part
    assert "You may not deploy Checkout to staging." in seen
    assert "/deployments/start/" not in seen


def test_a_release_page_follows_what_is_under_way(crew: Crew, world: ScriptedTarget, browser_of: BrowserOf) -> None:
    deployment = crew.deploy("1.0.0")

    part = text_of(browser_of(crew.deployer).get(f"/deployments/for-release/{deployment.release_id}"))

    assert "Follow" in part
    assert "/deployments/start/" not in part


def test_a_release_in_review_cannot_be_deployed_from_its_page(crew: Crew, browser_of: BrowserOf) -> None:
    release = factories.in_review(crew.deployer, crew.application)

    part = text_of(browser_of(crew.deployer).get(f"/deployments/for-release/{release.pk}"))

    assert "It is in review; only an approved release goes out." in part


def test_an_application_page_shows_where_it_runs(
    crew: Crew, world: ScriptedTarget, admin: User, browser_of: BrowserOf
) -> None:
    crew.run(crew.deploy("1.0.0"))
    address = f"/deployments/for-application/{crew.application.pk}"

    part, for_admin = (text_of(browser_of(person).get(address)) for person in (crew.deployer, admin))

    for words in ("staging", "1.0.0", "main", "default"):
        assert words in part
    edit = f"/targets/{crew.place.pk}/edit"
    assert edit in for_admin
    assert edit not in part


@pytest.mark.parametrize("part", ["for-release", "for-application"])
def test_an_outsider_finds_no_part(
    crew: Crew, world: ScriptedTarget, outsider: User, browser_of: BrowserOf, part: str
) -> None:
    deployment = crew.deploy("1.0.0")
    pk = {"for-release": deployment.release_id, "for-application": deployment.application_id}[part]

    assert browser_of(outsider).get(f"/deployments/{part}/{pk}").status_code == 404


def test_an_environment_without_targets_stays_on_the_board(crew: Crew, browser_of: BrowserOf) -> None:
    Target.objects.all().delete()

    assert "Not set up" in text_of(browser_of(crew.deployer).get("/"))
