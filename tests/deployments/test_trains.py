"""Trains: all of them leave or none, each goes its own way, and they are stopped and taken back together."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import Team, User
from audit.models import Event
from deployments.models import Deployment, Train
from deployments.services.trains import cancel_train, rollback_train, start_train
from deployments.targets.base import Failed, Running
from releasemgr.core.errors import Invalid, WrongState
from releases.models import Release
from tests import factories
from tests.deployments.conftest import HTMX
from tests.engine.conftest import Crew, ScriptedTarget

ApiOf = Callable[[User], APIClient]
BrowserOf = Callable[[User], Client]
TRAINS = "/api/v1/trains"


def text_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


@pytest.fixture
def passengers(crew: Crew, team: Team, world: ScriptedTarget) -> list[Release]:
    """An approved release of each of three applications, all of them with a target in staging."""
    releases = [factories.approved(crew.deployer, crew.approver, crew.application, "1.0.0")]
    for slug in ("billing", "search"):
        application = factories.application(team, slug=slug, name=slug.title())
        factories.target(application, crew.place.environment, crew.place.cluster, namespace=slug)
        releases.append(factories.approved(crew.deployer, crew.approver, application, "1.0.0"))
    return releases


@pytest.fixture
def send(crew: Crew) -> Callable[..., Train]:
    def send(releases: list[Release], reason: str = "") -> Train:
        return start_train(
            actor=factories.actor(crew.deployer),
            environment=crew.place.environment,
            releases=[release.pk for release in releases],
            reason=reason,
        )

    return send


Send = Callable[..., Train]


def test_one_request_sends_them_all(
    crew: Crew, passengers: list[Release], api_of: ApiOf, world: ScriptedTarget
) -> None:
    api = api_of(crew.deployer)
    body = {"environment": "staging", "releases": [str(each.pk) for each in passengers], "reason": "Monday"}

    answer = api.post(TRAINS, body)
    crew.run_all()
    train = api.get(answer["Location"]).json()

    assert (answer.status_code, answer.json()["status"]) == (202, "in_progress")
    assert (train["status"], train["counts"]["succeeded"], train["reason"]) == ("succeeded", 3, "Monday")
    assert [row["application"] for row in train["deployments"]] == ["billing", "checkout", "search"]
    assert sorted(world.changes) == ["1.0.0"] * 3
    listed = api.get(f"{TRAINS}?environment=staging").json()["results"]
    assert [(row["id"], row["status"]) for row in listed] == [(train["id"], "succeeded")]
    assert len(api.get(f"/api/v1/deployments?train={train['id']}").json()["results"]) == 3


def test_each_deployment_and_the_train_are_on_record(passengers: list[Release], send: Send) -> None:
    train = send(passengers, "Monday")

    started = Event.objects.get(action="train.started")
    assert (started.resource_id, started.data["releases"]) == (str(train.pk), 3)
    requested = Event.objects.filter(action="deployment.requested", data__train=str(train.pk))
    assert {event.application_id for event in requested} == {each.application_id for each in passengers}


def test_what_is_wrong_is_told_by_release_and_nothing_starts(
    crew: Crew, passengers: list[Release], team: Team, api_of: ApiOf, outsider: User, approver: User
) -> None:
    others = factories.application(Team.objects.get(slug="others"), slug="ledger", name="Ledger")
    unseen = factories.approved(outsider, factories.user("third", teams=[others.team]), others)
    homeless = factories.approved(crew.deployer, approver, factories.application(team, "jobs", "Jobs"))
    draft = factories.draft(crew.deployer, crew.application, "2.0.0")
    ids = [str(pk) for pk in (passengers[1].pk, unseen.pk, homeless.pk, draft.pk, uuid4())]

    answer = api_of(crew.deployer).post(TRAINS, {"environment": "staging", "releases": ids})

    assert answer.status_code == 422
    told = answer.json()
    assert told["message"].startswith("4 of 5 releases cannot go to staging, so nothing was started.")
    problems = [told["details"].get(pk, [""])[0] for pk in ids]
    assert problems[0] == ""
    assert "you may not see it" in problems[1]
    assert "Jobs has no target in staging" in problems[2]
    assert "is draft" in problems[3]
    assert not Deployment.objects.exists()
    assert not Train.objects.exists()


def test_two_releases_of_one_application_do_not_share_a_train(
    crew: Crew, passengers: list[Release], send: Send
) -> None:
    second = factories.approved(crew.deployer, crew.approver, crew.application, "1.1.0")

    with pytest.raises(Invalid, match="more than once"):
        send([passengers[0], second])


def test_content_that_does_not_fit_keeps_the_train_from_leaving(
    crew: Crew, passengers: list[Release], send: Send
) -> None:
    Release.objects.filter(pk=passengers[2].pk).update(artifacts={"images": {}, "manifests": "kind: [\n"})

    with pytest.raises(Invalid) as refused:
        send(passengers)
    assert list(refused.value.details) == [str(passengers[2].pk)]


def test_a_hundred_releases_leave_with_one_click_in_few_statements(
    crew: Crew, world: ScriptedTarget, team: Team, send: Send, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    """One statement wakes a worker for each of them; the others do not grow with their number."""
    releases = []
    for number in range(20):
        application = factories.application(team, slug=f"app-{number}", name=f"App {number}")
        factories.target(application, crew.place.environment, crew.place.cluster, namespace=f"app-{number}")
        releases.append(factories.approved(crew.deployer, crew.approver, application))

    with django_assert_max_num_queries(20 + 15):
        send(releases)


def test_a_failure_stops_no_other_and_is_counted(
    crew: Crew, passengers: list[Release], send: Send, world: ScriptedTarget, api_of: ApiOf
) -> None:
    train = send(passengers)
    world.answers["preflight"] = [Failed("Quota exceeded")]
    crew.run(Deployment.objects.get(train=train, application=crew.application))
    world.answers.clear()
    crew.run_all()

    told = api_of(crew.deployer).get(f"{TRAINS}/{train.pk}").json()
    assert (told["status"], told["counts"]["failed"], told["counts"]["succeeded"]) == ("partly_failed", 1, 2)


def test_a_train_goes_on_to_every_target_of_an_application(
    crew: Crew, passengers: list[Release], send: Send, world: ScriptedTarget
) -> None:
    factories.target(crew.application, crew.place.environment, crew.place.cluster, namespace="second", wave=2)
    train = send(passengers)
    crew.run_all()

    lead = Deployment.objects.get(train=train, application=crew.application)
    assert [part.status for part in lead.parts.all()] == ["succeeded"]
    assert train.deployments.count() == 3


def test_stopping_a_train_cancels_what_is_open(
    crew: Crew, passengers: list[Release], send: Send, world: ScriptedTarget, api_of: ApiOf
) -> None:
    train = send(passengers)
    crew.run(Deployment.objects.get(train=train, application=crew.application))

    answer = api_of(crew.deployer).post(f"{TRAINS}/{train.pk}/cancel")
    crew.run_all()

    assert answer.status_code == 202
    assert sorted(train.deployments.values_list("status", flat=True)) == ["cancelled", "cancelled", "succeeded"]
    with pytest.raises(WrongState, match="Nothing of this train"):
        cancel_train(actor=factories.actor(crew.deployer), train=train)


def test_rolling_a_train_back_takes_back_each_that_has_something_before(
    crew: Crew, passengers: list[Release], send: Send, world: ScriptedTarget, api_of: ApiOf
) -> None:
    send(passengers[1:])
    crew.run_all()
    newer = [factories.approved(crew.deployer, crew.approver, each.application, "2.0.0") for each in passengers]
    train = send(newer)
    crew.run_all()

    answer = api_of(crew.deployer).post(f"{TRAINS}/{train.pk}/rollback", {"reason": "Carts are empty"})
    crew.run_all()

    assert answer.status_code == 202
    assert [row["version"] for row in answer.json()["results"]] == ["1.0.0", "1.0.0"]
    statuses = dict(train.deployments.values_list("application__slug", "status"))
    assert statuses == {"checkout": "succeeded", "billing": "rolled_back", "search": "rolled_back"}
    with pytest.raises(WrongState, match="no earlier release"):
        rollback_train(actor=factories.actor(crew.deployer), train=train, reason="Again")


def test_people_see_of_a_train_what_they_see_anyway(
    crew: Crew, passengers: list[Release], send: Send, api_of: ApiOf, outsider: User, admin: User
) -> None:
    train = send(passengers)
    others = Team.objects.get(slug="others")
    assert api_of(outsider).get(f"{TRAINS}/{train.pk}").status_code == 404

    application = passengers[1].application
    factories.grant(others, ["view_application"], application)
    seen = api_of(outsider).get(f"{TRAINS}/{train.pk}").json()
    assert [row["application"] for row in seen["deployments"]] == ["billing"]
    assert sum(seen["counts"].values()) == 1
    assert sum(api_of(admin).get(f"{TRAINS}/{train.pk}").json()["counts"].values()) == 3


def test_the_page_offers_what_is_newer_and_says_what_is_held_up(
    crew: Crew, passengers: list[Release], send: Send, world: ScriptedTarget, browser_of: BrowserOf
) -> None:
    send(passengers)
    browser, page = browser_of(crew.deployer), "/environments/staging/train"
    assert text_of(browser.get(page)).count("It is on its way there already.") == 3
    crew.run_all()
    assert "Everything is up to date" in text_of(browser.get(page))

    newer = factories.approved(crew.deployer, crew.approver, crew.application, "2.0.0")
    offered = browser.get(page)
    assert "2.0.0" in text_of(offered)
    assert offered.context["form"].chosen == [str(newer.pk)]

    world.answers["rollout"] = [Failed("CrashLoopBackOff"), Running("back")]
    crew.run(crew_deploys(crew, newer))
    doubtful = browser.get(page)
    assert "Its last deployment there failed." in text_of(doubtful)
    assert doubtful.context["form"].chosen == []


def crew_deploys(crew: Crew, release: Release) -> Deployment:
    train = start_train(actor=factories.actor(crew.deployer), environment=crew.place.environment, releases=[release.pk])
    return Deployment.objects.get(train=train)


def test_a_promotion_that_is_missing_blocks_the_box(
    crew: Crew, passengers: list[Release], team: Team, browser_of: BrowserOf
) -> None:
    production = factories.environment("production", requires=crew.place.environment)
    factories.target(crew.application, production, crew.place.cluster, namespace="production")

    assert "It must first succeed in staging." in text_of(
        browser_of(crew.deployer).get("/environments/production/train")
    )


def test_one_click_on_the_page_sends_and_shows_the_train(
    crew: Crew, passengers: list[Release], world: ScriptedTarget, browser_of: BrowserOf
) -> None:
    browser, page = browser_of(crew.deployer), "/environments/staging/train"
    assert browser.post(page, {}).status_code == 422

    answer = browser.post(page, {"releases": [str(each.pk) for each in passengers], "reason": "Monday"})
    train = Train.objects.get()

    assert answer["Location"] == f"/trains/{train.pk}"
    assert "0 of 3 done" in text_of(browser.get(f"/trains/{train.pk}"))
    crew.run_all()
    fresh = text_of(browser.get(f"/trains/{train.pk}", headers=HTMX))
    assert "3 of 3 done" in fresh
    assert "<html" not in fresh
    assert "Monday" in text_of(browser.get("/environments/staging"))


def test_the_page_of_a_train_stops_it_and_takes_it_back(
    crew: Crew, passengers: list[Release], send: Send, world: ScriptedTarget, browser_of: BrowserOf
) -> None:
    train, browser = send(passengers), browser_of(crew.deployer)
    assert browser.post(f"/trains/{train.pk}/cancel", headers=HTMX).status_code == 200
    crew.run_all()
    assert browser.post(f"/trains/{train.pk}/cancel", headers=HTMX).status_code == 409

    dialog = browser.get(f"/trains/{train.pk}/rollback", headers=HTMX)
    assert "0 deployments succeeded" in text_of(dialog)
    assert browser.post(f"/trains/{train.pk}/rollback", {"reason": ""}, headers=HTMX).status_code == 422
    assert browser.post(f"/trains/{train.pk}/rollback", {"reason": "Slow"}, headers=HTMX).status_code == 409


def test_who_may_not_deploy_is_told_so(
    crew: Crew, passengers: list[Release], viewer: User, api_of: ApiOf, send: Send
) -> None:
    body = {"environment": "staging", "releases": [str(passengers[0].pk)]}
    train = send(passengers)

    assert api_of(viewer).post(TRAINS, body).status_code == 403
    assert api_of(viewer).post(f"{TRAINS}/{train.pk}/cancel").status_code == 403
