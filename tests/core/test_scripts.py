"""The scripts of the pages in a real Chromium; the server is a dictionary of answers, so nothing leaves the machine."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from django.contrib.staticfiles import finders
from django.http import HttpResponse
from django.template import Context, Template
from django.urls import include, path
from playwright.sync_api import Browser, Page, Route, WebSocketRoute, expect

HOST = "http://localhost"
CSP = "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'"
USER = SimpleNamespace(is_authenticated=True, name="Ada Lovelace", email="ada@example.com", role="engineer")


def page_view(request):
    return HttpResponse()


urlpatterns = [
    path("", page_view, name="board"),
    path("", include(([path("releases", page_view, name="list")], "releases"))),
    path("", include(([path("login", page_view, name="login")], "accounts"))),
]
pytestmark = [pytest.mark.e2e, pytest.mark.urls(__name__), pytest.mark.xdist_group("scripts")]


class Site:
    """Answers of the pretended server by path: a string of HTML, or a function of the route."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.answers: dict[str, object] = {}
        self.asked: list[str] = []
        self.sockets: list[WebSocketRoute] = []
        self.heard: list[dict[str, object]] = []
        self.complaints: list[str] = []
        page.route("**/*", self.answer)
        page.route_web_socket("**/ws/live", self.accept)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda entry: self.complaints.append(entry.text) if entry.type == "error" else None)

    def open(self, content: str) -> None:
        source = "{% extends 'base.html' %}{% block content %}" + content + "{% endblock %}"
        html = Template(source).render(Context({"user": USER, "csrf_token": "t0ken"}))
        self.answers["/"] = re.sub(r'<link rel="stylesheet"[^>]*>', "", html)  # looks play no part: half the time
        self.page.goto(f"{HOST}/")

    def answer(self, route: Route) -> None:
        where = urlsplit(route.request.url).path
        if where.startswith("/static/"):
            route.fulfill(path=Path(finders.find(where.removeprefix("/static/"))))
            return
        self.asked.append(where)
        answer = self.answers.get(where, "ok")
        if callable(answer):
            answer(route)
        else:
            route.fulfill(body=str(answer), content_type="text/html", headers={"Content-Security-Policy": CSP})

    def accept(self, socket: WebSocketRoute) -> None:
        self.sockets.append(socket)
        socket.on_message(lambda message: self.heard.append(json.loads(message)))

    def say(self, message: dict[str, object]) -> None:
        self.sockets[-1].send(json.dumps(message))


@pytest.fixture
def site(chromium: Browser) -> Iterator[Site]:
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(5000)
    yield Site(page)
    context.close()


LIVE = '<p id="a" data-live="deployment.1" hx-get="/a" hx-trigger="live">old</p>'
TWO = LIVE + '<p id="b" data-live="board release.2" hx-get="/b" hx-trigger="live">old</p>'


def open_live(site: Site, content: str) -> None:
    site.open(content)
    expect(site.page.locator("#connection")).to_have_text("Live")
    site.page.wait_for_function("document.querySelectorAll('[data-live]').length")
    expect(site.page.locator("#a")).not_to_have_text("old")  # the catch-up after connecting
    site.asked.clear()


def test_the_page_subscribes_to_every_topic_it_shows(site):
    open_live(site, TWO)
    assert site.heard == [{"subscribe": ["board", "deployment.1", "release.2"]}]


def test_a_message_refetches_only_what_shows_its_topic(site):
    open_live(site, TWO)
    site.answers["/b"] = "new"
    site.say({"topic": "release.2"})
    expect(site.page.locator("#b")).to_have_text("new")
    assert site.asked == ["/b"]


def test_a_burst_is_fetched_seldom_and_ends_with_the_newest_state(site):
    open_live(site, LIVE)
    for number in range(25):
        site.answers["/a"] = f"state {number}"
        site.say({"topic": "deployment.1"})
        site.page.wait_for_timeout(20)
    expect(site.page.locator("#a")).to_have_text("state 24")
    assert len(site.asked) <= 6


def test_a_message_during_a_fetch_is_followed_by_another_fetch(site):
    held: list[Route] = []
    open_live(site, LIVE)
    site.answers["/a"] = held.append
    site.say({"topic": "deployment.1"})
    site.page.wait_for_timeout(250)
    site.say({"topic": "deployment.1"})
    site.page.wait_for_timeout(250)
    assert len(held) == 1
    site.answers["/a"] = "newest"
    held[0].fulfill(body="stale", content_type="text/html")
    expect(site.page.locator("#a")).to_have_text("newest")


def test_a_resync_refetches_everything(site):
    open_live(site, TWO)
    site.answers |= {"/a": "new a", "/b": "new b"}
    site.say({"resync": True})
    expect(site.page.locator("#a")).to_have_text("new a")
    expect(site.page.locator("#b")).to_have_text("new b")


def test_a_lost_socket_is_said_reopened_and_caught_up(site):
    open_live(site, LIVE)
    site.answers["/a"] = "happened meanwhile"
    site.sockets[-1].close()
    expect(site.page.locator("#connection")).to_have_text("Reconnecting")
    expect(site.page.locator("#connection")).to_have_text("Live")
    expect(site.page.locator("#a")).to_have_text("happened meanwhile")


BUTTON = '<button hx-post="/act" hx-target="#a" hx-swap="outerHTML">Act</button>'
ACTIVE = f'<div id="a" data-live="deployment.1" hx-get="/a" hx-trigger="live" hx-swap="outerHTML">{BUTTON}</div>'


@pytest.mark.parametrize("is_under_way", [True, False], ids=["refetch-under-way", "refetch-wanted"])
def test_a_button_stays_until_its_answer_is_there(site, is_under_way):
    held: dict[str, Route] = {}
    site.answers["/a"] = ACTIVE
    open_live(site, ACTIVE)
    site.answers |= {where: lambda route, where=where: held.update({where: route}) for where in ("/a", "/act")}
    if is_under_way:
        site.say({"topic": "deployment.1"})
        site.page.wait_for_timeout(300)
    site.page.get_by_role("button", name="Act").click()
    if is_under_way:
        held["/a"].fulfill(body=ACTIVE, content_type="text/html")
    else:
        site.say({"topic": "deployment.1"})
    site.page.wait_for_timeout(300)
    site.answers["/a"] = ACTIVE.replace("Act<", "Act again<")
    toast = json.dumps({"toast": {"message": "Done.", "level": "success"}})
    headers = {"HX-Trigger": toast, "HX-Retarget": "#a", "HX-Reswap": "outerHTML"}
    held["/act"].fulfill(body=ACTIVE, content_type="text/html", headers=headers)
    expect(site.page.locator("#toasts .toast")).to_contain_text("Done.")
    expect(site.page.get_by_role("button", name="Act again")).to_be_visible()
    assert site.complaints == []


def test_a_message_that_comes_while_htmx_settles_is_not_lost(site):
    site.answers["/a"] = ACTIVE
    open_live(site, ACTIVE)
    site.page.evaluate("htmx.config.defaultSettleDelay = 600")
    site.say({"topic": "deployment.1"})
    expect(site.page.locator("#a.htmx-added")).to_be_visible()
    site.answers["/a"] = ACTIVE.replace("Act<", "Newer<")
    site.say({"topic": "deployment.1"})
    expect(site.page.get_by_role("button", name="Newer")).to_be_visible()


def test_a_button_stays_while_its_question_is_open(site):
    asking = ACTIVE.replace("hx-post", 'hx-confirm="Sure?" hx-post')
    site.answers |= {"/a": asking, "/act": asking}
    open_live(site, asking)
    site.page.get_by_role("button", name="Act").click()
    expect(site.page.get_by_role("button", name="Continue")).to_be_visible()
    # What the socket's opening may still have asked for has been answered by now.
    site.page.wait_for_timeout(300)
    site.asked.clear()
    site.say({"topic": "deployment.1"})
    site.page.wait_for_timeout(300)
    site.page.get_by_role("button", name="Continue").click()
    site.page.wait_for_timeout(300)
    assert site.asked == ["/act", "/a"]


def test_a_page_without_live_parts_opens_no_socket(site):
    site.open("<p>quiet</p>")
    site.page.wait_for_timeout(100)
    assert site.sockets == []


CONFIRMED = '<button hx-post="/roll-back" hx-confirm="Pods go back." data-confirm-action="Roll back">Go</button>'


def test_a_confirmed_action_is_sent_once_with_the_csrf_token(site):
    tokens: list[str] = []

    def answer(route: Route) -> None:
        tokens.append(route.request.headers["x-csrftoken"])
        route.fulfill(status=204)

    site.answers["/roll-back"] = answer
    site.open(CONFIRMED)
    site.page.get_by_role("button", name="Go").click()
    expect(site.page.locator("#confirm")).to_contain_text("Pods go back.")
    site.page.get_by_role("button", name="Roll back").click()
    site.page.wait_for_timeout(100)
    assert tokens == ["t0ken"]


def test_a_cancelled_action_is_not_sent(site):
    site.open(CONFIRMED)
    site.page.get_by_role("button", name="Go").click()
    site.page.get_by_role("button", name="Not now").click()
    site.page.wait_for_timeout(100)
    assert "/roll-back" not in site.asked


def test_a_wrong_state_swaps_the_fresh_part_and_says_so(site):
    trigger = json.dumps({"toast": {"message": "Approved meanwhile.", "level": "warning"}})
    site.answers["/approve"] = lambda route: route.fulfill(
        status=409, body="fresh", content_type="text/html", headers={"HX-Trigger": trigger}
    )
    site.open('<button hx-post="/approve" hx-target="#part">Approve</button><p id="part">stale</p>')
    site.page.get_by_role("button", name="Approve").click()
    expect(site.page.locator("#part")).to_have_text("fresh")
    expect(site.page.locator("#toasts .toast")).to_have_text(re.compile("Approved meanwhile."))


def test_a_toast_shows_markup_as_text(site):
    trigger = json.dumps({"toast": {"message": "<img src=x>", "level": "danger"}})
    site.answers["/x"] = lambda route: route.fulfill(body="", headers={"HX-Trigger": trigger})
    site.open('<button hx-post="/x" hx-swap="none">Go</button>')
    site.page.get_by_role("button", name="Go").click()
    expect(site.page.locator("#toasts .toast")).to_contain_text("<img src=x>")
    assert site.page.locator("#toasts img").count() == 0


def test_a_broken_server_is_told_unless_it_was_a_background_fetch(site):
    site.answers["/x"] = lambda route: route.fulfill(status=500)
    open_live(site, LIVE + '<button hx-post="/x">Go</button>')
    site.answers["/a"] = site.answers["/x"]
    site.say({"topic": "deployment.1"})
    site.page.wait_for_timeout(300)
    assert site.page.locator("#toasts .toast").count() == 0
    site.page.get_by_role("button", name="Go").click()
    expect(site.page.locator("#toasts .toast")).to_contain_text("could not do this (500)")


def test_an_ended_session_leads_to_the_login_and_back(site):
    # What the browser sees after it followed the redirect: an answer that comes from the login page
    site.open('<button hx-get="/login">Go</button>')
    site.page.get_by_role("button", name="Go").click()
    site.page.wait_for_url(f"{HOST}/login?next=%2F")


def test_a_modal_opens_with_what_the_server_sent_and_closes_on_its_word(site):
    site.answers["/form"] = '<h2 id="modal-title">Roll back</h2><button hx-post="/done" hx-swap="none">Do it</button>'
    site.answers["/done"] = lambda route: route.fulfill(body="", headers={"HX-Trigger": "close-modal"})
    site.open('<button hx-get="/form" hx-target="#modal">Ask</button>')
    site.page.get_by_role("button", name="Ask").click()
    expect(site.page.get_by_role("dialog", name="Roll back")).to_be_visible()
    site.page.get_by_role("button", name="Do it").click()
    expect(site.page.locator("#modal")).not_to_be_visible()


def test_keys_reach_search_help_and_pages_but_not_while_typing(site):
    site.open('<input data-search aria-label="Search">')
    site.page.keyboard.press("/")
    expect(site.page.get_by_label("Search")).to_be_focused()
    site.page.keyboard.type("g r?")
    expect(site.page.get_by_label("Search")).to_have_value("g r?")
    site.page.get_by_label("Search").blur()
    site.page.keyboard.press("?")
    expect(site.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    site.page.keyboard.press("Escape")
    site.page.keyboard.press("g")
    site.page.keyboard.press("r")
    site.page.wait_for_url(f"{HOST}/releases")


def test_the_theme_is_kept(site):
    site.open("")
    site.page.get_by_role("button", name="Theme: auto. Change").click()
    site.page.get_by_role("button", name="Theme: light. Change").click()
    site.page.reload()
    assert site.page.locator("html").get_attribute("data-theme") == "dark"


def test_a_page_keeps_to_the_content_security_policy(site):
    open_live(site, TWO + CONFIRMED)
    assert site.complaints == []
