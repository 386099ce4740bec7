"""What people write comes onto pages as safe HTML."""

import re

import pytest
from django.template import Context, Template

from releasemgr.core.markdown import render


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](java\nscript:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:msgbox)",
        "![x](javascript:alert(1))",
        "<javascript:alert(1)>",
        "[a]: javascript:alert(1)\n\n[a]",
        '[x](https://example.com "onmouseover=alert(1)")',
        '[x](https://example.com/"onclick="alert(1))',
        "<svg/onload=alert(1)>",
        "<a href='javascript:alert(1)' style='position:fixed'>x</a>",
        "```<script>\nalert(1)\n```",
        "| a |\n|:-:|\n| <b onclick=alert(1)>x</b> |",
        "\x1b]8;;javascript:alert(1)\x07x\x1b]8;;\x07",
    ],
)
def test_hostile_markdown_becomes_harmless_text(attack):
    html = render(attack)
    tags = re.findall(r"<[^>]*>", html)
    assert not [tag for tag in tags if re.match(r"</?(script|img|svg|iframe|style)", tag, re.I)]
    assert not [tag for tag in tags if re.search(r"\s(on\w+|style|class|src)\s*=", re.sub(r'"[^"]*"', '""', tag), re.I)]
    assert not [
        url for url in re.findall(r'href="([^"]*)"', html) if not url.startswith(("https://", "http://", "mailto:"))
    ]


def test_markdown_keeps_what_people_write():
    html = render("# Plan\n\n**now** ~~later~~ `code`\n\n- one\n\n| a | b |\n|---|---|\n| 1 | 2 |")
    for part in (
        "<h1>Plan</h1>",
        "<strong>now</strong>",
        "<s>later</s>",
        "<code>code</code>",
        "<li>one</li>",
        "<td>2</td>",
    ):
        assert part in html


def test_links_in_markdown_vouch_for_nobody():
    assert '<a href="https://example.com" rel="nofollow noopener">' in render("[x](https://example.com)")


def test_a_relative_link_in_markdown_loses_its_address():
    assert "href" not in render("[sign out](/accounts/logout) [other](//evil.example)")


def test_missing_markdown_is_empty():
    assert Template("{{ text|markdown }}").render(Context({"text": None})) == ""
