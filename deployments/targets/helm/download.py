"""Downloads from addresses that a release chose, so from none inside our network that an operator has not named.

A host is looked up once, every address it has is judged, and the connection goes to the very address that was judged:
asking again could give another answer. Redirects are judged like the first address.
"""

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urljoin, urlsplit

import urllib3

from deployments.health import addresses
from deployments.health.addresses import Url
from deployments.targets.kubernetes.wording import clean

# Host names and networks, separated by commas (see `health.addresses`): inside the network, or over plain HTTP.
ALLOWED_HOSTS = "HELM_ALLOWED_HOSTS"
MOST_REDIRECTS = 4
TIMEOUTS = urllib3.Timeout(connect=4.0, read=8.0)
WHOLE_SECONDS = 15.0
CHUNK = 64 * 1024


class Refused(Exception):
    """A verdict: asking again changes nothing. The text is a sentence for people."""


class Unavailable(Exception):
    """A breakage that may pass."""


@dataclass(frozen=True, slots=True)
class Answer:
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Place:
    url: Url
    address: str


def download(url: str, *, most_bytes: int, headers: Mapping[str, str] | None = None) -> Answer:
    """The answer to a GET, whatever its status. Raises Refused or Unavailable."""
    until = time.monotonic() + WHOLE_SECONDS
    sent = {"User-Agent": "releasemgr", **(headers or {})}
    for _ in range(MOST_REDIRECTS + 1):
        place = _vetted(url)
        answer = _get(place, url, sent, most_bytes, until)
        target = answer.headers.get("location")
        if answer.status not in (301, 302, 303, 307, 308) or not target:
            return answer
        following = urljoin(url, target)
        if urlsplit(following).netloc != urlsplit(url).netloc:
            # A token is for the host that gave it.
            sent.pop("Authorization", None)
        url = following
    raise Refused(f"{_shown(url)} redirects too often.")


def _vetted(text: str) -> _Place:
    allowed = addresses.read_allow_list(tuple(os.environ.get(ALLOWED_HOSTS, "").split(",")))
    try:
        url = addresses.parse(text)
        found = addresses.resolve(url, allowed)
    except addresses.Unresolved as error:
        raise Unavailable(str(error)) from None
    except addresses.Refused:
        raise Refused(
            f"{_shown(text)} can't be asked for a chart: charts come from plain https:// and oci:// addresses on the "
            f"internet, and from those that an operator lists in {ALLOWED_HOSTS}."
        ) from None
    is_listed = allowed.names_host(url.host) or allowed.holds(ip_address(found[0]))
    if url.scheme == "http" and not is_listed:
        raise Refused(
            f"{url.host} would be asked over plain HTTP. Use https, or let an operator list it in {ALLOWED_HOSTS}."
        )
    return _Place(url, found[0])


def _get(place: _Place, text: str, headers: Mapping[str, str], most_bytes: int, until: float) -> Answer:
    url = place.url
    options: dict[str, Any] = {"timeout": TIMEOUTS, "retries": False, "maxsize": 1}
    if url.scheme == "https":
        # The name is checked against the certificate, and sent, as if it had been resolved just now.
        options |= {"server_hostname": url.host, "assert_hostname": url.host}
        pool: urllib3.HTTPConnectionPool = urllib3.HTTPSConnectionPool(place.address, url.port, **options)
    else:
        pool = urllib3.HTTPConnectionPool(place.address, url.port, **options)
    sent = {**headers, "Host": url.origin.partition("://")[2]}
    with pool:
        try:
            response = pool.urlopen("GET", url.target, headers=sent, redirect=False, preload_content=False)
            body = _read(response, url.origin, most_bytes, until)
        except (urllib3.exceptions.HTTPError, OSError):
            raise Unavailable(f"{url.origin} did not answer.") from None
    found = {str(name).lower(): str(value) for name, value in response.headers.items()}
    if response.status == 429 or response.status >= 500:
        raise Unavailable(f"{url.origin} answered {response.status}.")
    return Answer(text, response.status, found, body)


def _read(response: urllib3.BaseHTTPResponse, origin: str, most_bytes: int, until: float) -> bytes:
    body = b""
    for chunk in response.stream(CHUNK, decode_content=True):
        body += chunk
        if len(body) > most_bytes:
            raise Refused(f"The answer of {origin} is larger than {most_bytes // 1024} kB.")
        if time.monotonic() > until:
            raise Unavailable(f"{origin} took longer than {WHOLE_SECONDS:.0f} s.")
    return body


def _shown(url: str) -> str:
    """Without user and query: that is where passwords and signatures stand."""
    return clean(re.sub(r"//[^/]*@", "//", url.partition("?")[0]), limit=300)
