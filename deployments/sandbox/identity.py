"""Who may ask: bearer tokens, users and what they may do."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from deployments.sandbox.errors import ApiError, forbidden, unauthorized
from deployments.sandbox.kinds import Kind


@dataclass(frozen=True, slots=True)
class Rule:
    """What is allowed; "*" means everything. Subresources are named `deployments/scale`."""

    verbs: frozenset[str] = frozenset({"*"})
    groups: frozenset[str] = frozenset({"*"})
    resources: frozenset[str] = frozenset({"*"})
    namespaces: frozenset[str] = frozenset({"*"})

    def allows(self, verb: str, group: str, resource: str, namespace: str) -> bool:
        pairs = ((self.verbs, verb), (self.groups, group), (self.resources, resource), (self.namespaces, namespace))
        return all("*" in known or asked in known for known, asked in pairs)


@dataclass(frozen=True, slots=True)
class Identity:
    user: str
    rules: tuple[Rule, ...] = ()
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def may(self, verb: str, group: str, resource: str, namespace: str) -> bool:
        return any(rule.allows(verb, group, resource, namespace) for rule in self.rules)


def administrator(token: str = "") -> Identity:
    return Identity("admin", (Rule(),), token) if token else Identity("admin", (Rule(),))


def viewer() -> Identity:
    """A user who is known and may do nothing but discover the API and ask what it may do."""
    return Identity("viewer")


class Identities:
    def __init__(self, known: Iterable[Identity]) -> None:
        self._by_token = {identity.token: identity for identity in known}

    def identify(self, authorization: str) -> Identity:
        """The identity of an Authorization header. Raises ApiError 401."""
        scheme, _, token = authorization.partition(" ")
        found = self._by_token.get(token.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            raise unauthorized()
        return found


def refusal(identity: Identity, verb: str, kind: Kind, subresource: str, namespace: str, name: str) -> ApiError | None:
    """The 403 for what this identity may not do, or None."""
    resource = f"{kind.plural}/{subresource}" if subresource else kind.plural
    if identity.may(verb, kind.group, resource, namespace):
        return None
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    user = f'User "{identity.user}" cannot {verb} resource "{resource}" in API group "{kind.group}" {where}'
    return forbidden(kind, name, user)
