"""Whose address an event carries."""

from typing import Any

import pytest
from django.test import RequestFactory

from audit.middleware import client_ip

PROXIES = ["10.0.0.0/8", "192.0.2.7"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        pytest.param("203.0.113.5", "6.6.6.6", "203.0.113.5", id="a stranger's word is not taken"),
        pytest.param("10.1.2.3", "203.0.113.5", "203.0.113.5", id="a proxy of a trusted network is believed"),
        pytest.param("192.0.2.7", "6.6.6.6, 203.0.113.5, 10.9.9.9", "203.0.113.5", id="up to the first stranger"),
        pytest.param("10.1.2.3", "", "10.1.2.3", id="a proxy that says nothing stands for itself"),
        pytest.param("10.1.2.3", "nonsense", None, id="nonsense is nobody"),
        pytest.param("", "", None, id="a socket without addresses"),
    ],
)
def test_the_address_is_the_last_one_that_a_trusted_proxy_vouches_for(
    peer: str, forwarded: str, expected: str | None, settings: Any
) -> None:
    settings.TRUSTED_PROXIES = PROXIES
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    request = RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer)
    assert client_ip(request) == expected
