"""Partials render alone with what their first line names; no template carries script or style; every name resolves."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpRequest
from django.template import Context
from django.template.loader import render_to_string
from django.test import Client
from django.test.signals import template_rendered
from django.urls import NoReverseMatch, URLPattern, get_resolver, reverse
from django.utils import timezone

from deployments.models import Bake, Deployment
from releasemgr.core.templatetags.navigation import NAVIGATION
from tests import factories
from tests.architecture.test_addresses import ADDRESSES, expectation_of, undone
from tests.architecture.world import World, build

TEMPLATES = Path(settings.BASE_DIR) / "templates"
PARTIALS = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.glob("*/partials/*.html"))
# Head and body of the one modal window: what it is filled with, never a part of a page.
FRAMES = {"deployments/partials/dialog.html", "releases/partials/decision_dialog.html"}
# What Django's context processors give to every template.
ALWAYS = {"request", "user", "perms", "messages", "csrf_token", "DEFAULT_MESSAGE_LEVELS", "True", "False", "None"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
EVIDENCE = {"workload": {"kind": "Deployment", "name": "web", "conditions": []}, "pods": [], "events": []}
Rendered = tuple[HttpRequest | None, dict[str, Any]]


@pytest.fixture
def seen(db: None) -> dict[str, list[Rendered]]:
    """Template → (request, context) each time it was drawn while people looked at everything that they may."""
    world = build()
    furnish(world)
    found: dict[str, list[Rendered]] = {}

    def note(sender: Any, template: Any, context: Context, **_: Any) -> None:
        drawn = found.setdefault(template.name or "", [])
        if len(drawn) < 20:
            drawn.append((getattr(context, "request", None), context.flatten()))  # type: ignore[arg-type]

    template_rendered.connect(note)
    try:
        for person in ("admin", "viewer"):
            look_at_everything(world, person)
    finally:
        template_rendered.disconnect(note)
    return found


CHECK_EVIDENCE = {
    "checks": [{"name": "alive", "verdict": "failed", "sentence": "No.", "failure_limit": 1, "log": ["A line."]}],
    "alerts": [{"name": "HighErrors", "sentence": "Too many."}],
}


def furnish(world: World) -> None:
    """A past: one that went well, one that failed with evidence, one that moves."""
    deployer, approver = world.people["deployer"], world.people["approver"]
    assert deployer is not None
    assert approver is not None
    now, common = timezone.now(), {
        "target": world.target, "application": world.application, "environment": world.environment,
        "deployed_by": deployer, "manifests": world.deployment.manifests,
    }  # fmt: skip
    for sequence, (version, status) in enumerate(
        [("0.1.0", "succeeded"), ("0.2.0", "failed"), ("0.3.0", "in_progress")]
    ):
        release = factories.approved(deployer, approver, world.application, version)
        made = Deployment.objects.create(
            release=release, release_digest=release.digest, status=status, sequence=sequence + 1, started_at=now,
            completed_at=None if status == "in_progress" else now, evidence=EVIDENCE if status == "failed" else {},
            error_message="CrashLoopBackOff" if status == "failed" else "", **common,
            strategy={"type": "canary", "steps": [{"weight": 10}]} if status == "in_progress" else {},
        )  # fmt: skip
        names = ("preflight", "apply", "rollout", "verify")
        if status == "in_progress":
            names = ("preflight", "canary", "apply", "rollout", "verify", "tidy")
        made.steps.bulk_create(
            made.steps.model(
                deployment=made,
                position=position,
                name=name,
                status="running" if position == 1 else "pending",
                checkpoint={"index": 0, "phase": "watching", "promotions": 0} if name == "canary" else {},
            )
            for position, name in enumerate(names)
        )
        made.log.create(message="A line.")
        made.measurements.create(name="alive", phase="verify", verdict="pass", sentence="It answered.")
        if status == "succeeded":
            Bake.objects.create(deployment=made, until=now, evidence=CHECK_EVIDENCE)
    add_a_second_target(world, made)


def add_a_second_target(world: World, lead: Deployment) -> None:
    """Where another version runs: a part of `lead`, so that the board shows both."""
    second = factories.target(world.application, world.environment, world.cluster, namespace="second", wave=2)
    Deployment.objects.create(
        part_of=lead, target=second, application=world.application, environment=world.environment,
        release=lead.release, release_digest=lead.release_digest, status="failed", sequence=1, error_message="Gone",
    )  # fmt: skip


def look_at_everything(world: World, person: str) -> None:
    client = Client(raise_request_exception=True)
    client.force_login(world.people[person])  # type: ignore[arg-type]
    session = client.cookies.copy()
    for address in ADDRESSES:
        if address.is_api or address.name == "accounts:logout":
            continue
        others = Deployment.objects.all() if "/deployments/" in address.route and "pk" in address.holes else [None]
        for other in others:
            values = world.values_for(address)
            if other and "/deployments/" in address.route:
                values["pk"] = str(other.pk)
            path = address.filled(values)
            for headers in ({}, {"hx-request": "true"}):
                client.cookies = session.copy()  # type: ignore[assignment]
                if "GET" in expectation_of(address).allowed:
                    client.get(path, headers=headers)
                if "POST" in expectation_of(address).allowed and other is None:
                    with undone():
                        client.post(path, {}, headers=headers)


def first_line(template: str) -> str:
    return (TEMPLATES / template).read_text().splitlines()[0]


@pytest.mark.parametrize("template", PARTIALS)
def test_a_partial_names_its_context_in_its_first_line(template: str) -> None:
    line = first_line(template)
    assert line.startswith("{# Needs ")
    assert line.endswith("#}")


def test_every_partial_is_drawn_and_renders_alone(seen: dict[str, list[Rendered]]) -> None:
    """With nothing but what its first line names, each says the same as on the page that drew it."""
    wrong = [f"{template}: nobody draws it" for template in PARTIALS if template not in seen]
    for template in PARTIALS:
        for request, context in seen.get(template, ()):
            wrong += [f"{template}: {problem}" for problem in problems_alone(template, request, context)]
    assert not wrong, "\n" + "\n".join(sorted(set(wrong)))


def problems_alone(template: str, request: HttpRequest | None, context: dict[str, Any]) -> Iterator[str]:
    names = set(re.findall(r"\w+", first_line(template))) | (context.keys() & ALWAYS)
    alone = {name: value for name, value in context.items() if name in names}
    if "body" in names and isinstance(context.get("body"), str):
        alone |= {name: context[name] for name in re.findall(r"\w+", first_line(context["body"])) if name in context}
    whole, by_itself = (without_csrf(render_to_string(template, each, request)) for each in (context, alone))
    if whole != by_itself:
        yield "it needs more than its first line says"
    roots = roots_of(by_itself)
    # Drawn for nothing to say, it is empty.
    if len(roots) > 1 and template not in FRAMES:
        yield f"it has {len(roots)} roots: {[tag for tag, _ in roots]}"
    elif roots and "id" not in roots[0][1] and roots[0][1].keys() & {"hx-get", "data-live"}:
        yield "its root is fetched again but has no id"


def without_csrf(html: str) -> str:
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", html)


class Roots(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.depth, self.found = 0, []  # type: ignore[var-annotated]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.depth == 0:
            self.found.append((tag, dict(attrs)))
        self.depth += tag not in VOID

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.depth == 0:
            self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag not in VOID

    def handle_data(self, data: str) -> None:
        if self.depth == 0 and data.strip():
            self.found.append(("text", {}))


def roots_of(html: str) -> list[tuple[str, dict[str, str]]]:
    parser = Roots()
    parser.feed(html)
    return parser.found


EVERY_TEMPLATE = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html"))
INLINE = {
    "a style attribute": re.compile(r"\sstyle\s*=", re.I),
    "an event handler": re.compile(r"\son[a-z]+\s*=", re.I),
    "a script in the page": re.compile(r"<script(?![^>]*\ssrc=)[^>]*>", re.I),
    "a style in the page": re.compile(r"<style", re.I),
    "a javascript address": re.compile(r"javascript:", re.I),
    "code for htmx to evaluate": re.compile(r"hx-on|hx-vals\s*=\s*['\"]js:", re.I),
    "text marked as safe": re.compile(r"\|\s*safe\b|autoescape off"),
}


@pytest.mark.parametrize("template", EVERY_TEMPLATE)
def test_no_template_carries_script_or_style(template: str) -> None:
    text = re.sub(r"{#.*?#}", "", (TEMPLATES / template).read_text())
    assert [what for what, pattern in INLINE.items() if pattern.search(text)] == []


def names_of(resolver: Any, prefix: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLPattern):
            yield prefix + (entry.name or "")
        else:
            yield from names_of(entry, f"{prefix}{entry.namespace}:" if entry.namespace else prefix)


def test_every_name_of_an_address_in_a_template_resolves() -> None:
    known = set(names_of(get_resolver()))
    used = {
        (name, template)
        for template in EVERY_TEMPLATE
        for name in re.findall(r"{%\s*(?:url|page_url)\s+['\"]([\w:-]+)['\"]", (TEMPLATES / template).read_text())
    }
    assert len(used) > 50
    # A name that is put together ("releases:" and a verb) is met by drawing it.
    assert {use for use in used if use[0] not in known and not use[0].endswith(":")} == set()


@pytest.mark.parametrize("name", [name for _, _, links in NAVIGATION for _, name, _, _ in links])
def test_every_page_of_the_navigation_exists(name: str) -> None:
    try:
        assert reverse(name)
    except NoReverseMatch:
        pytest.fail(f"The sidebar leads to {name}, which is no page.")
