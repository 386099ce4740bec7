"""Text from a cluster is written by strangers: images, probes and webhooks choose it. Clean it before showing it."""

import re
from collections.abc import Iterable

MESSAGE_LENGTH = 500
# CSI and OSC sequences first, so that their printable tails go as well; then whatever control character is left.
_ESCAPES = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b.")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def clean(text: object, *, limit: int = MESSAGE_LENGTH) -> str:
    """One line without control, ANSI or direction characters, at most `limit` characters."""
    return " ".join(clean_block(text, limit=limit * 4).split())[:limit].rstrip()


def clean_block(text: object, *, limit: int) -> str:
    """As `clean`, but keeps line breaks and tabs: for log tails."""
    raw = str(text if text is not None else "")[: limit * 2]
    return _CONTROLS.sub("", _ESCAPES.sub("", raw.replace("\r\n", "\n")))[:limit]


def listed(names: Iterable[str], *, most: int = 8) -> str:
    """`a, b and 3 more`."""
    known = list(names)
    shown = ", ".join(known[:most])
    return shown if len(known) <= most else f"{shown} and {len(known) - most} more"


def sentence(text: str) -> str:
    """Ends with a full stop, unless it already ends somehow."""
    return text if text.endswith((".", "!", "?")) else f"{text}."
