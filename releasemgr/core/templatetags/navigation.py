"""The sidebar: which pages there are, who sees them, where we are."""

from dataclasses import dataclass
from typing import Any

from django import template
from django.conf import settings
from django.template import Context
from django.urls import NoReverseMatch, reverse

register = template.Library()


@dataclass(frozen=True)
class NavLink:
    label: str
    url: str
    icon: str
    key: str
    active: bool


# Heading, admins only, and for each link: label, URL name, icon, the key after `g`
NAVIGATION = (
    ("", False, (
        ("Board", "board", "squares-2x2", "b"),
        ("Releases", "releases:list", "rocket-launch", "r"),
        ("Deployments", "deployments:list", "arrow-path-rounded-square", "d"),
    )),
    ("Set-up", False, (
        ("Applications", "releases:applications", "cube", "p"),
        ("Environments", "deployments:environments", "square-3-stack-3d", "e"),
        ("Teams", "accounts:teams", "user-group", "t"),
    )),
    ("Record", False, (("Audit log", "audit:list", "clipboard-document-list", "a"),)),
    ("Administration", True, (
        ("Clusters", "deployments:clusters", "server-stack", "c"),
        ("People", "accounts:people", "users", "u"),
        ("Admin", "admin:index", "cog-6-tooth", "x"),
    )),
)  # fmt: skip


@register.simple_tag
def page_url(name: str) -> str:
    """The address of a page, or an empty string when this installation has no such page."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


@register.simple_tag(takes_context=True)
def navigation(context: Context, role: str = "") -> list[tuple[str, list[NavLink]]]:
    """The groups of the sidebar: (heading, links); the link to where we are is active."""
    request: Any = context.get("request")
    groups = [
        (heading, [(label, url, icon, key) for label, name, icon, key in links if (url := page_url(name))])
        for heading, admins_only, links in NAVIGATION
        if role == "admin" or not admins_only
    ]
    here = _closest([url for _, links in groups for _, url, _, _ in links], request.path if request else "")
    return [
        (heading, [NavLink(label, url, icon, key, url == here) for label, url, icon, key in links])
        for heading, links in groups
        if links
    ]


def _closest(urls: list[str], path: str) -> str:
    above = [url for url in urls if path == url or (url != "/" and path.startswith(url.rstrip("/") + "/"))]
    return max(above, key=len, default="")


@register.simple_tag
def installation() -> str:
    """Version and environment of this installation, for the foot of the page."""
    return f"{settings.VERSION} · {settings.ENVIRONMENT}"
