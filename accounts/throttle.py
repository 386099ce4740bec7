"""Failed logins, counted in the database: every process sees the same, and a restart forgives nothing.

An attempt is counted before the password is looked at and given back when it was right, so that many guesses at once
get no more tries than one after another.
"""

import hashlib
import ipaddress
import math
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from accounts.models import FailedLogin
from releasemgr.core.errors import TooManyAttempts

TABLE = FailedLogin._meta.db_table
# The database's clock: those of the web servers differ.
COUNT = f"""
    INSERT INTO {TABLE} AS failed (key, count, window_ends_at)
    SELECT key, 1, now() + %s * interval '1 second' FROM unnest(%s::text[]) AS key
    ON CONFLICT (key) DO UPDATE SET
        count = CASE WHEN failed.window_ends_at <= now() THEN 1 ELSE failed.count + 1 END,
        window_ends_at = CASE WHEN failed.window_ends_at <= now() THEN EXCLUDED.window_ends_at
            ELSE failed.window_ends_at END
    RETURNING key, count, extract(epoch FROM window_ends_at - now())::float"""  # noqa: S608
GIVE_BACK = f"UPDATE {TABLE} SET count = greatest(count - 1, 0) WHERE key = ANY(%s)"  # noqa: S608
FORGET = f"DELETE FROM {TABLE} WHERE key = %s OR key IN (SELECT key FROM {TABLE} WHERE window_ends_at < now() LIMIT 100 FOR UPDATE SKIP LOCKED)"  # noqa: S608, E501


@dataclass(frozen=True)
class Attempt:
    account_address: str
    account: str
    address: str


def begin_attempt(*, account: str, ip: str | None) -> Attempt:
    """Count a try for `account` (any text that stands for it) from `ip`. Raises TooManyAttempts past a limit."""
    address = _network(ip)
    attempt = Attempt(
        account_address=_key("both", account, address),
        account=_key("account", account),
        address=_key("address", address),
    )
    limits = {getattr(attempt, name): settings.LOGIN_THROTTLE[name] for name in Attempt.__annotations__}
    with connection.cursor() as cursor:
        # Sorted: two attempts that share keys lock them in the same order.
        cursor.execute(COUNT, [settings.LOGIN_THROTTLE["window_seconds"], sorted(limits)])
        waits = [seconds for key, count, seconds in cursor.fetchall() if count > limits[key]]
    if waits:
        raise _too_many(math.ceil(max(waits)))
    return attempt


def end_successful_attempt(attempt: Attempt) -> None:
    """The right password: this account is open again from here, and the wider counts get their try back."""
    with connection.cursor() as cursor:
        cursor.execute(GIVE_BACK, [sorted([attempt.account, attempt.address])])
        cursor.execute(FORGET, [attempt.account_address])


def _too_many(seconds: int) -> TooManyAttempts:
    wait = f"{seconds} seconds" if seconds < 120 else f"{math.ceil(seconds / 60)} minutes"
    return TooManyAttempts(
        f"Too many failed logins. Wait {wait}, then try again.", details={"retry_after_seconds": seconds}
    )


def _key(*parts: str) -> str:
    # A digest: what was typed as the account may be a password.
    return hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()


def _network(ip: str | None) -> str:
    """One address, or in IPv6 the /64 that belongs to one customer."""
    if ip is None:
        return "unknown"
    address = ipaddress.ip_address(ip)
    return str(ipaddress.ip_network((ip, 64), strict=False)) if address.version == 6 else ip
