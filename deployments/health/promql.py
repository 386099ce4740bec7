"""Placeholders in PromQL: {application} {version} {environment} {namespace} {deployment} {window}.

The query is read as PromQL reads it, string by string, so that a value lands where its author put it and can't end the
string that it stands in. No text of a user is ever a format.
"""

import re
from collections.abc import Mapping

from deployments.health.base import Subject

# The one that stands outside of quotes: it is a duration.
_WINDOW = "{window}"
_PLACEHOLDER = re.compile(r"\{(application|version|environment|namespace|deployment|window)\}")
# A string in any of the three quotes, a comment, or one character.
_TOKEN = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`]*`|#[^\n]*|.", re.DOTALL)
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "'": "\\'", "\n": "\\n", "\r": "\\r"})
# What RE2 gives a meaning to.
_META = re.compile(r"([\\.+*?()|\[\]{}^$])")
_IS_A_PATTERN = re.compile(r"[=!]~\s*\Z")


class InvalidQuery(ValueError):
    """The text is a sentence for people."""


def filled(query: str, subject: Subject) -> str:
    """The query about this subject. Raises InvalidQuery for a placeholder in a place where no value can stand."""
    values = values_of(subject)
    written: list[str] = []
    rest = 0
    while rest < len(query):
        if query.startswith(_WINDOW, rest):
            written.append(values["window"])
            rest += len(_WINDOW)
            continue
        token = _TOKEN.match(query, rest)
        assert token is not None  # noqa: S101 - the last alternative takes any character
        text = token.group()
        if len(text) == 1:
            _refuse_loose(query, rest)
            written.append(text)
        else:
            written.append(_in_string(text, values, is_pattern=bool(_IS_A_PATTERN.search("".join(written[-8:])))))
        rest = token.end()
    return "".join(written)


def values_of(subject: Subject) -> Mapping[str, str]:
    return {
        "application": subject.application,
        "version": subject.version,
        "environment": subject.environment,
        "namespace": subject.namespace,
        "deployment": subject.deployment_id,
        "window": f"{max(subject.window_seconds, 1)}s",
    }


def _in_string(text: str, values: Mapping[str, str], *, is_pattern: bool) -> str:
    if text[0] == "#":
        return ""
    if text[0] == "`" and _PLACEHOLDER.search(text):
        raise InvalidQuery('A placeholder can\'t stand between backticks: use "double quotes".')

    def value(found: re.Match[str]) -> str:
        plain = values[found[1]]
        return (_META.sub(r"\\\1", plain) if is_pattern else plain).translate(_ESCAPES)

    return _PLACEHOLDER.sub(value, text)


def _refuse_loose(query: str, position: int) -> None:
    found = _PLACEHOLDER.match(query, position)
    if found is not None:
        raise InvalidQuery(f'Write the placeholder {found[0]} in quotes: label="{found[0]}".')
