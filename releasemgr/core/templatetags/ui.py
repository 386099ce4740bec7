"""Tags and filters of the design system; `templates/components/README.md` shows them in use."""

import re
import zlib
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from heroicons.templatetags.heroicons import heroicon_micro, heroicon_mini, heroicon_outline

from releasemgr.core import markdown as markdown_text
from releasemgr.core.looks import MOVING, look_of
from releasemgr.core.text_diff import DiffLine, unified

register = template.Library()

EMPTY = "–"
AVATAR_COLOURS = 8
SHORT_DIGEST = 12
AGO_UNITS = ((3600, 60, "min"), (86400, 3600, "h"), (30 * 86400, 86400, "d"))


@lru_cache(maxsize=512)
def _svg(name: str, size: int, css: str) -> SafeString:
    draw = heroicon_micro if size <= 16 else heroicon_mini if size <= 20 else heroicon_outline
    svg: SafeString = draw(name, size=size, aria_hidden="true", focusable="false", **{"class": css})
    return svg


@register.simple_tag
def icon(name: str, size: int = 16, css: str = "") -> SafeString:
    """A Heroicon as inline SVG, hidden from screen readers; put the words beside it. Raises IconDoesNotExist."""
    return _svg(str(name), size, f"icon {css}".strip())


@register.simple_tag
def status_icon(status: str, size: int = 16) -> SafeString:
    return _svg(look_of(status).icon, size, "icon spin" if status in MOVING else "icon")


@register.simple_tag
def status_badge(status: str, label: str = "") -> SafeString:
    look = look_of(status)
    return format_html(
        '<span class="badge tone-{}">{}{}</span>', look.tone, status_icon(status, 16), label or look.label
    )


@register.simple_tag
def health_mark(health: str) -> SafeString:
    """A small sign for table cells: the shape differs, the word is there for screen readers and as a tooltip."""
    look = look_of(health)
    return format_html(
        '<span class="health tone-{}" title="{}">{}<span class="visually-hidden">{}</span></span>',
        look.tone, look.label, status_icon(health, 16), look.label,
    )  # fmt: skip


@register.filter
def tone(status: str) -> str:
    return look_of(status).tone


@register.filter
def status_label(status: str) -> str:
    return look_of(status).label


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _ago_words(moment: datetime, now: datetime) -> str:
    """The same words as `ago` in static/js/times.js, which keeps them fresh."""
    seconds = int((now - moment).total_seconds())
    if abs(seconds) < 45:
        return "just now"
    for limit, unit, name in AGO_UNITS:
        if abs(seconds) < limit:
            count = f"{max(1, abs(seconds) // unit)} {name}"
            return f"{count} ago" if seconds > 0 else f"in {count}"
    return date_format(timezone.localtime(moment), "j M Y")


@register.simple_tag
def ago(moment: datetime | None, empty: str = EMPTY) -> SafeString:
    """`<time>` with relative words, kept fresh by ui.js, and the exact local time as tooltip."""
    if moment is None:
        return format_html('<span class="faint">{}</span>', empty)
    exact = date_format(timezone.localtime(moment), "j M Y, H:i:s T")
    return format_html(
        '<time datetime="{}" title="{}" data-ago>{}</time>', _iso(moment), exact, _ago_words(moment, timezone.now())
    )


def duration_words(length: timedelta) -> str:
    """Two units at most: `0.4 s`, `42 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`."""
    if timedelta(0) < length < timedelta(seconds=1):
        return f"{max(length.total_seconds(), 0.1):.1f} s"
    seconds = max(0, int(length.total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 1:
        return f"{seconds} s"
    if hours < 1:
        return f"{minutes} min {seconds % 60:02d} s"
    if days < 1:
        return f"{hours} h {minutes % 60:02d} min"
    return f"{days} d {hours % 24} h"


@register.simple_tag
def duration(start: datetime | None, end: datetime | None = None) -> SafeString:
    """How long it took; without an end it runs, and ui.js counts on."""
    if start is None:
        return format_html('<span class="faint">{}</span>', EMPTY)
    words = duration_words((end or timezone.now()) - start)
    if end is None:
        return format_html('<time datetime="{}" data-since>{}</time>', _iso(start), words)
    return format_html('<time datetime="PT{}S">{}</time>', max(0, int((end - start).total_seconds())), words)


@register.filter
def markdown(text: str | None) -> SafeString:
    return markdown_text.render(text or "")


@register.filter
def initials(name: str | None) -> str:
    """`Ada Lovelace` → `AL`, `ada@example.com` → `A`, nothing → `?`."""
    words = re.findall(r"\w+", str(name or "").split("@")[0])
    return "".join(word[0] for word in words[:1] + words[1:][-1:]).upper() or "?"


@register.filter
def avatar_colour(name: str | None) -> int:
    """The same person has the same colour everywhere: 0 … 7, for the class `avatar-N`."""
    return zlib.crc32(str(name or "").encode()) % AVATAR_COLOURS


@register.inclusion_tag("components/image_ref.html")
def image_ref(reference: str) -> dict[str, str]:
    """`host:5000/web:2.0@sha256:abc…` in its parts; the copy button has the whole of it."""
    name, _, digest = str(reference).partition("@")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = name, ""
    short = digest.partition(":")[2][:SHORT_DIGEST]
    return {"reference": str(reference), "repository": repository, "tag": tag, "digest": digest, "short_digest": short}


@register.filter
def diff_lines(before: str, after: str) -> list[DiffLine]:
    return unified(before, after)
