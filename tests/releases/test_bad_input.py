"""Content that cannot go out: an error in the API's shape, and a sentence on a form that keeps what was typed."""

from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from audit.models import Event
from releases.models import Application, Release
from tests import factories
from tests.factories import MANIFESTS, artifacts
from tests.releases.test_content import REFUSED

URL = "/api/v1/releases"
Content = tuple[dict[str, str], str, str]
BAD: dict[str, Content] = {
    **{name: ({}, manifests, sentence) for name, (manifests, sentence) in REFUSED.items()},
    "images that the manifests do not use": (
        {"api": "web:1"},
        MANIFESTS,
        "No container in the manifests is called api",
    ),
    "wrong image digest": ({"app": "web@sha256:123"}, MANIFESTS, "not a valid reference"),
    "image that is no reference": ({"app": "not an image"}, MANIFESTS, "not a valid reference"),
    "nothing at all": ({}, "", "A release needs something to send out"),
}


@pytest.fixture
def content(request: pytest.FixtureRequest) -> Content:
    images, manifests, sentence = request.param
    return images, manifests, sentence.replace("\\", "")


each_bad_content = pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys(), indirect=True)


@each_bad_content
def test_the_api_refuses_it_in_its_error_shape_and_keeps_nothing(
    application: Application, deployer: User, api_of: Callable[[User], APIClient], content: Content
) -> None:
    images, manifests, sentence = content
    sent = {"version": "1.0.0", "artifacts": {"images": images, "manifests": manifests}}

    answer = api_of(deployer).post(URL, sent)

    assert answer.status_code == 422
    error = answer.json()
    assert (error["code"], list(error["details"])) == ("invalid", ["artifacts"])
    assert sentence in error["message"]
    assert error["message"] in error["details"]["artifacts"]
    assert not Release.objects.exists()
    assert not Event.objects.filter(action__startswith="release.").exists()


@each_bad_content
def test_the_form_says_it_and_keeps_what_was_typed(
    application: Application, deployer: User, browser_of: Callable[[User], Client], content: Content
) -> None:
    images, manifests, sentence = content
    typed = {
        "application": "checkout",
        "version": "9.9.9",
        "commit": "abc123",
        "description": "Typed with care",
        "manifests": manifests,
        "container": list(images.keys()),
        "reference": list(images.values()),
    }

    answer = browser_of(deployer).post("/releases/new", typed)

    page = unescape(answer.content.decode())
    assert answer.status_code == 422
    assert sentence in page
    for text in ("9.9.9", "abc123", "Typed with care", manifests, *images.keys(), *images.values()):
        assert text in page
    assert not Release.objects.exists()


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"version": ""}, "version"),
        ({"version": None}, "version"),
        ({"version": "1.0 beta"}, "version"),
        ({"version": "<script>alert(1)</script>"}, "version"),
        ({"version": "1" * 101}, "version"),
        ({"version": "1.0\n"}, None),
        ({"commit": "x" * 65}, "commit"),
        ({"description": "x" * 20_001}, "description"),
        ({"artifacts": "x"}, "artifacts"),
        ({"artifacts": None}, "artifacts"),
        ({"artifacts": [1]}, "artifacts"),
        ({"artifacts": {"images": {"app": 1}}}, "artifacts"),
        ({"artifacts": artifacts(surprise=1)}, "artifacts"),
        ({"artifacts": artifacts(values={"a": "\x00"})}, "artifacts"),
        ({"description": "\x00"}, "description"),
    ],
)
def test_other_fields_are_refused_by_name(
    application: Application,
    deployer: User,
    api_of: Callable[[User], APIClient],
    sent: dict[str, Any],
    field: str | None,
) -> None:
    answer = api_of(deployer).post(URL, {"version": "1.0.0", "artifacts": artifacts()} | sent)

    if field is None:
        assert answer.json()["version"] == "1.0"
        return
    assert answer.status_code == 422
    assert list(answer.json()["details"]) == [field]


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"version": NaN}', 400),
        (b'{"version": "1", "version": "2"}', 400),
        (b'{"artifacts": ' + b'{"values": ' * 100 + b"1" + b"}" * 101, 400),
        (b'{"artifacts": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
        (b'{"version": "1.0.0", "artifacts": {"values": {"x": "\\ud800"}}}', 422),
        (b'{"artifacts": {"manifests": "' + b"#" * 10_000_000 + b'"}}', 413),
    ],
    ids=["cut off", "a list", "NaN", "a name twice", "deep", "very deep", "half a surrogate", "10 MB"],
)
def test_a_body_that_is_no_body_is_refused_in_the_error_shape(
    application: Application, deployer: User, api_of: Callable[[User], APIClient], raw: bytes, status: int
) -> None:
    answer = api_of(deployer).post(URL, raw, content_type="application/json")

    assert answer.status_code == status
    assert set(answer.json()) == {"code", "message", "details"}
    assert not Release.objects.exists()


def test_a_10_mb_form_is_refused_in_a_sentence_and_the_page_stays(
    application: Application, deployer: User, browser_of: Callable[[User], Client]
) -> None:
    typed = {"application": "checkout", "version": "1", "manifests": "#" * 10_000_000}

    answer = browser_of(deployer).post(
        "/releases/new", "&".join(f"{name}={value}" for name, value in typed.items()),
        content_type="application/x-www-form-urlencoded", headers={"HX-Request": "true"},
    )  # fmt: skip

    assert answer.status_code == 413
    assert answer["HX-Reswap"] == "none"
    assert "too large" in answer["HX-Trigger"]


def test_a_duplicate_version_is_said_beside_the_version(
    application: Application, deployer: User, browser_of: Callable[[User], Client]
) -> None:
    factories.draft(deployer, application, "1.0.0")
    typed = {
        "application": "checkout",
        "version": "1.0.0",
        "manifests": MANIFESTS,
        "container": "app",
        "reference": "registry.example/web:7",
    }

    answer = browser_of(deployer).post("/releases/new", typed)

    page = unescape(answer.content.decode())
    assert answer.status_code == 409
    assert "1.0.0 is taken." in page
    assert "registry.example/web:7" in page
    assert Release.objects.count() == 1


def test_the_same_container_in_two_rows_is_refused(
    application: Application, deployer: User, browser_of: Callable[[User], Client]
) -> None:
    typed = {
        "application": "checkout",
        "version": "1.0.0",
        "container": ["app", "app"],
        "reference": ["web:1", "web:2"],
    }

    answer = browser_of(deployer).post("/releases/new", typed)

    page = unescape(answer.content.decode())
    assert answer.status_code == 422
    assert "The container app stands in two rows" in page
    assert "web:1" in page and "web:2" in page
