"""Markdown that people write (comments, descriptions, release notes) as HTML that is safe to put on a page."""

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

TAGS = {
    "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "em", "s", "code", "pre", "blockquote",
    "ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
URL_SCHEMES = {"http", "https", "mailto"}

# Images stay links: a picture from elsewhere would tell its owner who reads this page, and the CSP refuses it anyway.
_parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
_cleaner = nh3.Cleaner(
    tags=TAGS,
    attributes={"a": {"href", "title"}, "ol": {"start"}},
    url_schemes=URL_SCHEMES,
    url_relative="deny",
    link_rel="nofollow noopener",
)


def render(text: str) -> SafeString:
    """CommonMark, tables, strikethrough → HTML; raw HTML shows as text, links of other schemes lose their address."""
    return mark_safe(_cleaner.clean(_parser.render(text)))  # noqa: S308  cleaned by an allow list on this very line
