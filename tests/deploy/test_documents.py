"""The pages under deploy/docs say what is there: nothing is left out, and every link leads somewhere."""

import re
from pathlib import Path

import pytest
from django.db import connection
from django.urls import get_resolver

from deploy.scripts import reference

WRITE_AGAIN = "run `.venv/bin/python -m deploy.scripts.reference`"
PAGES = sorted(
    [*reference.DOCS.glob("*.md"), reference.ROOT / "README.md", reference.ROOT / "deployments/sandbox/README.md"]
)


@pytest.fixture(scope="module")
def api_reference() -> str:
    return (reference.DOCS / "api-reference.md").read_text()


def test_the_api_reference_names_every_endpoint(api_reference: str) -> None:
    api = reference.openapi()
    endpoints = {
        f"`{method.upper()} {path.removeprefix('/api/v1')}`"
        for path, operations in api["paths"].items()
        for method in reference.METHODS
        if method in operations
    }
    assert {each for each in endpoints if each not in api_reference} == set(), WRITE_AGAIN


def test_the_api_reference_names_the_probes(api_reference: str) -> None:
    names = {str(key) for key in get_resolver("releasemgr.api").reverse_dict if isinstance(key, str)}
    assert {"health", "ready", "metrics"} <= names
    assert all(f"`GET /{name}`" in api_reference for name in ("health", "ready", "metrics"))


def test_the_api_reference_shows_every_field_of_every_body(api_reference: str) -> None:
    for line in reference.body_tables(reference.openapi()):
        assert line in api_reference, WRITE_AGAIN


def test_the_database_schema_shows_every_table_and_column() -> None:
    page = (reference.DOCS / "database-schema.md").read_text()
    for line in reference.model_tables():
        assert line in page, WRITE_AGAIN


@pytest.mark.django_db
def test_the_database_schema_names_every_trigger() -> None:
    page = (reference.DOCS / "database-schema.md").read_text()
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal")
        triggers = cursor.fetchall()
    assert triggers
    # Those of the seals are named together with the events', by their tables.
    assert [name for name, table in triggers if name not in page and f"`{table}`" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(reference.ROOT).as_posix())
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text())):
        if link.startswith(("http://", "https://")):
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        if heading:
            assert heading in headings(target), f"{link}: there is no such heading"


def without_code(text: str) -> str:
    return re.sub(r"^( {4}.*|```.*?^```)$", "", text, flags=re.MULTILINE | re.DOTALL)


def headings(page: Path) -> set[str]:
    """The anchors as Markdown viewers make them."""
    found = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in found}
