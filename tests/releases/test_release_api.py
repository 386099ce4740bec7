"""Releases over the API: every action, for everybody."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import Team, User
from releases import services
from releases.models import Application, Release
from tests import factories
from tests.factories import actor, artifacts

LogIn = Callable[[User], APIClient]
URL = "/api/v1/releases"


def body(**fields: Any) -> dict[str, Any]:
    return {"application": "checkout", "version": "1.0.0", "description": "First", "artifacts": artifacts()} | fields


def test_a_release_goes_from_draft_through_review_to_approved(
    application: Application, deployer: User, approver: User, api_of: LogIn
) -> None:
    author, reviewer = api_of(deployer), api_of(approver)

    made = author.post(URL, body(commit="abc123"))
    assert made.status_code == 201
    release = made.json()
    one = f"{URL}/{release['id']}"
    assert made["Location"] == one
    assert author.post(f"{one}/submit").json()["status"] == "in_review"
    approved = reviewer.post(f"{one}/approve", {"comment": "Good.", "digest": release["digest"]})

    assert approved.status_code == 200
    answer = approved.json()
    assert answer["status"] == "approved"
    assert answer["approved_at"] is not None
    given = answer["approvals"][0]
    assert given["user"] == {"id": str(approver.pk), "email": approver.email, "name": approver.name}
    assert (given["decision"], given["comment"], given["valid"]) == ("approved", "Good.", True)
    assert answer["approval_progress"][0]["sentence"] == "1 of 1 approvals by anyone who may approve"


def test_a_release_shows_what_other_programs_rely_on(application: Application, deployer: User, api_of: LogIn) -> None:
    release = api_of(deployer).post(URL, body()).json()

    assert set(release) >= {
        "id", "application", "version", "description", "status", "artifacts", "digest", "commit", "created_by",
        "created_at", "submitted_at", "approved_at", "released_at", "approvals", "mutable_images", "approval_progress",
    }  # fmt: skip
    assert (release["application"], release["status"], release["approvals"]) == ("checkout", "draft", [])
    assert release["created_by"]["email"] == deployer.email
    assert release["artifacts"] == artifacts() | {"chart": None, "values": {}, "migrations": None}
    assert release["digest"].startswith("sha256:")
    assert release["mutable_images"] == ["app"]
    assert release["created_at"].endswith("Z")


def test_an_image_named_by_digest_is_not_mutable(application: Application, deployer: User, api_of: LogIn) -> None:
    pinned = artifacts(images={"app": f"registry.example/web@{factories.DIGEST}"})

    assert api_of(deployer).post(URL, body(artifacts=pinned)).json()["mutable_images"] == []


def test_the_only_application_need_not_be_named(application: Application, deployer: User, api_of: LogIn) -> None:
    unnamed = {name: value for name, value in body().items() if name != "application"}

    assert api_of(deployer).post(URL, unnamed).json()["application"] == "checkout"


def test_with_several_applications_one_must_be_named(
    application: Application, team: Team, deployer: User, api_of: LogIn
) -> None:
    factories.application(team, "ledger", "Ledger")
    unnamed = {name: value for name, value in body().items() if name != "application"}

    answer = api_of(deployer).post(URL, unnamed)

    assert answer.status_code == 422
    assert answer.json()["details"] == {"application": ["You see several applications, so say which one."]}


def test_the_application_may_be_named_by_id(application: Application, deployer: User, api_of: LogIn) -> None:
    assert api_of(deployer).post(URL, body(application=str(application.pk))).status_code == 201


def test_a_second_release_of_a_version_is_a_conflict(application: Application, deployer: User, api_of: LogIn) -> None:
    author = api_of(deployer)
    author.post(URL, body())

    answer = author.post(URL, body(description="Again"))

    assert answer.status_code == 409
    assert "already has a release 1.0.0" in answer.json()["message"]
    assert Release.objects.count() == 1


def test_a_rejection_sends_the_release_back_with_its_reason(
    application: Application, deployer: User, approver: User, api_of: LogIn
) -> None:
    one = f"{URL}/{factories.in_review(deployer, application).pk}"

    answer = api_of(approver).post(f"{one}/reject", {"comment": "The port is wrong."})

    assert answer.status_code == 200
    assert answer.json()["status"] == "draft"
    decided = answer.json()["approvals"][0]
    assert (decided["decision"], decided["comment"], decided["valid"]) == ("rejected", "The port is wrong.", False)


@pytest.mark.parametrize("sent", [{}, {"comment": ""}, {"comment": "  "}])
def test_a_rejection_without_a_reason_is_refused(
    application: Application, deployer: User, approver: User, api_of: LogIn, sent: dict[str, str]
) -> None:
    one = f"{URL}/{factories.in_review(deployer, application).pk}"

    answer = api_of(approver).post(f"{one}/reject", sent)

    assert answer.status_code == 422
    assert answer.json()["details"] == {"comment": ["A reason is needed."]}


def test_an_edit_of_the_content_voids_the_approvals(
    application: Application, deployer: User, approver: User, api_of: LogIn
) -> None:
    one = f"{URL}/{factories.approved(deployer, approver, application).pk}"

    answer = api_of(deployer).patch(one, {"artifacts": artifacts("1.0.1")})

    assert answer.status_code == 200
    assert answer.json()["status"] == "in_review"
    assert [given["valid"] for given in answer.json()["approvals"]] == [False]


def test_an_edit_of_the_description_keeps_the_approvals(
    application: Application, deployer: User, approver: User, api_of: LogIn
) -> None:
    one = f"{URL}/{factories.approved(deployer, approver, application).pk}"

    answer = api_of(deployer).patch(one, {"description": "Better words"}).json()

    assert (answer["status"], answer["description"]) == ("approved", "Better words")
    assert [given["valid"] for given in answer["approvals"]] == [True]


def test_an_approval_of_content_that_has_changed_is_a_conflict(
    application: Application, deployer: User, approver: User, api_of: LogIn
) -> None:
    release = factories.in_review(deployer, application)
    services.edit_release(actor=actor(deployer), release=release, changes={"artifacts": artifacts("1.0.1")})

    answer = api_of(approver).post(f"{URL}/{release.pk}/approve", {"digest": release.digest})

    assert answer.status_code == 409
    assert answer.json()["details"]["status"] == "in_review"
    assert answer.json()["details"]["digest"] != release.digest


def test_the_author_may_not_approve(application: Application, deployer: User, admin: User, api_of: LogIn) -> None:
    for author in (deployer, admin):
        release = factories.in_review(author, application, f"1.0.{author.username}")

        answer = api_of(author).post(f"{URL}/{release.pk}/approve", {})

        assert answer.status_code == 403
        assert answer.json()["details"] == {"permission": "releases.approve_application"}
        assert "four eyes" in answer.json()["message"]


def test_nobody_decides_twice(
    team: Team, application: Application, deployer: User, approver: User, api_of: LogIn
) -> None:
    services.create_approval_rule(actor=actor(factories.user("root", role="admin")), team=team, count=2)
    one = f"{URL}/{factories.in_review(deployer, application).pk}"
    reviewer = api_of(approver)

    first = reviewer.post(f"{one}/approve", {}).json()
    again = reviewer.post(f"{one}/approve", {})

    assert first["status"] == "in_review"
    assert first["approval_progress"] == [
        {"people": "Payments", "given": 1, "count": 2, "met": False, "sentence": "1 of 2 approvals by Payments"}
    ]
    assert again.status_code == 409


@pytest.mark.parametrize("move", ["submit", "approve", "reject", "cancel"])
def test_a_move_from_the_wrong_state_is_a_conflict_with_the_state(
    application: Application, deployer: User, approver: User, api_of: LogIn, move: str
) -> None:
    release = factories.draft(deployer, application)
    services.cancel_release(actor=actor(deployer), release=release)

    answer = api_of(approver).post(f"{URL}/{release.pk}/{move}", {"comment": "x"})

    assert answer.status_code == 409
    assert answer.json()["code"] == "wrong_state"
    assert answer.json()["details"]["status"] == "cancelled"


def test_a_cancelled_release_stays_as_it_is(application: Application, deployer: User, api_of: LogIn) -> None:
    author = api_of(deployer)
    one = f"{URL}/{factories.draft(deployer, application).pk}"

    assert author.post(f"{one}/cancel", {"reason": "Not needed"}).json()["status"] == "cancelled"
    assert author.patch(one, {"description": "x"}).status_code == 409
    assert author.delete(one).status_code == 409


def test_a_draft_can_be_deleted(application: Application, deployer: User, api_of: LogIn) -> None:
    one = f"{URL}/{factories.draft(deployer, application).pk}"

    assert api_of(deployer).delete(one).status_code == 204
    assert api_of(deployer).get(one).status_code == 404


def test_a_stale_edit_is_refused(application: Application, deployer: User, api_of: LogIn) -> None:
    author = api_of(deployer)
    one = f"{URL}/{factories.draft(deployer, application).pk}"
    etag = author.get(one)["ETag"]

    first = author.patch(one, {"description": "One"}, headers={"If-Match": etag})
    second = author.patch(one, {"description": "Two"}, headers={"If-Match": etag})

    assert (first.status_code, second.status_code) == (200, 412)
    assert author.get(one).json()["description"] == "One"


def test_a_repeated_post_makes_one_release(application: Application, deployer: User, api_of: LogIn) -> None:
    author = api_of(deployer)

    first = author.post(URL, body(), headers={"Idempotency-Key": "abc"})
    again = author.post(URL, body(), headers={"Idempotency-Key": "abc"})

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert Release.objects.count() == 1


def test_a_discussion_is_written_and_read(
    application: Application, deployer: User, approver: User, api_of: LogIn
) -> None:
    comments = f"{URL}/{factories.draft(deployer, application).pk}/comments"

    made = api_of(approver).post(comments, {"body": "Why *now*?"})
    api_of(deployer).post(comments, {"body": "Because."})

    assert made.status_code == 201
    assert made.json()["user"]["name"] == approver.name
    assert [each["body"] for each in api_of(deployer).get(comments).json()["results"]] == ["Why *now*?", "Because."]


@pytest.mark.parametrize("sent", [{}, {"body": ""}, {"body": "  \n"}, {"body": "x" * 10_001}, {"body": None}])
def test_an_empty_or_endless_comment_is_refused(
    application: Application, deployer: User, api_of: LogIn, sent: dict[str, Any]
) -> None:
    comments = f"{URL}/{factories.draft(deployer, application).pk}/comments"

    answer = api_of(deployer).post(comments, sent)

    assert answer.status_code == 422
    assert "body" in answer.json()["details"]


def test_release_notes_are_stored_and_keep_the_approvals(
    application: Application, deployer: User, approver: User, api_of: LogIn
) -> None:
    release = factories.approved(deployer, approver, application)
    notes = f"{URL}/{release.pk}/notes"

    written = api_of(deployer).post(notes, {"notes": "## Fixed\n\n- the port\n"})

    assert written.json() == {"notes": "## Fixed\n\n- the port\n"}
    assert api_of(approver).get(notes).json() == written.json()
    assert api_of(approver).get(f"{URL}/{release.pk}").json()["status"] == "approved"


ACTIONS = [
    ("post", "/submit", {}),
    ("post", "/approve", {}),
    ("post", "/reject", {"comment": "no"}),
    ("post", "/cancel", {}),
    ("post", "/comments", {"body": "x"}),
    ("post", "/notes", {"notes": "x"}),
    ("patch", "", {"description": "x"}),
    ("delete", "", None),
]
READS = [("get", "", None), ("get", "/comments", None), ("get", "/notes", None)]


@pytest.mark.parametrize(("method", "path", "sent"), ACTIONS)
def test_a_viewer_sees_but_never_changes(
    application: Application, deployer: User, viewer: User, api_of: LogIn, method: str, path: str, sent: Any
) -> None:
    release = factories.in_review(deployer, application)

    answer = getattr(api_of(viewer), method)(f"{URL}/{release.pk}{path}", sent)

    assert answer.status_code == 403
    assert answer.json()["details"]["permission"].startswith("releases.")
    release.refresh_from_db()
    assert (release.status, release.description) == ("in_review", "")


@pytest.mark.parametrize(("method", "path", "sent"), [*ACTIONS, *READS])
def test_an_outsider_finds_nothing(
    application: Application, deployer: User, outsider: User, api_of: LogIn, method: str, path: str, sent: Any
) -> None:
    release = factories.in_review(deployer, application)

    assert getattr(api_of(outsider), method)(f"{URL}/{release.pk}{path}", sent).status_code == 404
    assert api_of(outsider).get(URL).json()["results"] == []
    assert api_of(outsider).get(f"{URL}?application=checkout").json()["results"] == []


@pytest.mark.parametrize(("method", "path", "sent"), [*ACTIONS, *READS])
def test_nobody_gets_in_without_a_login(
    application: Application, deployer: User, api: APIClient, method: str, path: str, sent: Any
) -> None:
    release = factories.in_review(deployer, application)

    assert getattr(api, method)(f"{URL}/{release.pk}{path}", sent).status_code == 401
    assert api.get(URL).status_code == 401
    assert api.post(URL, body()).status_code == 401


@pytest.mark.parametrize(("method", "path", "sent"), READS)
def test_a_viewer_and_an_administrator_read_everything(
    application: Application,
    deployer: User,
    viewer: User,
    admin: User,
    api_of: LogIn,
    method: str,
    path: str,
    sent: Any,
) -> None:
    release = factories.in_review(deployer, application)

    for person in (viewer, admin):
        assert getattr(api_of(person), method)(f"{URL}/{release.pk}{path}", sent).status_code == 200


def test_a_viewer_and_an_outsider_draft_nothing(
    application: Application, viewer: User, outsider: User, api_of: LogIn
) -> None:
    refused, unseen = api_of(viewer).post(URL, body()), api_of(outsider).post(URL, body())

    assert (refused.status_code, refused.json()["details"]["permission"]) == (403, "releases.develop_application")
    assert unseen.status_code == 404
    assert not Release.objects.exists()
