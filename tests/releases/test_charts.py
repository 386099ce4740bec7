"""Charts in a release: from a repository or packaged, looked into before they are stored, and shown without secrets."""

import base64
import gzip
import io
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import User
from releasemgr.core.errors import Invalid
from releases import charts
from releases.content import clean_artifacts
from releases.masking import artifacts_without_secrets, masked_values
from releases.models import Application, Release
from tests import factories

CHART_YAML = ("web/Chart.yaml", b"apiVersion: v2\nname: web\nversion: 1.10.0\n")
IMAGE_ROW = {"container": "app", "reference": "registry.example/web:1"}
LogIn = Callable[[User], Client]


def packed(*files: tuple[str, bytes], links: tuple[tuple[str, str], ...] = ()) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        for name, to in links:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, to
            tar.addfile(entry)
    return gzip.compress(made.getvalue())


def chart(data: bytes, **fields: str) -> dict[str, Any]:
    return {"chart": {"archive": base64.b64encode(data).decode(), **fields}}


def refusal(artifacts: dict[str, Any]) -> str:
    with pytest.raises(Invalid) as caught:
        clean_artifacts(artifacts)
    return " ".join(caught.value.details["artifacts"])


def test_a_packaged_chart_is_known_by_its_own_name_version_and_digest() -> None:
    content = clean_artifacts(chart(packed(CHART_YAML, ("web/templates/a.yaml", b"a: 1"))))
    assert (content["chart"]["name"], content["chart"]["version"]) == ("web", "1.10.0")
    assert content["chart"]["digest"].startswith("sha256:")
    assert clean_artifacts(content) == content


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"no gzip", "no gzip file"),
        (gzip.compress(b"\0" * 40_000_000), "unpacks to more than 10 MB"),
        (gzip.compress(b"no tar" * 200), "no tar archive"),
        (packed(CHART_YAML)[:-12], "cut off"),
        (packed(CHART_YAML, ("web/../../etc/passwd", b"x")), "leads out of the chart"),
        (packed(CHART_YAML, ("/etc/passwd", b"x")), "leads out of the chart"),
        (packed(CHART_YAML, links=(("web/files", "/etc"),)), "link or a device"),
        (packed(CHART_YAML, ("other/a", b"")), "one directory"),
        (packed(("web/values.yaml", b"")), "names no chart"),
        (packed(("web/Chart.yaml", b"name: [")), "not valid YAML"),
        (packed(CHART_YAML, *((f"web/{number}", b"") for number in range(charts.MOST_FILES))), "more than 2000 files"),
    ],
    # An archive holds the time at which it was packed, so it cannot name a test.
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_archive_that_is_no_chart_or_means_harm_is_refused(data: bytes, told: str) -> None:
    assert told in refusal(chart(data))


def test_an_archive_that_is_too_large_is_refused_unread() -> None:
    assert "at most 1024 kB" in refusal({"chart": {"archive": "A" * 1_500_000}})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("repository", "file:///etc"),
        ("repository", "https://user:password@charts.example"),
        ("repository", "https://charts.example?x=1"),
        ("name", "../web"),
        ("version", "^1.2"),
        ("version", "latest"),
        ("digest", "sha256:1"),
        ("release_name", "Web!"),
        ("surprise", "x"),
    ],
)
def test_a_chart_of_a_repository_is_named_exactly(field: str, value: str) -> None:
    good = {"repository": "oci://registry.example:5000/charts", "name": "web", "version": "1.2.3+build.5"}
    assert clean_artifacts({"chart": good})["chart"] == good
    assert field in refusal({"chart": good | {field: value}})


def test_values_hide_what_stands_under_a_telling_name() -> None:
    values = {
        "replicas": 2,
        "auth": {"username": "shop", "rotate": True},
        "db": {"adminPassword": "hunter2", "url": "postgres://shop:hunter2@db/shop"},
        "env": [{"name": "API_TOKEN", "value": "hunter2"}, {"name": "COLOUR", "value": "blue"}],
        "tls": {"key": "hunter2", "existingSecret": ""},
    }
    shown = masked_values(values)
    assert "hunter2" not in str(shown)
    assert shown["replicas"] == 2
    assert shown["env"][1] == {"name": "COLOUR", "value": "blue"}
    assert shown["auth"] == {"username": "•••", "rotate": True}
    assert shown["tls"]["existingSecret"] == ""


def test_the_audit_log_keeps_no_archive_and_no_secret_value() -> None:
    content = clean_artifacts(chart(packed(CHART_YAML)) | {"values": {"password": "hunter2"}})
    kept = artifacts_without_secrets(content)
    assert "archive" not in kept["chart"]
    assert kept["chart"]["digest"] == content["chart"]["digest"]
    assert kept["values"] == {"password": "•••"}


@pytest.mark.django_db
def test_a_chart_file_goes_in_by_the_form_and_stays_when_it_is_edited(
    application: Application, deployer: User, browser_of: LogIn
) -> None:
    browser = browser_of(deployer)
    file = SimpleUploadedFile("web-1.10.0.tgz", packed(CHART_YAML))
    typed = {"application": application.slug, "version": "1.0.0", "values": "db:\n  password: hunter2\n"}
    browser.post("/releases/new", typed | {"chart_file": file})
    release = Release.objects.get()
    assert release.artifacts["chart"]["version"] == "1.10.0"

    page = browser.get(f"/releases/{release.pk}").content.decode()
    assert "1.10.0" in page
    assert "hunter2" not in page
    assert release.artifacts["chart"]["archive"] not in page
    digest = release.digest
    browser.post(f"/releases/{release.pk}/edit", typed)
    release.refresh_from_db()
    assert release.digest == digest
    browser.post(f"/releases/{release.pk}/edit", typed | {"without_chart": "on", **IMAGE_ROW})
    release.refresh_from_db()
    assert release.artifacts["chart"] is None


@pytest.mark.django_db
def test_values_that_are_no_yaml_are_told_at_the_field(
    application: Application, deployer: User, browser_of: LogIn
) -> None:
    typed = {"application": application.slug, "version": "1.0.0", "values": "a: ["}
    answer = browser_of(deployer).post("/releases/new", typed | IMAGE_ROW)
    assert answer.status_code == 422
    assert "The values are not valid YAML" in answer.content.decode()


@pytest.mark.django_db
def test_readers_get_values_without_secrets_over_the_api(
    application: Application, deployer: User, viewer: User, api_of: Any
) -> None:
    content = clean_artifacts(factories.artifacts(values={"password": "hunter2"}))
    release = factories.draft(deployer, application, "1.0.0", artifacts=content)
    assert "hunter2" in str(api_of(deployer).get(f"/api/v1/releases/{release.pk}").json())
    assert "hunter2" not in str(api_of(viewer).get(f"/api/v1/releases/{release.pk}").json())
