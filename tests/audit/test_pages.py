"""The audit log's pages: who sees what, filters, paging, exports."""

import csv
import io
import json

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Team, User
from audit.models import Event
from audit.services import record, record_denied
from releasemgr.core.context import RequestContext, request_context
from releases.models import Application
from tests import factories
from tests.factories import actor

pytestmark = pytest.mark.django_db


@pytest.fixture
def application(team: Team) -> Application:
    return factories.application(team)


def shown(client: Client, **query: str) -> str:
    response = client.get(reverse("audit:list"), query)
    assert response.status_code == 200, response.content
    return response.content.decode()


def test_a_visitor_is_sent_to_the_login(client: Client) -> None:
    for url in (reverse("audit:list"), reverse("audit:export", args=["csv"]), reverse("audit:newer")):
        assert client.get(url).status_code == 302


def test_the_page_says_what_happened_in_sentences(client: Client, deployer: User, application: Application) -> None:
    release = factories.draft(deployer, application)
    client.force_login(deployer)

    page = shown(client)

    assert "Deployer" in page
    assert "drafted a release" in page
    assert "checkout 1.0.0" in page
    assert f'href="{reverse("releases:detail", args=[release.pk])}"' in page


def test_an_outsider_sees_nothing_of_ours(
    client: Client, outsider: User, deployer: User, application: Application
) -> None:
    factories.draft(deployer, application)
    client.force_login(outsider)

    assert "Nothing found" in shown(client)


def test_a_viewer_of_the_team_may_read_it(
    client: Client, viewer: User, deployer: User, application: Application
) -> None:
    factories.draft(deployer, application)
    client.force_login(viewer)

    assert "drafted a release" in shown(client)


def test_a_refused_attempt_is_marked_and_says_why(client: Client, viewer: User, admin: User) -> None:
    with request_context(RequestContext(request_id="request-42", ip="10.1.2.3")):
        record_denied(actor=actor(viewer), what="POST /releases/1/approve", data={"reason": "Viewers change nothing."})
    client.force_login(admin)

    page = shown(client)

    for text in ("Refused", "POST /releases/1/approve", "Viewers change nothing.", "request-42", "10.1.2.3"):
        assert text in page


def test_before_and_after_are_shown_part_by_part(client: Client, deployer: User, application: Application) -> None:
    before = {"images": {"app": "web:1"}, "manifests": "a: 1\nb: 2"}
    after = {"images": {"app": "web:2"}, "manifests": "a: 1\nb: 3"}
    changes = {"artifacts": (before, after), "description": (None, "Faster")}
    record("application.updated", actor=actor(deployer), subject=application, changes=changes)
    client.force_login(deployer)

    page = shown(client)

    assert "artifacts.images.app" in page
    assert '<del class="change-before">web:1</del>' in page
    assert '<ins class="change-after">web:2</ins>' in page
    assert '<tr class="diff-line--added">' in page
    assert '<del class="change-before">–</del>' in page


def test_what_people_typed_is_never_markup(client: Client, deployer: User, application: Application) -> None:
    changes = {"<b>x</b>": ("<script>1</script>", "<img src=x>")}
    record("application.updated", actor=actor(deployer), subject=application, changes=changes, data={"<i>": "<u>"})
    client.force_login(deployer)

    page = shown(client)

    for tag in ("<script>1", "<img src=x", "<b>x", "<i>", "<u>"):
        assert tag not in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"user": "deployer"}, {"application.created", "application.updated"}),
        ({"user": "Approver"}, {"application.deleted"}),
        ({"user": "approver@example.com"}, {"application.deleted"}),
        ({"user": "nobody"}, set()),
        ({"action": "application.updated"}, {"application.updated"}),
        ({"action": "application.*"}, {"application.created", "application.updated", "application.deleted"}),
        ({"action": "release.*"}, set()),
        ({"resource_type": "application"}, {"application.created", "application.updated", "application.deleted"}),
        ({"resource_type": "release"}, set()),
        ({"q": "a good reason"}, {"application.updated"}),
        ({"q": "CHECKOUT"}, {"application.created", "application.updated", "application.deleted"}),
        ({"since": "2000-01-01", "until": "2000-01-02"}, set()),
        ({"since": "2000-01-01T00:00:00Z"}, {"application.created", "application.updated", "application.deleted"}),
    ],
)
def test_each_filter_narrows_the_list(
    client: Client, deployer: User, approver: User, application: Application, query: dict[str, str], found: set[str]
) -> None:
    record("application.created", actor=actor(deployer), subject=application)
    record("application.updated", actor=actor(deployer), subject=application, data={"reason": "A good reason"})
    record("application.deleted", actor=actor(approver), subject=application)
    client.force_login(deployer)

    response = client.get(reverse("audit:list"), query)

    assert {entry.event.action for entry in response.context["page"].entries} == found


def test_a_resource_id_narrows_the_list_to_one_thing(client: Client, team: Team, deployer: User) -> None:
    one, other = factories.application(team), factories.application(team, "search", "Search")
    for each in (one, other):
        record("application.updated", actor=actor(deployer), subject=each)
    client.force_login(deployer)

    response = client.get(reverse("audit:list"), {"resource_id": str(one.pk)})

    assert [entry.event.resource_id for entry in response.context["page"].entries] == [str(one.pk)]


@pytest.mark.parametrize(
    "query", [{"since": "yesterday"}, {"until": "2026-13-01"}, {"application": "x"}, {"q": "x" * 201}, {"user": "\x00"}]
)
def test_a_filter_that_cannot_be_read_is_refused_on_the_form(
    client: Client, deployer: User, query: dict[str, str]
) -> None:
    client.force_login(deployer)

    response = client.get(reverse("audit:list"), query)

    assert response.status_code == 422
    assert "The filter could not be read" in response.content.decode()


def test_a_day_as_until_includes_that_day(client: Client, deployer: User, application: Application) -> None:
    record("application.updated", actor=actor(deployer), subject=application)
    today = Event.objects.get().created_at.date().isoformat()
    client.force_login(deployer)

    assert "changed an application" in shown(client, since=today, until=today)


def test_pages_follow_one_another_without_holes_and_back(
    client: Client, deployer: User, application: Application
) -> None:
    for _ in range(120):
        record("application.updated", actor=actor(deployer), subject=application)
    newest_first = list(Event.objects.order_by("-sequence").values_list("sequence", flat=True))
    client.force_login(deployer)

    pages, cursor = [], ""
    while True:
        page = client.get(reverse("audit:list"), {"cursor": cursor}).context["page"]
        pages.append(page)
        cursor = page.next_cursor
        if not cursor:
            break
    back = client.get(reverse("audit:list"), {"cursor": pages[2].previous_cursor}).context["page"]

    assert [entry.event.sequence for page in pages for entry in page.entries] == newest_first
    assert [len(page.entries) for page in pages] == [50, 50, 20]
    assert [e.event.sequence for e in back.entries] == [e.event.sequence for e in pages[1].entries]
    assert pages[0].previous_cursor == ""


@pytest.mark.parametrize("cursor", ["x", "before-", "before-x", "sideways-3", "before-1٣", f"after-{'9' * 30}"])
def test_a_cursor_that_is_none_of_ours_is_refused(client: Client, deployer: User, cursor: str) -> None:
    client.force_login(deployer)
    response = client.get(reverse("audit:list"), {"cursor": cursor}, headers={"HX-Request": "true"})
    assert response.status_code == 400


def test_a_page_costs_the_same_few_queries_however_full_it_is(
    client: Client, deployer: User, application: Application, django_assert_max_num_queries: object
) -> None:
    for _ in range(60):
        record("application.updated", actor=actor(deployer), subject=application)
    client.force_login(deployer)

    with django_assert_max_num_queries(5):  # type: ignore[operator]
        client.get(reverse("audit:list"))


def test_htmx_gets_the_list_alone(client: Client, deployer: User) -> None:
    client.force_login(deployer)
    response = client.get(reverse("audit:list"), headers={"HX-Request": "true"})
    assert response.content.decode().strip().startswith('<section id="events"')


def test_newer_events_are_announced_not_forced_in(client: Client, deployer: User, application: Application) -> None:
    record("application.updated", actor=actor(deployer), subject=application)
    seen = Event.objects.latest("sequence").sequence
    client.force_login(deployer)
    url = reverse("audit:newer")

    assert "new event" not in client.get(url, {"after": seen}).content.decode()
    for _ in range(2):
        record("application.updated", actor=actor(deployer), subject=application)
    assert "2 new events" in client.get(url, {"after": seen, "action": "application.updated"}).content.decode()
    assert "new event" not in client.get(url, {"after": seen, "action": "release.created"}).content.decode()


def test_the_timeline_of_one_thing_shows_only_that_and_only_to_those_who_may(
    client: Client, deployer: User, outsider: User, application: Application
) -> None:
    release = factories.draft(deployer, application)
    record("application.updated", actor=actor(deployer), subject=application)
    url = reverse("audit:for-resource", args=["release", release.pk])

    client.force_login(deployer)
    timeline = client.get(url).content.decode()
    client.force_login(outsider)
    unseen = client.get(url).content.decode()

    assert "drafted a release" in timeline
    assert "changed an application" not in timeline
    assert "Nothing has happened here yet" in unseen


def test_csv_holds_what_the_page_shows_and_no_formula(
    client: Client, team: Team, deployer: User, outsider: User, application: Application
) -> None:
    application.name = '=HYPERLINK("http://evil")'
    record("application.updated", actor=actor(deployer), subject=application, changes={"name": ("a", 'b,\n"c"')})
    record(
        "application.created",
        actor=actor(outsider),
        subject=factories.application(outsider.memberships.get().team, "o", "@SUM"),
    )
    client.force_login(deployer)

    response = client.get(reverse("audit:export", args=["csv"]))
    rows = list(csv.DictReader(io.StringIO(b"".join(response).decode())))  # type: ignore[call-overload]

    assert response["Content-Type"].startswith("text/csv")
    assert "attachment" in response["Content-Disposition"]
    assert [row["action"] for row in rows] == ["application.updated"]
    assert rows[0]["resource_label"].startswith("'=HYPERLINK")
    assert json.loads(rows[0]["changes"]) == {"name": ["a", 'b,\n"c"']}


def test_json_lines_are_streamed_in_batches_in_order(client: Client, deployer: User, application: Application) -> None:
    for _ in range(1005):
        Event.objects.create(action="x.y", resource_type="x", actor="Deployer", user=deployer)
    client.force_login(deployer)

    response = client.get(reverse("audit:export", args=["jsonl"]), {"action": "x.y"})
    chunks = [chunk for chunk in response if chunk]
    events = [json.loads(line) for line in b"".join(chunks).splitlines()]

    assert len(chunks) == 2
    assert [event["sequence"] for event in events] == sorted((event["sequence"] for event in events), reverse=True)
    assert len(events) == 1005


def test_an_export_refuses_a_filter_that_cannot_be_read(client: Client, deployer: User) -> None:
    client.force_login(deployer)
    response = client.get(reverse("audit:export", args=["csv"]), {"since": "x"}, headers={"HX-Request": "true"})
    assert response.status_code == 422
