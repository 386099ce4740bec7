"""What an open page may follow: topics, and the policy behind each."""

from collections.abc import Iterable
from uuid import UUID

from deployments.policies import visible_deployments, visible_trains
from releasemgr.core.actors import Actor
from releasemgr.core.values import as_uuid
from releases.policies import visible_releases

# They say only that a list changed, never what is on it: whoever is logged in may hear that.
LISTS = frozenset({"board", "releases", "deployments", "audit"})


def permitted(actor: Actor, topics: Iterable[str]) -> frozenset[str]:
    """Those of `topics` that the actor may follow: one query a kind, however many there are."""
    if not actor.is_authenticated:
        return frozenset()
    asked = set(topics)
    found = asked & (LISTS | {f"user.{actor.user_id}"})
    policies = {
        "deployment": visible_deployments,
        "workloads": visible_deployments,
        "release": visible_releases,
        "train": visible_trains,
    }
    for kind, visible in policies.items():
        if ids := _ids(kind, asked):
            found |= {f"{kind}.{pk}" for pk in visible(actor).filter(pk__in=ids).values_list("pk", flat=True)}
    # An id may be written in several ways; only the one that is sent to names the group.
    return frozenset(asked & found)


def names_a_thing(topic: str) -> bool:
    """Whether it is about one object, so that refusing it is worth a note."""
    kind, _, identifier = topic.partition(".")
    return kind in ("deployment", "workloads", "release", "train", "user") and as_uuid(identifier) is not None


def _ids(kind: str, topics: Iterable[str]) -> list[UUID]:
    named = (topic.partition(".") for topic in topics)
    return [pk for start, _, identifier in named if start == kind and (pk := as_uuid(identifier))]
