"""Several targets in one environment, as pages and API show them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from deployments import selectors
from deployments.models import Environment, Target
from deployments.targets.base import Failed
from tests import factories
from tests.engine.conftest import Crew
from tests.engine.test_waves import Regions, regions

__all__ = ["regions"]

ApiOf = Callable[[User], APIClient]
BrowserOf = Callable[[User], Client]


def text_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


@pytest.fixture
def place(place: Target) -> Target:
    """Two clusters behind the first one."""
    for name in ("eu-2", "us-1"):
        factories.target(place.application, place.environment, factories.cluster(name=name), namespace=name, wave=2)
    return place


def test_a_second_target_is_set_up_in_another_place_and_not_twice_in_one(
    crew: Crew, admin: User, api_of: ApiOf
) -> None:
    body = {"application": "checkout", "environment": "staging", "cluster": "eu-2", "namespace": "shop", "wave": 3}
    api = api_of(admin)

    assert api.post("/api/v1/targets", body).json()["wave"] == 3
    assert api.post("/api/v1/targets", body).status_code == 422


def test_the_answer_names_the_parts_and_lists_leave_them_out(crew: Crew, regions: Regions, api_of: ApiOf) -> None:
    lead = crew.deploy("1.0.0")
    crew.run_all()
    api = api_of(crew.deployer)

    parts = api.get(f"/api/v1/deployments/{lead.pk}").json()["parts"]
    assert [(part["cluster"], part["wave"], part["status"]) for part in parts] == [
        ("eu-2", 2, "succeeded"), ("us-1", 2, "succeeded"),
    ]  # fmt: skip
    assert api.get(f"/api/v1/deployments/{parts[0]['id']}").json()["part_of"] == str(lead.pk)

    def listed(query: str) -> set[str]:
        return {row["id"] for row in api.get(f"/api/v1/deployments{query}").json()["results"]}

    everything = {str(lead.pk), *(part["id"] for part in parts)}
    assert listed("") == listed("?parts=false") == {str(lead.pk)}
    assert listed("?parts=true") == everything
    assert listed(f"?part_of={lead.pk}") == everything - {str(lead.pk)}


@pytest.mark.parametrize("move", ["cancel", "rollback", "retry"])
def test_a_part_is_left_to_its_lead(crew: Crew, regions: Regions, api_of: ApiOf, move: str) -> None:
    lead = crew.run(crew.deploy("1.0.0"))
    part = lead.parts.first()
    assert part is not None

    answer = api_of(crew.deployer).post(f"/api/v1/deployments/{part.pk}/{move}", {"reason": "Carts"})

    assert answer.status_code == 409
    assert answer.json()["details"]["part_of"] == str(lead.pk)


def test_the_board_shows_like_targets_as_one_and_mixed_ones_each(
    crew: Crew, regions: Regions, browser_of: BrowserOf
) -> None:
    Environment.objects.update(bring_back_waves=False)
    crew.deploy("1.0.0")
    crew.run_all()
    browser = browser_of(crew.deployer)
    page = text_of(browser.get("/"))
    assert "3 targets" in page
    assert "us-1" not in page

    regions.scripts["eu-2 2.0.0"] = [Failed("CrashLoopBackOff")]
    crew.deploy("2.0.0")
    crew.run_all(20)

    cell = selectors.board(factories.actor(crew.deployer)).rows[0].cells[0]
    told = {each.name: each.current.release.version for each in cell.targets if each.current}
    assert told == {"main": "2.0.0", "eu-2": "1.0.0", "us-1": "2.0.0"}
    page = text_of(browser.get("/"))
    assert all(name in page for name in told)
    assert "3 targets" not in page
    assert "1.0.0" in text_of(browser.get("/environments/staging"))


def test_the_page_of_the_lead_shows_every_target_and_a_part_leads_back(
    crew: Crew, regions: Regions, browser_of: BrowserOf
) -> None:
    lead = crew.run(crew.deploy("1.0.0"))
    part = lead.parts.first()
    assert part is not None
    browser = browser_of(crew.deployer)
    page, of_part = (text_of(browser.get(f"/deployments/{each.pk}")) for each in (lead, part))

    for words in ("Targets", "eu-2", "us-1", f'href="/deployments/{part.pk}"'):
        assert words in page
    assert f'href="/deployments/{lead.pk}"' in of_part
    assert "Roll back" not in of_part
    assert "eu-2" not in text_of(browser.get("/deployments"))


def test_the_page_of_a_lead_that_has_not_gone_on_names_what_comes(
    crew: Crew, regions: Regions, browser_of: BrowserOf
) -> None:
    lead = crew.deploy("1.0.0")

    assert text_of(browser_of(crew.deployer).get(f"/deployments/{lead.pk}")).count("Not reached yet") == 2


def test_a_release_says_where_other_versions_run(crew: Crew, regions: Regions, browser_of: BrowserOf) -> None:
    Environment.objects.update(bring_back_waves=False)
    crew.deploy("1.0.0")
    crew.run_all()
    regions.scripts["eu-2 2.0.0"] = [Failed("CrashLoopBackOff")]
    lead = crew.deploy("2.0.0")
    crew.run_all(20)

    page = text_of(browser_of(crew.deployer).get(f"/deployments/for-release/{lead.release_id}"))
    assert "other targets: 1.0.0" in page
