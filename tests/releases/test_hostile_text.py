"""What people paste to attack those who read it: shown as text, everywhere."""

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from django.test import Client

from accounts.models import User
from releases import services
from releases.models import Application
from tests import factories
from tests.factories import actor

LogIn = Callable[[User], Client]
PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[x](javascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "![x](https://evil.example/pixel.png)",
    "<svg/onload=alert(1)>",
    "<a href='vbscript:x'>x</a>",
    "{{ request.user }} {% load x %}",
    "</textarea><script>alert(1)</script>",
    "<style>*{display:none}</style>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "`</code><script>alert(1)</script>`",
    "' onmouseover='alert(1)",
    "<iframe src=//evil.example>",
    "\u202etxt.exe\u202c",
]


class Dangers(HTMLParser):
    """Reads a page as a browser does and collects what could run, load or hide something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in ("iframe", "style", "object", "embed", "base") or (tag == "script" and "src" not in values):
            self.found.append(tag)
        for name, value in values.items():
            if name.startswith("on") or name == "style":
                self.found.append(f"{tag} {name}")
            if name in ("href", "src", "action") and not re.match(r"/|\?|#|https://evil\.example/pixel\.png$", value):
                self.found.append(f"{tag} {name}={value}")
        if tag == "img" and not values.get("src", "").startswith("/static/"):
            self.found.append("img from elsewhere")


def test_the_judge_of_these_tests_sees_what_is_dangerous() -> None:
    page = "<script>x</script><img src=x onerror=y><a href='javascript:x'>x</a><style>x</style>"

    assert len(Dangers(page).found) == 6


@pytest.fixture(params=PAYLOADS)
def payload(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_hostile_text_is_harmless_on_every_page(
    application: Application, deployer: User, approver: User, admin: User, browser_of: LogIn, payload: str
) -> None:
    services.update_application(
        actor=actor(admin), application=application, changes={"name": payload[:100], "description": payload}
    )
    manifests = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata:\n  x: |\n    {payload}\n"
    release = factories.in_review(
        deployer,
        application,
        artifacts={"manifests": manifests, "values": {payload: payload}},
        description=payload,
        commit=payload[:64],
    )
    services.comment_on_release(actor=actor(approver), release=release, body=payload)
    services.reject_release(actor=actor(approver), release=release, comment=payload)
    browser = browser_of(deployer)

    for url in (
        "/releases",
        "/releases/new",
        f"/releases/new?from={release.pk}",
        f"/releases/{release.pk}",
        f"/releases/{release.pk}/edit",
        f"/releases/{release.pk}/comments",
        "/applications",
        "/applications/checkout",
    ):
        answer = browser.get(url)
        assert answer.status_code == 200
        assert Dangers(answer.content.decode()).found == [], url


def test_hostile_text_comes_back_harmless_on_a_refused_form(
    application: Application, deployer: User, browser_of: LogIn, payload: str
) -> None:
    typed = dict.fromkeys(("version", "commit", "description", "manifests", "container", "reference"), payload)
    browser = browser_of(deployer)

    answers = [
        browser.post("/releases/new", typed | {"application": "checkout"}),
        browser.post("/releases/new", typed | {"application": payload}),
        browser.get("/releases", {"q": payload}),
        browser.get("/releases", {"status": payload}),
        browser.get("/releases/new/version", {"version": payload, "application": payload}),
        browser.post("/releases/new/preview", {"description": payload}),
    ]

    assert [answer.status_code for answer in answers] == [422, 422, 200, 422, 200, 200]
    for answer in answers:
        assert Dangers(answer.content.decode()).found == []


@pytest.mark.parametrize("version", ["<b>1</b>", "1.0.0\x00", "../../etc", "1 0", "'; DROP TABLE", "é", "-1", ""])
def test_a_version_is_letters_digits_and_few_signs(
    application: Application, deployer: User, browser_of: LogIn, version: str
) -> None:
    typed = {"application": "checkout", "version": version, "container": "app", "reference": "web:1"}

    assert browser_of(deployer).post("/releases/new", typed).status_code == 422
