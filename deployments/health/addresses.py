"""Where a check may go: one strict parser, and the addresses that are out of bounds.

A check is written by people and asked by a machine inside the network, so it must not become a way to reach what only
that machine can reach. What was parsed here is what is connected to: the name is resolved once, every address that it
has is judged, and the connection goes to one of those very addresses.

- Public addresses may be asked. Everything else needs an entry of the operator's list.
- A listed host name (`web.shop.svc`, `*.example.com`) may have a private address (10/8, 172.16/12, 192.168/16,
  fc00::/7), but never one of this machine or of its link.
- A listed network (`10.1.0.0/16`, `127.0.0.1/32`) may be asked by whatever name.
- The addresses under which clouds give out credentials are never asked.
"""

import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MOST_CHARACTERS = 2000
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_URL = re.compile(
    rf"(?P<scheme>https?)://(?:(?P<name>{_LABEL}(?:\.{_LABEL})*)|\[(?P<v6>[0-9A-Fa-f:.]+)\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<target>/[!-~]*|\?[!-~]*)?"
)
_DECIMAL = r"(?:0|[1-9][0-9]{0,2})"
_DOTTED_QUAD = re.compile(rf"{_DECIMAL}(?:\.{_DECIMAL}){{3}}")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_PORTS = {"http": 80, "https": 443}

# Out of bounds unless listed. Written out, because what the standard library calls global changes with its version.
_CLOSED_V4 = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
)  # fmt: skip
# Only 2000::/3 is unicast on the internet; within it these carry an IPv4 address, or are no places at all.
_OPEN_V6 = ip_network("2000::/3")
_CLOSED_V6 = ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
_CLOSED: tuple[Network, ...] = tuple(map(ip_network, (*_CLOSED_V4, *_CLOSED_V6)))
_PRIVATE: tuple[Network, ...] = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
_NEVER: frozenset[Address] = frozenset(
    map(
        ip_address,
        ("169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "168.63.129.16", "192.0.0.192",
         "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254"),
    )
)  # fmt: skip
# Names for this machine or for what is inside, whatever they resolve to today.
_INSIDE = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "localdomain", "cluster", "svc", "arpa")


class Refused(ValueError):
    """The address is out of bounds. The text is a sentence for people."""


class Unresolved(Exception):
    """The name has no address now. The text is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Url:
    """`host` is a lower-case name, or an address without brackets; `target` is path and query as they are sent."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def address(self) -> Address | None:
        """The address that is written in the URL itself."""
        if ":" in self.host:
            return IPv6Address(self.host)
        return IPv4Address(self.host) if _DOTTED_QUAD.fullmatch(self.host) else None

    @property
    def origin(self) -> str:
        """As people know it: without path and query, which may hold a token."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == _PORTS[self.scheme]
        return f"{self.scheme}://{host}" + ("" if usual else f":{self.port}")


def parse(text: str) -> Url:
    """The parts of a plain http(s) URL. Raises Refused for anything that two parsers might read differently."""
    if len(text) > MOST_CHARACTERS:
        raise Refused(f"The URL is longer than {MOST_CHARACTERS} characters.")
    found = _URL.fullmatch(text)
    if found is None:
        raise Refused(
            "This is no plain URL. Write http://host/path or https://host:port/path: no user name, no fragment, no "
            "spaces, and a host of letters, digits and dashes (an international name as xn--…)."
        )
    host, port = (found["name"] or found["v6"]).lower(), int(found["port"] or _PORTS[found["scheme"]])
    if not 0 < port < 65536:
        raise Refused(f"{port} is no port.")
    target = found["target"] or "/"
    url = Url(found["scheme"], _checked_host(host, is_v6=bool(found["v6"])), port, target)
    return url if target.startswith("/") else Url(url.scheme, url.host, url.port, f"/{target}")


def _checked_host(host: str, *, is_v6: bool) -> str:
    if is_v6:
        try:
            return str(IPv6Address(host))
        except ValueError:
            raise Refused("The address in brackets is no IPv6 address.") from None
    if len(host) > 253:
        raise Refused("The host name is longer than 253 characters.")
    # 0x7f.1, 2130706433, 127.1: other programs read these as addresses.
    is_number = _NUMBER.fullmatch(host.rpartition(".")[2]) is not None
    if is_number and (not _DOTTED_QUAD.fullmatch(host) or max(map(int, host.split("."))) > 255):
        raise Refused("An address is written as four decimal numbers, such as 203.0.113.7.")
    return host


@dataclass(frozen=True, slots=True)
class AllowList:
    """What an operator lists, read once."""

    names: frozenset[str]
    suffixes: tuple[str, ...]
    networks: tuple[Network, ...]

    def names_host(self, host: str) -> bool:
        return host in self.names or host.endswith(self.suffixes or ("\0",))

    def holds(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


@lru_cache(maxsize=8)
def read_allow_list(entries: tuple[str, ...]) -> AllowList:
    """Names, `*.suffix`, addresses and networks. Raises ValueError naming an entry that is none of these."""
    names, suffixes, networks = set(), [], []
    for entry in (each.strip().lower() for each in entries if each.strip()):
        bare = entry.strip("[]")
        if "/" in bare or ":" in bare or _DOTTED_QUAD.fullmatch(bare):
            networks.append(ip_network(bare))
        elif re.fullmatch(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*", entry):
            (suffixes.append(entry[1:]) if entry.startswith("*.") else names.add(entry))
        else:
            raise ValueError(f"“{entry}” is neither a host name, nor *.a-domain, nor an address or network.")
    return AllowList(frozenset(names), tuple(suffixes), tuple(networks))


def require_plausible(url: Url, allowed: AllowList) -> None:
    """What can be said without asking a name server. Raises Refused."""
    if url.address is not None:
        require_open(url.host, url.address, allowed)
        return
    labels = url.host.split(".")
    is_inside = len(labels) == 1 or labels[-1] in _INSIDE
    if is_inside and not allowed.names_host(url.host) and not allowed.networks:
        raise Refused(f"{url.host} is a name inside a network. {_ask_for(url.host)}")


def require_open(host: str, address: Address, allowed: AllowList) -> None:
    """Raises Refused unless `address`, which `host` stands for, may be asked."""
    plain = (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
    if plain in _NEVER:
        raise Refused(f"{host} is where a cloud keeps credentials: it is never asked.")
    if allowed.holds(plain) or _is_public(plain):
        return
    if allowed.names_host(host) and any(plain in network for network in _PRIVATE):
        return
    raise Refused(f"{host} is the address {plain}, which is not on the internet. {_ask_for(host)}")


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _OPEN_V6:
        return False
    return not any(address in network for network in _CLOSED)


def _ask_for(host: str) -> str:
    return f"An operator may list {host} or its network in CHECK_ALLOWED_HOSTS."


def resolve(url: Url, allowed: AllowList) -> list[str]:
    """The addresses to connect to. One that is out of bounds refuses them all: a name that mixes is an attack.

    Asks the name server, which may take seconds. Raises Refused or Unresolved.
    """
    require_plausible(url, allowed)
    if url.address is not None:
        return [str(url.address)]
    try:
        found = socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unresolved(f"{url.host} has no address: its name does not resolve.") from None
    addresses = _unique(str(entry[4][0]) for entry in found)
    for address in addresses:
        require_open(url.host, _address(url.host, address), allowed)
    return addresses


def _address(host: str, text: str) -> Address:
    try:
        return ip_address(text)
    except ValueError:
        raise Refused(f"{host} has an address that cannot be judged.") from None


def _unique(items: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))
