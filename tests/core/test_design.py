"""Frames, components, contrast, and what the Content-Security-Policy demands of templates and scripts."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from django import forms
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.urls import path

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
COMPONENTS = sorted((TEMPLATES / "components").glob("*.html"))
OURS = sorted([*TEMPLATES.glob("*.html"), *COMPONENTS, *(TEMPLATES / "errors").glob("*.html")])
VISITOR = SimpleNamespace(is_authenticated=False)

urlpatterns = [path("", lambda request: HttpResponse(), name="board")]
pytestmark = pytest.mark.urls(__name__)


@pytest.mark.parametrize("frame", ["base.html", "base_slim.html"])
def test_a_frame_renders_for_a_visitor_who_is_not_signed_in(frame, rf):
    html = render_to_string(frame, {"user": VISITOR}, request=rf.get("/"))
    assert '<main class="' in html
    assert 'href="#main"' in html


@pytest.mark.parametrize("code", ["400", "403", "404", "500", "csrf"])
def test_an_error_page_renders_when_nothing_else_works(code):
    html = render_to_string(f"errors/{code}.html")
    assert "<h1>" in html
    assert "Go to the board" in html


def test_an_error_page_tells_the_reason_it_is_given_as_text():
    html = render_to_string("errors/403.html", {"message": "Needs <b>releases.approve</b>."})
    assert "Needs &lt;b&gt;releases.approve&lt;/b&gt;." in html


def test_messages_of_django_arrive_as_toasts(rf):
    message = SimpleNamespace(level_tag="error", __str__=lambda self: "")
    html = render_to_string("base_slim.html", {"messages": [message]}, request=rf.get("/"))
    shown = html.split("<template", 1)[0]
    assert 'data-level="error"' in shown


class SampleForm(forms.Form):
    version = forms.CharField(help_text="Semantic version.")
    protected = forms.BooleanField(required=False)
    kind = forms.ChoiceField(choices=[("a", "Manifests"), ("b", "Chart")], widget=forms.RadioSelect)


def test_a_field_ties_its_label_help_and_error_to_the_input():
    html = render_to_string("components/form.html", {"form": SampleForm({})})
    assert '<label class="field-label" for="id_version">' in html
    assert 'aria-describedby="id_version_helptext id_version_error"' in html
    assert 'id="id_version_helptext"' in html
    assert 'id="id_version_error"' in html


def test_a_choice_of_radio_buttons_is_a_group_with_a_legend():
    html = render_to_string("components/form.html", {"form": SampleForm({})})
    assert re.search(r"<fieldset[^>]*>\s*<legend[^>]*>Kind</legend>", html)


def test_a_failed_step_says_so_in_words():
    step = SimpleNamespace(name="rollout", status="failed", message="ImagePullBackOff", started_at=None)
    html = render_to_string("components/step.html", {"step": step})
    assert "Failed" in html
    assert "ImagePullBackOff" in html


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda path: path.name)
def test_a_component_renders_alone_and_says_what_it_needs(component, rf):
    assert component.read_text().startswith("{# ")
    context = {"request": rf.get("/"), "user": VISITOR, "before": "", "after": ""}
    render_to_string(f"components/{component.name}", context)


@pytest.mark.parametrize("template", OURS, ids=lambda path: path.name)
def test_templates_hold_no_inline_script_or_style(template):
    text = template.read_text()
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)|javascript:|hx-on", text)


@pytest.mark.parametrize("script", sorted((ROOT / "static/js").glob("*.js")), ids=lambda path: path.name)
def test_scripts_are_small_and_never_turn_text_into_code_or_markup(script):
    text = script.read_text()
    assert not re.search(r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write", text)
    assert len(text.splitlines()) <= 100


def test_every_stylesheet_and_script_is_linked():
    skeleton = (TEMPLATES / "skeleton.html").read_text()
    for asset in [*(ROOT / "static/css").glob("*.css"), *(ROOT / "static/js").glob("*.js")]:
        assert f"{asset.parent.name}/{asset.name}" in skeleton


def _tokens(theme: int) -> dict[str, str]:
    css = (ROOT / "static/css/tokens.css").read_text()
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", css)
    return {name: (light, dark)[theme] for name, light, dark in pairs} | {"on-solid": "#ffffff"}


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


SURFACES = ("canvas", "surface", "sunken", "raised", "hover", "selected")
TONES = ("neutral", "info", "review", "success", "warning", "danger")
TEXT_PAIRS = [
    *[(text, surface) for text in ("text", "text-2", "text-3") for surface in SURFACES],
    *[(tone, surface) for tone in TONES for surface in (f"{tone}-soft", "surface", "canvas", "sunken", "hover")],
    *[("text-2", f"{tone}-soft") for tone in TONES],
    *[("accent", surface) for surface in ("surface", "canvas", "accent-soft", "selected")],
    *[("on-solid", fill) for fill in ("accent-solid", "accent-solid-hover", "danger-solid", "danger-solid-hover")],
]
SHAPE_PAIRS = [(edge, surface) for edge in ("control-border", "focus") for surface in ("surface", "canvas")]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_keep_the_contrast_of_wcag_aa(theme):
    tokens = _tokens(theme)
    weak = {pair: round(_contrast(tokens[pair[0]], tokens[pair[1]]), 2) for pair in TEXT_PAIRS + SHAPE_PAIRS}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < (3 if pair in SHAPE_PAIRS else 4.5)} == {}
