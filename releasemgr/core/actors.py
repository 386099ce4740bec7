"""Who acts: a person in a session, a token, or the system itself. Built by `accounts`, asked by every policy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal
from uuid import UUID

Grants = Mapping[str, frozenset[UUID]]


@dataclass(eq=False)
class Actor:
    """`scopes` is None for a session (everything the user may do), a set such as {"releases:write"} for a token.

    `load_grants` returns permission codename → ids of the objects it is granted on; it is asked at most once, so that
    all checks of a request cost one query however many objects are on the page.
    """

    kind: Literal["user", "token", "system", "anonymous"]
    label: str
    role: Literal["admin", "engineer", "viewer", ""] = ""
    user: Any = None
    scopes: frozenset[str] | None = None
    load_grants: Callable[[], Grants] = field(default=dict, repr=False)
    load_maintained_teams: Callable[[], frozenset[UUID]] = field(default=frozenset, repr=False)

    @property
    def user_id(self) -> UUID | None:
        return self.user.pk if self.user is not None else None

    @property
    def is_admin(self) -> bool:
        return self.kind == "system" or self.role == "admin"

    @property
    def is_authenticated(self) -> bool:
        return self.kind != "anonymous"

    @cached_property
    def grants(self) -> Grants:
        return self.load_grants()

    @cached_property
    def maintained_team_ids(self) -> frozenset[UUID]:
        return self.load_maintained_teams()

    def has_scope(self, scope: str) -> bool:
        """`scope` is "<area>:read" or "<area>:write"; a write scope includes reading."""
        if self.scopes is None or scope in self.scopes:
            return True
        area, _, verb = scope.partition(":")
        return verb == "read" and f"{area}:write" in self.scopes

    def may_change(self, area: str) -> bool:
        """Viewers never change anything; tokens only within their scopes."""
        return (self.is_admin or self.role == "engineer") and self.has_scope(f"{area}:write")

    def granted(self, permission: str) -> frozenset[UUID]:
        """Ids of the objects on which the actor's teams hold `permission`. For administrators ask `is_admin` first."""
        return self.grants.get(permission, frozenset())

    def holds(self, permission: str, object_id: UUID) -> bool:
        return self.is_admin or object_id in self.granted(permission)


SYSTEM = Actor(kind="system", label="Release Manager")
ANONYMOUS = Actor(kind="anonymous", label="Anonymous")
