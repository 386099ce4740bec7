"""Tokens for automation: named, limited, expiring."""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from knox.models import get_digest_token
from knox.settings import CONSTANTS

from accounts.models import ApiToken, Role, User
from accounts.policies import require
from accounts.scopes import SCOPES, WRITE_SCOPES
from audit.services import record
from releasemgr.core import live
from releasemgr.core.actors import Actor
from releasemgr.core.changes import validate
from releasemgr.core.errors import Invalid

MAX_LIFE = timedelta(days=366)


@transaction.atomic
def issue_token(
    *,
    actor: Actor,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime,
    parent: ApiToken | None = None,
    now: datetime | None = None,
) -> tuple[ApiToken, str]:
    """The row and the text, which is shown once and not kept. `parent` is the token that the actor came with.

    Raises Invalid for unknown scopes or a bad end, NotAllowed for more than the actor (or `parent`) may do itself.
    """
    require(actor.user is not None, permission="user", why="A token belongs to a person; the system has none.")
    wanted = sorted(set(scopes))
    _require_known(wanted)
    _require_held(actor, wanted)
    _require_end(expires_at, now or timezone.now())
    if actor.scopes is not None:
        _require_within(parent, expires_at)
    token, text = store_token(
        actor.user, name=name, scopes=wanted, expires_at=expires_at, parent=parent if actor.scopes is not None else None
    )
    data = {"name": token.name, "scopes": wanted, "expires_at": expires_at}
    record("token.issued", actor=actor, subject=actor.user, data={**data, "token": str(token.public_id)})
    return token, text


def store_token(
    user: User, *, name: str, scopes: list[str] | None, expires_at: datetime, parent: ApiToken | None = None
) -> tuple[ApiToken, str]:
    digest, text = get_digest_token()
    token = ApiToken(
        digest=digest,
        token_key=text[: CONSTANTS.TOKEN_KEY_LENGTH],
        user=user,
        name=name,
        scopes=scopes,
        expiry=expires_at,
        public_id=uuid.uuid4(),
        issued_by=parent,
    )
    if scopes is not None:
        validate(token)
    token.save(force_insert=True)
    return token, text


@transaction.atomic
def revoke_token(*, actor: Actor, token: ApiToken) -> None:
    """One's own; those that were issued with it end as well."""
    is_own = token.user_id == actor.user_id
    may = is_own and (actor.scopes is None or actor.may_change("admin"))
    require(may, permission="user", why="Tokens are ended by their owner, logged in with the password.")
    data = {"name": token.name, "token": str(token.public_id)}
    record("token.revoked", actor=actor, subject=token.user, data=data)
    token.delete()
    live.changed(f"user.{actor.user_id}")


def _require_known(scopes: list[str]) -> None:
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        known = ", ".join(SCOPES)
        what = f"There is no scope {unknown[0]!r}." if unknown else "Name at least one scope."
        raise Invalid(f"{what} Known are {known}.", details={"scopes": [f"{what} Known are {known}."]})


def _require_held(actor: Actor, scopes: list[str]) -> None:
    missing = [scope for scope in scopes if not actor.has_scope(scope)]
    require(
        not missing,
        permission=missing[0] if missing else "",
        why=f"The token that asks lacks {', '.join(missing)}, so it cannot give it away.",
    )
    writes = [scope for scope in scopes if scope in WRITE_SCOPES]
    require(
        not writes or actor.role != Role.VIEWER.value,
        permission=writes[0] if writes else "",
        why="Viewers change nothing, so their tokens only read.",
    )


def _require_end(expires_at: datetime, now: datetime) -> None:
    if not now < expires_at <= now + MAX_LIFE:
        sentence = "Choose an end that lies ahead, at most one year from now."
        raise Invalid(sentence, details={"expires_at": [sentence]})


def _require_within(parent: ApiToken | None, expires_at: datetime) -> None:
    require(parent is not None, permission="user", why="The token that asks is not known.")
    if parent and parent.expiry and expires_at > parent.expiry:
        sentence = f"It cannot outlive the token that issues it, which ends {parent.expiry:%Y-%m-%d %H:%M} UTC."
        raise Invalid(sentence, details={"expires_at": [sentence]})
