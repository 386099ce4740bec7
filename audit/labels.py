"""Words for actions and pages for resources. This app is the lowest: those above tell it theirs when they are ready."""

import re
from collections.abc import Mapping

from django.urls import NoReverseMatch, reverse

DENIED = "access.denied"
PLACE = re.compile(r"\{(\w+)\}")

_sentences: dict[str, str] = {}
_pages: dict[str, str] = {}


def register(sentences: Mapping[str, str], pages: Mapping[str, str] | None = None) -> None:
    """`sentences`: action → what the actor did; `pages`: resource type → URL name that takes the resource's id."""
    _sentences.update(sentences)
    _pages.update(pages or {})


def sentence(action: str, data: Mapping[str, object] | None = None) -> str:
    """What the actor did: "approved a release". An action nobody registered is told by its own name.

    A {name} in a sentence is replaced by that fact of the event's `data`; nothing else of the text is looked at.
    """
    words = _sentences.get(action) or action.replace(".", ": ").replace("_", " ")
    return PLACE.sub(lambda place: str((data or {}).get(place[1], "")), words).strip()


def sentences() -> Mapping[str, str]:
    """Action → sentence without facts, for lists to choose from."""
    return {action: sentence(action) for action in _sentences}


def resource_types() -> list[str]:
    return sorted(_pages)


def page_of(resource_type: str, resource_id: str) -> str:
    """The address of the resource's page; empty where it has none."""
    name = _pages.get(resource_type)
    if not name or not resource_id:
        return ""
    try:
        return reverse(name, args=[resource_id])
    except NoReverseMatch:
        return ""
