"""Guessing passwords is slow: counted for the account, the address, and both."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from pytest_django import Settings

from accounts import throttle
from accounts.models import FailedLogin, User
from releasemgr.core.errors import TooManyAttempts
from tests.factories import PASSWORD, user

LOGIN = "/api/v1/auth/login"


@pytest.fixture(autouse=True)
def _limits(settings: Settings) -> None:
    settings.LOGIN_THROTTLE = {"account_address": 3, "account": 6, "address": 9, "window_seconds": 300}


def guess(login: str = "deployer", password: str = "wrong", ip: str = "192.0.2.1") -> Any:
    body = {"username": login, "password": password}
    return Client(REMOTE_ADDR=ip).post(LOGIN, body, content_type="application/json")


def let_the_window_pass() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_failedlogin SET window_ends_at = now() - interval '1 second'")


@pytest.mark.django_db
def test_after_some_failures_even_the_right_password_has_to_wait(deployer: User) -> None:
    assert [guess().status_code for _ in range(4)] == [401, 401, 401, 429]

    answer = guess(password=PASSWORD)

    assert answer.status_code == 429
    assert 290 <= int(answer["Retry-After"]) <= 300
    assert answer.json()["code"] == "too_many_attempts"
    assert "Wait" in answer.json()["message"]


@pytest.mark.django_db
def test_the_owner_at_another_address_is_not_locked_out(deployer: User) -> None:
    for _ in range(4):
        guess(ip="203.0.113.9")
    assert guess(password=PASSWORD).status_code == 200


@pytest.mark.django_db
def test_an_account_is_guarded_against_many_addresses(deployer: User) -> None:
    statuses = [guess(ip=f"192.0.2.{number}").status_code for number in range(8)]
    assert statuses == [401] * 6 + [429] * 2


@pytest.mark.django_db
def test_an_address_is_stopped_whatever_accounts_it_tries(deployer: User) -> None:
    statuses = [guess(login=f"nobody{number}").status_code for number in range(11)]
    assert statuses == [401] * 9 + [429] * 2
    assert guess(password=PASSWORD).status_code == 429
    assert guess(password=PASSWORD, ip="192.0.2.2").status_code == 200


@pytest.mark.django_db
def test_email_and_short_name_are_one_account(deployer: User) -> None:
    logins = ["deployer", "deployer@example.com", "DEPLOYER", "Deployer@example.com"]
    assert [guess(login=login).status_code for login in logins] == [401, 401, 401, 429]


@pytest.mark.django_db
def test_an_unknown_account_is_throttled_the_same_way(db: None) -> None:
    assert [guess(login="ghost").status_code for _ in range(4)] == [401, 401, 401, 429]


@pytest.mark.django_db
def test_success_forgets_the_failures_of_this_account_and_address(deployer: User) -> None:
    for _ in range(2):
        guess()
    assert guess(password=PASSWORD).status_code == 200
    assert [guess().status_code for _ in range(4)] == [401, 401, 401, 429]


@pytest.mark.django_db
def test_logging_in_often_is_no_failure(deployer: User) -> None:
    assert {guess(password=PASSWORD).status_code for _ in range(12)} == {200}


@pytest.mark.django_db
def test_after_the_window_one_may_try_again(deployer: User) -> None:
    for _ in range(4):
        guess()
    let_the_window_pass()
    assert guess(password=PASSWORD).status_code == 200


@pytest.mark.django_db
def test_waiting_people_do_not_make_the_wait_longer(deployer: User) -> None:
    for _ in range(4):
        guess()
    end = FailedLogin.objects.order_by("window_ends_at").values_list("window_ends_at", flat=True)
    before = list(end)
    guess()
    assert list(end) == before


@pytest.mark.django_db
def test_the_page_is_throttled_with_the_api(deployer: User) -> None:
    for _ in range(3):
        guess()
    answer = Client(REMOTE_ADDR="192.0.2.1").post("/accounts/login", {"login": "deployer", "password": PASSWORD})
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    assert "Too many failed logins" in answer.content.decode()


@pytest.mark.django_db
def test_a_neighbour_in_the_same_ipv6_network_is_the_same_address() -> None:
    for number in range(9):
        throttle.begin_attempt(account=f"a{number}", ip=f"2001:db8::{number}")
    with pytest.raises(TooManyAttempts):
        throttle.begin_attempt(account="b", ip="2001:db8::ffff")
    throttle.begin_attempt(account="c", ip="2001:db8:0:1::1")


@pytest.mark.django_db
def test_nothing_that_was_typed_can_be_read_in_the_table(deployer: User) -> None:
    guess(login="my password by mistake")
    assert all(len(row.key) == 64 and "password" not in row.key for row in FailedLogin.objects.all())
    assert FailedLogin.objects.count() == 3


@pytest.mark.django_db
def test_old_rows_are_cleared_away(deployer: User) -> None:
    guess(login="ghost", ip="203.0.113.1")
    let_the_window_pass()
    guess(password=PASSWORD)
    assert FailedLogin.objects.count() == 2


@pytest.mark.django_db
def test_an_unknown_account_costs_the_hash_of_a_password_too(
    deployer: User, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    from django.contrib.auth.hashers import MD5PasswordHasher

    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def counting(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return str(encode(self, password, salt))

    monkeypatch.setattr(MD5PasswordHasher, "encode", counting)
    costs = []
    for login in ("deployer", "nobody", "x" * 5000, "snow\N{SNOWMAN}man"):
        hashed.clear()
        guess(login=login, ip="192.0.2.77")
        costs.append(len(hashed))
    assert costs == [1, 1, 1, 1]


@pytest.mark.django_db(transaction=True)
def test_many_guesses_at_once_get_no_more_tries_than_one_after_another() -> None:
    user("deployer")
    barrier = threading.Barrier(10)

    def send(_: int) -> int:
        barrier.wait()
        try:
            return int(guess().status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as threads:
        statuses = sorted(threads.map(send, range(10)))

    assert statuses == [401] * 3 + [429] * 7
