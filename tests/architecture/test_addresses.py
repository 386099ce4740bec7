"""Every address × method × person, against what is written in `expectations`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest
from django.db import connection, transaction
from django.http import HttpResponseBase
from django.test import Client

from tests.architecture import expectations
from tests.architecture.addresses import Address, every_address
from tests.architecture.expectations import LOGGED_IN, Expectation
from tests.architecture.world import World, build

METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")
UNNAMED = {"/admin/login/", "/admin/password_change/", "/api/v1/"}
ADDRESSES = [each for each in every_address() if not each.is_admin and each.name not in UNNAMED]
# What a refused request may write: that it was refused.
MAY_CHANGE = ("audit_event", "accounts_failedlogin", "django_session", "core_idempotencykey", "django_migrations")


@pytest.fixture
def world(db: None) -> World:
    return build()


def expectation_of(address: Address) -> Expectation:
    return (expectations.API if address.is_api else expectations.PAGES)[address.name]


def test_every_address_has_an_expectation_and_can_be_filled(world: World) -> None:
    known = set(expectations.PAGES) | set(expectations.API)
    found = {address.name for address in ADDRESSES}

    assert found - known == set(), "write down who may do what there, in tests/architecture/expectations.py"
    assert known - found == set(), "these are gone"
    for address in every_address():
        path = address.filled(world.values_for(address))
        assert not set("()<>{}^$\\") & set(path), path


def test_pages_and_api_agree_about_the_same_intention() -> None:
    for page, page_method, endpoint, api_method in expectations.SAME_INTENTION:
        by_page = expectations.PAGES[page].allowed[page_method]
        by_api = expectations.API[endpoint].allowed[api_method]
        assert by_page == by_api, (page, endpoint)


def test_every_change_by_page_has_its_like_in_the_api() -> None:
    """An intention that only one side knows is written here, not forgotten."""
    paired = {page for page, *_ in expectations.SAME_INTENTION} | {name for *_, name, _ in expectations.SAME_INTENTION}
    only_pages = {
        "accounts:login", "accounts:logout", "accounts:person-activate", "accounts:person-deactivate",
        "releases:text-preview",
    }  # fmt: skip
    only_api = {"auth-login", "auth-logout", "release-notes", "alerts"}
    changing = {
        name
        for name, expectation in (expectations.PAGES | expectations.API).items()
        if set(expectation.allowed) - {"GET"}
    }
    assert changing - paired == only_pages | only_api


@pytest.mark.parametrize("person", sorted(expectations.PUBLIC))
def test_everybody_gets_what_the_table_says(world: World, person: str) -> None:
    wrong, before = [], digest()
    client = Client()
    if user := world.people[person]:
        client.force_login(user)
        before = digest()
    session = client.cookies.copy()
    for address in ADDRESSES:
        expectation = expectation_of(address)
        path = address.filled(world.values_for(address))
        for method in methods_for(address, person):
            client.cookies = session.copy()  # type: ignore[assignment]
            wanted = wanted_statuses(expectation, address, method, person)
            with undone() if wanted is ALLOWED else nullcontext():
                response = send(client, method, path, expectation.bodies.get(method, {}), as_json=address.is_api)
            if not fits(response, wanted):
                wrong.append(f"{method} {path} ({address.name}): {response.status_code}, not {sorted(wanted)}")
        after = digest()
        changed = [table for table in before if before[table] != after[table]]
        wrong += [f"a refused request to {path} changed {table}" for table in changed]
        before = after
    assert not wrong, "\n" + "\n".join(wrong)


def methods_for(address: Address, person: str) -> tuple[str, ...]:
    """What nobody may use is tried by the one who may most: a 405 for them is a 405 for all."""
    expected = set(expectation_of(address).allowed)
    if person == "admin":
        return METHODS
    return tuple(method for method in METHODS if method in expected or (method == "POST" and not address.is_api))


NO_SUCH_METHOD = frozenset({405})
ALLOWED = frozenset({200, 201, 202, 204, 302, 409, 422})


def wanted_statuses(expectation: Expectation, address: Address, method: str, person: str) -> frozenset[int]:
    allowed = expectation.allowed.get(method)
    if allowed and person in allowed:
        return ALLOWED
    if person == "anonymous" and "anonymous" not in expectation.seen:
        return frozenset({401} if address.is_api else {302}) | (frozenset() if allowed else NO_SUCH_METHOD)
    if allowed is None:
        return NO_SUCH_METHOD
    return frozenset({403} if person in expectation.seen else {404})


def fits(response: HttpResponseBase, wanted: frozenset[int]) -> bool:
    if response.status_code not in wanted:
        return False
    to_login = response.status_code == 302 and "/accounts/login?next=" in response["Location"]
    return not to_login or 200 not in wanted


def send(client: Client, method: str, path: str, body: dict[str, object], *, as_json: bool) -> HttpResponseBase:
    if path.endswith(("/preview", "/diff")):
        path += "?environment=staging"
    if method == "GET":
        return client.get(path)
    if as_json:
        return client.generic(method, path, json.dumps(body), content_type="application/json")
    return client.post(path, body) if method == "POST" else client.generic(method, path)


@contextmanager
def undone() -> Iterator[list[str]]:
    """What an allowed request changes is taken back."""
    with transaction.atomic():
        yield []
        transaction.set_rollback(True)


@contextmanager
def unchanged() -> Iterator[list[str]]:
    """Inside, a refused request; the list names the tables that it changed all the same."""
    changed: list[str] = []
    before = digest()
    yield changed
    after = digest()
    changed += [table for table in before if before[table] != after[table]]


def digest() -> dict[str, str]:
    """Table → digest of all its rows."""
    with connection.cursor() as cursor:
        tables = [name for name in connection.introspection.table_names(cursor) if name not in MAY_CHANGE]
        parts = [f"SELECT '{table}', md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {table} t" for table in tables]
        cursor.execute(" UNION ALL ".join(parts))
        return dict(cursor.fetchall())


def test_the_digest_sees_a_changed_row(world: World) -> None:
    with unchanged() as changes:
        world.release.description = "Changed."
        world.release.save()
    assert changes == ["releases_release"]


def test_nothing_is_open_to_the_public_by_accident() -> None:
    table = expectations.PAGES | expectations.API
    public = {name for name, each in table.items() if any("anonymous" in people for people in each.allowed.values())}
    assert public == {
        "accounts:login", "openapi", "swagger", "redoc", "health", "ready", "metrics", "auth-login",
    }  # fmt: skip
    assert all(people <= LOGGED_IN for name in set(table) - public for people in table[name].allowed.values())
