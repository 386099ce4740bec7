"""The API of deployments: start, follow, roll back, and who may."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from accounts.models import User
from deployments import services
from deployments.models import Deployment, LogLine
from deployments.targets.base import Failed, Running
from releases.models import ApprovalRule, Release
from tests import factories
from tests.deployments.conftest import HOSTILE
from tests.engine.conftest import Crew, ScriptedTarget

ApiOf = Callable[[User], APIClient]
DEPLOYMENTS = "/api/v1/deployments"


def deploy_address(release_id: UUID) -> str:
    return f"/api/v1/releases/{release_id}/deploy"


@pytest.fixture
def release(crew: Crew) -> Release:
    return factories.approved(crew.deployer, crew.approver, crew.application)


def test_deploying_answers_the_deployment_with_its_gates_and_steps(
    crew: Crew, world: ScriptedTarget, release: Release, api_of: ApiOf
) -> None:
    answer = api_of(crew.deployer).post(deploy_address(release.pk), {"environment": "staging", "reason": "Friday"})

    assert answer.status_code == 202
    body = answer.json()
    assert answer["Location"] == f"{DEPLOYMENTS}/{body['id']}"
    expected = {
        "application": "checkout",
        "application_id": str(crew.application.pk),
        "release": str(release.pk),
        "version": "1.0.0",
        "environment": "staging",
        "kind": "deploy",
        "status": "pending",
        "reason": "Friday",
        "error_message": "",
        "rolls_back": None,
        "rolled_back_by": None,
        "gates": [],
        "evidence": {},
    }
    assert body | expected == body
    assert body["deployed_by"] == {"id": str(crew.deployer.pk), "email": crew.deployer.email, "name": "Deployer"}
    assert [step["name"] for step in body["steps"]] == ["preflight", "apply", "rollout", "verify"]


def test_an_environment_may_be_named_by_its_id(
    crew: Crew, world: ScriptedTarget, release: Release, api_of: ApiOf
) -> None:
    answer = api_of(crew.deployer).post(deploy_address(release.pk), {"environment": str(crew.place.environment_id)})

    assert answer.status_code == 202


def test_the_answer_tells_what_it_waits_for_at_once(
    crew: Crew, world: ScriptedTarget, release: Release, api_of: ApiOf
) -> None:
    ApprovalRule.objects.create(environment=crew.place.environment, team=crew.application.team, count=1)

    answer = api_of(crew.deployer).post(
        deploy_address(release.pk), {"environment": "staging", "not_before": "2030-01-01T00:00:00Z"}
    )

    gates = {gate["kind"]: gate for gate in answer.json()["gates"]}
    assert gates["schedule"]["opens_at"].startswith("2030-01-01T00:00:00")
    assert gates["approval"] == {
        "kind": "approval",
        "open": False,
        "sentence": "0 of 1 approvals by Payments.",
        "opens_at": None,
        "can_open": ["Payments"],
        "final": False,
    }


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "environment"),
        ({"environment": "moon"}, 422, "environment"),
        ({"environment": ["staging"]}, 422, "environment"),
        ({"environment": "staging", "not_before": "soon"}, 422, "not_before"),
        (
            {"environment": "staging", "not_before": "2030-01-02T00:00:00Z", "not_after": "2030-01-01T00:00:00Z"},
            422,
            "not_after",
        ),
        ({"environment": "staging", "reason": "x" * 2001}, 422, "reason"),
        ({"environment": "staging", "break_glass": {"reason": "fire"}}, 422, "break_glass"),
    ],
)
def test_a_body_that_will_not_do_is_refused_with_its_field(
    crew: Crew, world: ScriptedTarget, release: Release, api_of: ApiOf, body: dict[str, Any], status: int, field: str
) -> None:
    answer = api_of(crew.deployer).post(deploy_address(release.pk), body)

    assert answer.status_code == status, answer.json()
    assert field in answer.json()["details"]
    assert not Deployment.objects.exists()


def test_breaking_the_glass_is_refused_in_words(
    crew: Crew, world: ScriptedTarget, release: Release, api_of: ApiOf
) -> None:
    body = {"environment": "staging", "break_glass": {"reason": "fire"}}

    answer = api_of(crew.deployer).post(deploy_address(release.pk), body)

    assert "not offered yet" in answer.json()["message"]


def test_only_an_approved_release_goes_out(crew: Crew, world: ScriptedTarget, api_of: ApiOf) -> None:
    waiting = factories.in_review(crew.deployer, crew.application)

    answer = api_of(crew.deployer).post(deploy_address(waiting.pk), {"environment": "staging"})

    assert answer.status_code == 409
    assert answer.json()["details"]["status"] == "in_review"


def test_who_may_not_deploy_is_told_the_missing_permission(
    crew: Crew, release: Release, viewer: User, outsider: User, api: APIClient, api_of: ApiOf
) -> None:
    address, body = deploy_address(release.pk), {"environment": "staging"}

    refused = api_of(viewer).post(address, body)

    assert refused.status_code == 403
    assert refused.json()["details"]["permission"] == "deployments.deploy_environment"
    assert api_of(outsider).post(address, body).status_code == 404
    assert api.post(address, body).status_code == 401
    assert not Deployment.objects.exists()


def test_the_same_key_deploys_once(crew: Crew, world: ScriptedTarget, release: Release, api_of: ApiOf) -> None:
    client, address = api_of(crew.deployer), deploy_address(release.pk)
    answers = [
        client.post(address, {"environment": "staging"}, headers={"Idempotency-Key": "friday-1"}) for _ in range(2)
    ]

    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert Deployment.objects.count() == 1


def test_a_rollback_answers_the_new_deployment_and_names_both_ways(
    crew: Crew, world: ScriptedTarget, api_of: ApiOf
) -> None:
    crew.run(crew.deploy("1.0.0"))
    second = crew.run(crew.deploy("2.0.0"))

    answer = api_of(crew.deployer).post(f"{DEPLOYMENTS}/{second.pk}/rollback", {"reason": "Slow"})

    assert answer.status_code == 202
    made = answer.json()
    assert (made["kind"], made["version"], made["rolls_back"]) == ("rollback", "1.0.0", str(second.pk))
    crew.run_all()
    undone = api_of(crew.deployer).get(f"{DEPLOYMENTS}/{second.pk}").json()
    assert (undone["status"], undone["rolled_back_by"]) == ("rolled_back", made["id"])


def test_a_rollback_by_the_system_is_nobodys(crew: Crew, world: ScriptedTarget, api_of: ApiOf) -> None:
    crew.run(crew.deploy("1.0.0"))
    world.answers["rollout"] = [Failed("CrashLoopBackOff"), Running("back soon")]
    crew.run(crew.deploy("2.0.0"))

    (found,) = api_of(crew.deployer).get(f"{DEPLOYMENTS}?kind=rollback").json()["results"]

    assert found["deployed_by"] is None
    assert found["automatic"] is True


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"reason": ""}, 422),
        ({"reason": "   "}, 422),
        ({"reason": "x", "to": str(uuid4())}, 422),
        ({"reason": "x", "to": "1.0.0"}, 422),
    ],
)
def test_a_rollback_that_will_not_do_is_refused(
    crew: Crew, world: ScriptedTarget, api_of: ApiOf, body: dict[str, Any], status: int
) -> None:
    crew.run(crew.deploy("1.0.0"))
    second = crew.run(crew.deploy("2.0.0"))

    assert api_of(crew.deployer).post(f"{DEPLOYMENTS}/{second.pk}/rollback", body).status_code == status
    assert not Deployment.objects.filter(kind="rollback").exists()


def test_a_rollback_may_choose_its_release(crew: Crew, world: ScriptedTarget, api_of: ApiOf) -> None:
    first = crew.run(crew.deploy("1.0.0"))
    crew.run(crew.deploy("2.0.0"))
    third = crew.run(crew.deploy("3.0.0"))

    answer = api_of(crew.deployer).post(
        f"{DEPLOYMENTS}/{third.pk}/rollback", {"reason": "x", "to": str(first.release_id)}
    )

    assert answer.json()["version"] == "1.0.0"


def test_cancel_and_retry_answer_202(crew: Crew, world: ScriptedTarget, api_of: ApiOf) -> None:
    deployment, client = crew.deploy("1.0.0"), api_of(crew.deployer)

    cancelled = client.post(f"{DEPLOYMENTS}/{deployment.pk}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (202, "pending")
    assert cancelled.json()["cancel_requested_at"] is not None
    assert client.post(f"{DEPLOYMENTS}/{deployment.pk}/retry").status_code == 409
    crew.run(deployment)
    again = client.post(f"{DEPLOYMENTS}/{deployment.pk}/retry")
    assert again.status_code == 202
    assert again.json()["id"] != str(deployment.pk)
    late = client.post(f"{DEPLOYMENTS}/{deployment.pk}/cancel")
    assert (late.status_code, late.json()["code"], late.json()["details"]) == (
        409,
        "wrong_state",
        {"status": "cancelled"},
    )


def test_approving_and_rejecting_need_another_person(crew: Crew, world: ScriptedTarget, api_of: ApiOf) -> None:
    ApprovalRule.objects.create(environment=crew.place.environment, count=1)
    first, second = crew.deploy("1.0.0"), crew.deploy("2.0.0")
    address = f"{DEPLOYMENTS}/{first.pk}/approve"

    assert api_of(crew.deployer).post(address).status_code == 403
    stale = api_of(crew.approver).post(address, {"digest": "sha256:0"})
    approved = api_of(crew.approver).post(address, {"comment": "Fine", "digest": first.release_digest})
    assert (stale.status_code, approved.status_code) == (409, 200)
    assert approved.json()["gates"][0]["open"] is True
    refused = api_of(crew.approver).post(f"{DEPLOYMENTS}/{second.pk}/reject")
    rejected = api_of(crew.approver).post(f"{DEPLOYMENTS}/{second.pk}/reject", {"comment": "No"})
    assert (refused.status_code, rejected.status_code) == (422, 200)
    assert rejected.json()["error_message"] == "Rejected by Approver: No"


READS = ["", "/steps", "/log", "/gates"]
MOVES = ["/rollback", "/cancel", "/retry", "/approve", "/reject"]


@pytest.mark.parametrize("path", READS)
def test_reading_is_for_those_who_see_the_application(
    crew: Crew,
    world: ScriptedTarget,
    viewer: User,
    outsider: User,
    admin: User,
    api: APIClient,
    api_of: ApiOf,
    path: str,
) -> None:
    address = f"{DEPLOYMENTS}/{crew.deploy('1.0.0').pk}{path}"

    seen = [api_of(person).get(address).status_code for person in (crew.deployer, viewer, admin, outsider)]

    assert seen == [200, 200, 200, 404]
    assert api.get(address).status_code == 401


@pytest.mark.parametrize("path", MOVES)
def test_moving_is_not_for_viewers_nor_outsiders(
    crew: Crew, world: ScriptedTarget, viewer: User, outsider: User, api: APIClient, api_of: ApiOf, path: str
) -> None:
    address, body = f"{DEPLOYMENTS}/{crew.deploy('1.0.0').pk}{path}", {"reason": "x", "comment": "x"}

    assert api_of(viewer).post(address, body).status_code == 403
    assert api_of(outsider).post(address, body).status_code == 404
    assert api.post(address, body).status_code == 401
    assert Deployment.objects.get().cancel_requested_at is None


@pytest.mark.parametrize("identifier", ["x", "%00", "00000000-0000-4000-8000-000000000000"])
def test_an_address_of_nothing_is_404(crew: Crew, api_of: ApiOf, identifier: str) -> None:
    answer = api_of(crew.deployer).get(f"{DEPLOYMENTS}/{identifier}")

    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_the_list_is_filtered_by_the_names_of_the_bodies(crew: Crew, world: ScriptedTarget, api_of: ApiOf) -> None:
    done = crew.run(crew.deploy("1.0.0"))
    crew.deploy("2.0.0")
    client = api_of(crew.deployer)

    for query, versions in {
        "": ["2.0.0", "1.0.0"],
        "application=checkout": ["2.0.0", "1.0.0"],
        f"application={crew.application.pk}&environment=staging": ["2.0.0", "1.0.0"],
        f"environment={crew.place.environment_id}": ["2.0.0", "1.0.0"],
        "environment=moon": [],
        "status=succeeded": ["1.0.0"],
        "status=succeeded&status=pending": ["2.0.0", "1.0.0"],
        "version=2.0.0": ["2.0.0"],
        f"release={done.release_id}": ["1.0.0"],
        "kind=rollback": [],
    }.items():
        found = client.get(f"{DEPLOYMENTS}?{query}").json()["results"]
        assert [each["version"] for each in found] == versions, query


@pytest.mark.parametrize("query", ["status=odd", "kind=x", "release=1.0.0", "ordering=secret"])
def test_a_filter_that_is_none_is_422(crew: Crew, api_of: ApiOf, query: str) -> None:
    answer = api_of(crew.deployer).get(f"{DEPLOYMENTS}?{query}")

    assert answer.status_code == 422
    assert set(answer.json()) == {"code", "message", "details"}


def test_the_list_comes_in_pages_at_the_same_cost(
    crew: Crew, world: ScriptedTarget, api_of: ApiOf, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    made = [str(crew.deploy(f"1.0.{number}").pk) for number in range(7)]
    client, found, address = api_of(crew.deployer), [], f"{DEPLOYMENTS}?limit=3"

    while address:
        # Session, person, rights, page, steps.
        with django_assert_max_num_queries(5):
            page = client.get(address).json()
        found += [each["id"] for each in page["results"]]
        address = page["next"]

    assert found == made[::-1]


def test_the_list_reads_no_long_text_of_any_release(crew: Crew, world: ScriptedTarget, api_of: ApiOf) -> None:
    crew.run(crew.deploy("1.0.0"))
    second = crew.run(crew.deploy("2.0.0"))
    services.rollback_deployment(actor=factories.actor(crew.deployer), deployment=second, reason="Slow")

    with CaptureQueriesContext(connection) as caught:
        found = api_of(crew.deployer).get(f"{DEPLOYMENTS}?limit=200").json()["results"]

    assert [each["rolls_back"] for each in found] == [str(second.pk), None, None]
    asked = [query["sql"] for query in caught if 'FROM "deployments_deployment"' in query["sql"]]
    assert asked, "the list was read"
    for column in ("artifacts", "manifests", "evidence", "notes", "description", "kubeconfig"):
        assert not any(f'"{column}"' in sql for sql in asked), column


def test_the_log_comes_in_pages_by_id(crew: Crew, world: ScriptedTarget, api_of: ApiOf) -> None:
    deployment, client = crew.deploy("1.0.0"), api_of(crew.deployer)
    LogLine.objects.bulk_create(LogLine(deployment=deployment, message=f"line {n}", step="apply") for n in range(5))
    address, told = f"{DEPLOYMENTS}/{deployment.pk}/log?limit=2", []

    while address:
        page = client.get(address).json()
        told += page["results"]
        address = page["next"]

    assert [line["message"] for line in told] == [f"line {n}" for n in range(5)]
    assert set(told[0]) == {"id", "step", "level", "message", "created_at"}
    rest = client.get(f"{DEPLOYMENTS}/{deployment.pk}/log?after={told[3]['id']}").json()["results"]
    assert [line["message"] for line in rest] == ["line 4"]


@pytest.mark.parametrize("query", ["after=x", "after=-1", "limit=x", f"after={'9' * 19}", f"after={'9' * 40}"])
def test_a_log_window_that_is_none_is_422(crew: Crew, world: ScriptedTarget, api_of: ApiOf, query: str) -> None:
    deployment = crew.deploy("1.0.0")

    assert api_of(crew.deployer).get(f"{DEPLOYMENTS}/{deployment.pk}/log?{query}").status_code == 422


def test_the_log_as_text_obeys_no_terminal_codes(crew: Crew, world: ScriptedTarget, api_of: ApiOf) -> None:
    deployment, client = crew.deploy("1.0.0"), api_of(crew.deployer)
    LogLine.objects.create(deployment=deployment, message=f"{HOSTILE}\nforged line", step="rollout", level="error")

    answer = client.get(f"{DEPLOYMENTS}/{deployment.pk}/log", headers={"Accept": "text/plain"})

    text = answer.content.decode()
    assert answer["Content-Type"].startswith("text/plain")
    assert "error rollout: <script>" in text
    assert "\x1b" not in text
    assert text.count("\n") == 1


def test_an_error_about_the_log_is_json_whatever_was_asked_for(crew: Crew, api_of: ApiOf) -> None:
    answer = api_of(crew.deployer).get(f"{DEPLOYMENTS}/{uuid4()}/log", headers={"Accept": "text/plain"})

    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_steps_and_gates_can_be_asked_alone(crew: Crew, world: ScriptedTarget, api_of: ApiOf) -> None:
    ApprovalRule.objects.create(environment=crew.place.environment, count=1)
    deployment, client = crew.run(crew.deploy("1.0.0")), api_of(crew.deployer)

    steps = client.get(f"{DEPLOYMENTS}/{deployment.pk}/steps").json()["results"]
    gates = client.get(f"{DEPLOYMENTS}/{deployment.pk}/gates").json()["results"]

    assert [step["status"] for step in steps] == ["pending"] * 4
    assert [gate["kind"] for gate in gates] == ["approval"]


def test_an_unchanged_deployment_is_304(crew: Crew, world: ScriptedTarget, api_of: ApiOf) -> None:
    address, client = f"{DEPLOYMENTS}/{crew.run(crew.deploy('1.0.0')).pk}", api_of(crew.deployer)

    etag = client.get(address)["ETag"]

    assert client.get(address, headers={"If-None-Match": etag}).status_code == 304


def preview_address(release: Release, query: str = "environment=staging") -> str:
    return f"/api/v1/releases/{release.pk}/preview?{query}"


def test_a_preview_tells_what_would_change_and_what_holds_it(crew: Crew, world: ScriptedTarget, api_of: ApiOf) -> None:
    first = crew.run(crew.deploy("1.0.0"))
    ApprovalRule.objects.create(environment=crew.place.environment, count=1)
    release = factories.approved(crew.deployer, crew.approver, crew.application, "2.0.0", notes="Faster")

    body = api_of(crew.deployer).get(preview_address(release)).json()

    assert body["images"] == [
        {
            "container": "app",
            "now": "registry.example/web:1.0.0",
            "then": "registry.example/web:2.0.0",
            "changes": True,
        }
    ]
    assert body["running"]["deployment"] == str(first.pk)
    assert [gate["sentence"] for gate in body["blocked_by"]] == ["0 of 1 approvals by anyone who may approve."]
    assert body["manifests"][0]["kind"] == "Deployment"
    assert (body["migrations"], body["notes"]) == (None, "Faster")
    assert not Deployment.objects.filter(release=release).exists()


def test_a_preview_names_the_missing_right_and_the_missing_approval(crew: Crew, viewer: User, api_of: ApiOf) -> None:
    release = factories.in_review(crew.deployer, crew.application)

    body = api_of(viewer).get(preview_address(release)).json()

    assert [gate["kind"] for gate in body["blocked_by"]] == ["permission", "content"]


def test_a_preview_tells_content_that_does_not_fit(crew: Crew, api_of: ApiOf) -> None:
    misfit = factories.MANIFESTS.replace("{name: web,", "{name: web, namespace: elsewhere,")
    release = factories.approved(
        crew.deployer, crew.approver, crew.application, artifacts=factories.artifacts(manifests=misfit)
    )

    body = api_of(crew.deployer).get(preview_address(release)).json()

    assert body["manifests"] == []
    assert "elsewhere" in body["blocked_by"][0]["sentence"]


def test_what_the_guardrails_refuse_blocks_the_preview_and_the_deployment(crew: Crew, api_of: ApiOf) -> None:
    hostile = factories.MANIFESTS.replace("containers:", "hostNetwork: true\n      containers:", 1)
    assert "hostNetwork" in hostile
    release = factories.approved(
        crew.deployer, crew.approver, crew.application, artifacts=factories.artifacts(manifests=hostile)
    )
    client = api_of(crew.deployer)

    shown = client.get(preview_address(release)).json()["blocked_by"][0]
    answer = client.post(f"/api/v1/releases/{release.pk}/deploy", {"environment": "staging"})

    assert shown["sentence"] == "Deployment web: spec.hostNetwork must not be true (Pod Security baseline)."
    assert answer.status_code == 422
    assert answer.json()["details"]["manifests"] == [shown["sentence"]]
    assert not Deployment.objects.exists()


@pytest.mark.parametrize("query", ["", "environment=", "environment=moon"])
def test_a_preview_needs_its_environment(crew: Crew, release: Release, api_of: ApiOf, query: str) -> None:
    assert api_of(crew.deployer).get(preview_address(release, query)).status_code == 422


def test_an_outsider_previews_nothing(crew: Crew, release: Release, outsider: User, api_of: ApiOf) -> None:
    assert api_of(outsider).get(preview_address(release)).status_code == 404
