"""Every address that Django can resolve, walked out of the URL configuration."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import URLPattern, URLResolver, get_resolver

CONVERTER = re.compile(r"<(?:\w+:)?(\w+)>")
GROUP = re.compile(r"\(\?P<(\w+)>[^()]*\)")


@dataclass(frozen=True)
class Address:
    """`name` is the URL name with its namespaces, or the route where it has none. `route` has {holes}."""

    name: str
    route: str

    @property
    def holes(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.route)

    @property
    def is_api(self) -> bool:
        return self.route.startswith("/api/")

    @property
    def is_admin(self) -> bool:
        return self.route.startswith("/admin/")

    def filled(self, values: dict[str, str]) -> str:
        return self.route.format(**values)


def every_address() -> list[Address]:
    return sorted(set(_walk(get_resolver(), "/", ())), key=lambda address: address.route)


def _walk(resolver: URLResolver, prefix: str, names: tuple[str, ...]) -> Iterator[Address]:
    for entry in resolver.url_patterns:
        route = prefix + _readable(str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from _walk(entry, route, (*names, entry.namespace) if entry.namespace else names)
        elif isinstance(entry, URLPattern):
            name = ":".join((*names, entry.name)) if entry.name else route
            yield Address(name, route)


def _readable(pattern: str) -> str:
    """Both kinds of patterns as text with {holes}; what escapes this is met by the test of the walk."""
    return CONVERTER.sub(r"{\1}", GROUP.sub(r"{\1}", pattern.lstrip("^"))).rstrip("$").replace("\\.", ".")
