"""Garbage in every part of a request: each address answers with a 4xx at worst, and nothing is changed by a refusal."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from rest_framework.serializers import BaseSerializer

from accounts.api import router as accounts_router
from deployments.api import router as deployments_router
from deployments.api.deployments import ReleaseDeployments
from releases.api import router as releases_router
from tests.architecture.addresses import Address
from tests.architecture.test_addresses import ADDRESSES, expectation_of, undone
from tests.architecture.world import World, build

NASTY_TEXTS = (
    "a\x00b", "\ud800", "'\"><script>alert(1)</script>", "{{ 7*7 }}", "\r\nSet-Cookie: a=b", "9" * 400, "-1", "NaN",
)  # fmt: skip
NASTY_VALUES: tuple[Any, ...] = (
    "a\x00b", "\ud800", "9" * 400, None, -1, 2**70, 1e308, [[]], {"$ne": 1}, {"\x00": 1}, {"images": {"a": ["b"]}},
)  # fmt: skip
QUERY_NAMES = (
    "ordering", "limit", "cursor", "page", "q", "status", "application", "environment", "version", "user", "team",
    "role", "action", "resource_type", "resource_id", "since", "until", "format", "after", "before", "from", "next",
    "kind", "_connector", "id__gt", "application__team__slug",
)  # fmt: skip


@pytest.fixture
def world(db: None) -> World:
    return build()


@pytest.fixture
def client(world: World) -> Client:
    """The administrator, who gets furthest. Exceptions become 500, as they would outside."""
    client = Client(raise_request_exception=False)
    client.force_login(world.people["admin"])  # type: ignore[arg-type]
    return client


def serializer_fields() -> set[str]:
    """Every name that a body of the API may hold."""
    views = [
        view for router in (accounts_router, releases_router, deployments_router) for _, view, _ in router.registry
    ]
    inputs: list[type[BaseSerializer[Any]] | None] = [
        each for view in [*views, ReleaseDeployments] for each in view.input_serializers.values()
    ]
    return {name for serializer in inputs if serializer for name in serializer().fields}  # type: ignore[attr-defined]


def changing(address: Address) -> Iterator[str]:
    yield from (method for method in expectation_of(address).allowed if method in ("POST", "PATCH"))


def test_no_query_breaks_a_read(world: World, client: Client) -> None:
    broken = []
    for address in ADDRESSES:
        if "GET" not in expectation_of(address).allowed or address.name in ("ready", "metrics"):
            continue
        path = address.filled(world.values_for(address))
        for text in NASTY_TEXTS[::3]:
            query = dict.fromkeys(QUERY_NAMES, text.encode("utf-8", "replace").decode())
            if client.get(path, query).status_code >= 500:
                broken.append(f"{path} with all of {text[:30]!r}")
    assert not broken, "\n" + "\n".join(broken)


ODD_PARAMETERS = {
    "ordering": ("--name", "-created_at,", "password", "user__password", "-"),
    "limit": ("-1", "0", "9" * 400, "1e309", "\x00", "𝟙"),
    "cursor": ("cD0yMDI2", "cj0xJnA9MQ==", "bz05OTk5OTk5OTk5OTk5", "\x00", "===="),
    "after": ("-1", "9" * 400, "𝟙"),
}


def test_no_single_parameter_breaks_a_list_of_the_api(world: World, client: Client) -> None:
    broken = []
    for address in ADDRESSES:
        if not address.name.endswith("-list"):
            continue
        path = address.route
        for name, texts in ODD_PARAMETERS.items():
            broken += [f"{path}?{name}={text[:30]!r}" for text in texts if fails(client, path, {name: text})]
    assert not broken, "\n" + "\n".join(broken)


def fails(client: Client, path: str, query: dict[str, str]) -> bool:
    return client.get(path, query).status_code >= 500


def test_no_body_breaks_a_change_by_the_api(world: World, client: Client) -> None:
    fields, broken = sorted(serializer_fields()), []
    bodies = [json.dumps(dict.fromkeys(fields, value)) for value in NASTY_VALUES]
    bodies += ["", "null", "[]", '"text"', "1", "{", '{"a":' * 5000, "\x00", '{"a": NaN}', '{"a":1,"a":2}', "{}" * 2]
    for address in ADDRESSES:
        if not address.is_api:
            continue
        path = address.filled(world.values_for(address))
        for method in changing(address):
            for body in bodies:
                with undone():
                    response = client.generic(method, path, body, content_type="application/json")
                if response.status_code >= 500:
                    broken.append(f"{method} {path} {body[:60]!r}")
    assert not broken, "\n" + "\n".join(broken)


def test_no_single_field_breaks_a_change_by_the_api(world: World, client: Client) -> None:
    """The rest of the body is valid, so that the one value gets as far as it can."""
    valid = {
        "release-list": {"application": "checkout", "version": "9.9.9", "artifacts": {"images": {"app": "a:1"}}},
        "release-deploy": {"environment": "staging"},
        "deployment-rollback": {"reason": "Because"},
        "environment-list": {"name": "qa", "position": 3},
        "application-list": {"slug": "cart", "name": "Cart", "team": "payments"},
        "team-list": {"slug": "search", "name": "Search"},
        "user-list": {"email": "new@example.com", "name": "New", "role": "viewer"},
        "token-list": {"name": "ci", "scopes": ["releases:read"], "expires_at": "2027-01-01T00:00:00Z"},
        "approval-rule-list": {"count": 1},
        "target-list": {"application": "checkout", "environment": "staging", "cluster": "main", "namespace": "default"},
    }
    broken = []
    for address in ADDRESSES:
        if (body := valid.get(address.name)) is None:
            continue
        path = address.filled(world.values_for(address))
        for field in sorted(
            set(body) | {"artifacts", "overrides", "not_before", "notes", "commit", "count", "description"}
        ):
            for value in NASTY_VALUES[::3]:
                with undone():
                    sent = json.dumps({**body, field: value})
                    response = client.post(path, sent, content_type="application/json")
                if response.status_code >= 500:
                    broken.append(f"{path} {field}={str(value)[:40]!r}")
    assert not broken, "\n" + "\n".join(broken)


def test_no_form_breaks_a_page(world: World, client: Client) -> None:
    fields = sorted(serializer_fields() | {"body", "form", "images", "container", "reference", "from", "next", "login"})
    broken = []
    for address in ADDRESSES:
        if address.is_api or "POST" not in expectation_of(address).allowed:
            continue
        path = address.filled(world.values_for(address))
        for text in NASTY_TEXTS:
            form = dict.fromkeys(fields, text.encode("utf-8", "replace").decode())
            with undone():
                response = client.post(path, form)
            if response.status_code >= 500:
                broken.append(f"{path} with {text[:30]!r}")
    assert not broken, "\n" + "\n".join(broken)


def test_no_text_in_an_address_breaks_it(world: World, client: Client) -> None:
    broken = []
    for address in ADDRESSES:
        for text in ("%00", "%ff%fe", "a" * 3000, "..%2f..", "%0d%0aX: y"):
            for hole in address.holes:
                path = address.filled(world.values_for(address) | {hole: text})
                if client.get(path).status_code >= 500:
                    broken.append(path[:80])
    assert not broken, "\n" + "\n".join(broken)
