"""Tags and filters of the design system."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from django.http import HttpResponse
from django.template import Context, Template
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.urls import include, path

from releasemgr.core.looks import LOOKS, look_of
from releasemgr.core.templatetags.ui import avatar_colour, duration_words, initials

STYLESHEET = Path(__file__).resolve().parents[2] / "static/css/components.css"
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
STATUSES = ("draft", "in_review", "approved", "released", "cancelled", "pending", "in_progress", "succeeded", "failed")
STATUSES += ("rolled_back", "running", "skipped")


def page(request):
    return HttpResponse()


releases = ([path("releases", page, name="list"), path("releases/applications", page, name="applications")], "releases")
deployments = ([path("clusters", page, name="clusters")], "deployments")
urlpatterns = [path("", page, name="board"), path("", include(releases)), path("", include(deployments))]


def show(source: str, **context: object) -> str:
    return Template(source).render(Context(context))


# Statuses


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_is_told_by_icon_and_word(status):
    html = show("{% status_badge status %}", status=status)
    assert "<svg" in html
    assert 'aria-hidden="true"' in html
    assert look_of(status).label in html


def test_an_unknown_status_is_shown_as_it_is():
    assert "Half baked" in show("{% status_badge 'half_baked' %}")


def test_a_status_cannot_carry_markup():
    assert "<b>" not in show("{% status_badge status %}", status="<b>x</b>")


def test_only_running_things_spin():
    assert "spin" in show("{% status_badge 'in_progress' %}")
    assert "spin" not in show("{% status_badge 'succeeded' %}")


def test_health_says_its_word_to_screen_readers():
    assert '<span class="visually-hidden">Degraded</span>' in show("{% health_mark 'degraded' %}")


def test_every_look_has_an_icon_and_a_tone_of_the_stylesheet():
    css = STYLESHEET.read_text()
    for look in LOOKS.values():
        assert f".tone-{look.tone} {{" in css
        assert "<svg" in show("{% icon name %}{% icon name 20 %}{% icon name 24 %}", name=look.icon)


# Times


@pytest.mark.parametrize(
    ("past", "words"),
    [
        (timedelta(seconds=20), "just now"),
        (timedelta(seconds=50), "1 min ago"),
        (timedelta(minutes=59), "59 min ago"),
        (timedelta(hours=23), "23 h ago"),
        (timedelta(days=29), "29 d ago"),
        (timedelta(days=40), "25 Mar 2026"),
        (timedelta(hours=-2), "in 2 h"),
    ],
)
@time_machine.travel(NOW, tick=False)
def test_ago_says_it_as_people_do(past, words):
    html = show("{% ago moment %}", moment=NOW - past)
    assert f">{words}</time>" in html


@time_machine.travel(NOW, tick=False)
def test_ago_carries_the_exact_time_for_machines_and_curious_people():
    html = show("{% ago moment %}", moment=NOW)
    assert 'datetime="2026-05-04T12:00:00Z"' in html
    assert 'title="4 May 2026, 12:00:00 UTC"' in html


def test_what_never_happened_has_no_time():
    assert "never" in show("{% ago moment empty='never' %}", moment=None)
    assert "<time" not in show("{% duration start %}", start=None)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (65, "1 min 05 s"), (7800, "2 h 10 min"), (273600, "3 d 4 h"), (-5, "0 s")],
)
def test_a_duration_has_two_units_at_most(seconds, words):
    assert duration_words(timedelta(seconds=seconds)) == words


def test_a_running_duration_counts_on_and_a_finished_one_does_not():
    assert "data-since" in show("{% duration start %}", start=NOW)
    finished = show("{% duration start end %}", start=NOW, end=NOW + timedelta(seconds=90))
    assert finished == '<time datetime="PT90S">1 min 30 s</time>'


# People and images


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Ada Lovelace", "AL"),
        ("ada@example.com", "A"),
        ("Grace Brewster Murray Hopper", "GH"),
        ("", "?"),
        ("émile", "É"),
    ],
)
def test_initials(name, letters):
    assert initials(name) == letters


def test_a_person_keeps_their_colour():
    assert avatar_colour("Ada Lovelace") == avatar_colour("Ada Lovelace")
    assert {avatar_colour(f"person {n}") for n in range(200)} == set(range(8))


@pytest.mark.parametrize(
    ("reference", "repository", "tag", "digest"),
    [
        ("nginx", "nginx", None, None),
        ("host:5000/team/web", "host:5000/team/web", None, None),
        ("host:5000/team/web:2.0", "host:5000/team/web", ":2.0", None),
        ("web:2.0@sha256:9f86d081884c7d659a2f", "web", ":2.0", "9f86d081884c"),
        ("host:5000/web@sha256:9f86d081884c7d659a2f", "host:5000/web", None, "9f86d081884c"),
    ],
)
def test_an_image_reference_is_shown_in_its_parts(reference, repository, tag, digest):
    html = show("{% image_ref reference %}", reference=reference)
    assert f'repository">{repository}</span>' in html
    assert (f'tag">{tag}</span>' in html) if tag else ('image-ref-tag"' not in html)
    assert (f'digest">{digest}</span>' in html) if digest else ('image-ref-digest"' not in html)
    assert f'data-copy="{reference}"' in html


# Diffs and changes


def test_a_diff_numbers_both_sides():
    html = render_to_string("components/diff.html", {"before": "a\nb\nc", "after": "a\nB\nc"})
    rows = re.findall(r'diff-line--(\w+)">\s*<td[^>]*>(\d*)</td>\s*<td[^>]*>(\d*)</td>\s*<td>(.*?)</td>', html)
    assert rows[1:] == [
        ("same", "1", "1", "  a"),
        ("removed", "2", "", "- b"),
        ("added", "", "2", "+ B"),
        ("same", "3", "3", "  c"),
    ]


def test_equal_texts_differ_in_nothing():
    assert "Nothing changes" in render_to_string("components/diff.html", {"before": "a", "after": "a"})


def test_a_diff_of_markup_is_text():
    assert "<script>" not in render_to_string("components/diff.html", {"before": "", "after": "<script>"})


# Navigation


def navigation(role: str, where: str, rf: RequestFactory) -> list[tuple[str, bool]]:
    html = show(
        "{% load navigation %}{% navigation role as groups %}"
        "{% for heading, links in groups %}"
        "{% for link in links %}{{ link.label }}:{{ link.active }};{% endfor %}"
        "{% endfor %}",
        role=role,
        request=rf.get(where),
    )
    return [(label, active == "True") for label, active in (entry.split(":") for entry in html.split(";") if entry)]


@pytest.mark.urls(__name__)
def test_navigation_marks_the_closest_page_only(rf):
    active = [label for label, is_active in navigation("engineer", "/releases/applications/web", rf) if is_active]
    assert active == ["Applications"]


@pytest.mark.urls(__name__)
def test_the_board_is_active_only_on_the_board(rf):
    assert ("Board", True) in navigation("viewer", "/", rf)
    assert ("Board", False) in navigation("viewer", "/releases", rf)


@pytest.mark.urls(__name__)
def test_clusters_are_offered_to_admins_only(rf):
    assert "Clusters" in dict(navigation("admin", "/", rf))
    assert "Clusters" not in dict(navigation("engineer", "/", rf))


@pytest.mark.urls(__name__)
def test_pages_that_this_installation_lacks_are_left_out(rf):
    assert "Audit log" not in dict(navigation("admin", "/", rf))
