"""Closes committed events into Merkle seals, each naming the one before, so that no later change stays hidden.

Sequences are drawn before they are committed: when 7 is there, 6 may still come. A seal therefore takes whatever is
there, remembers the missing sequences as gaps, and the seals after it look into the gaps until every transaction that
was open then is over. So writers never wait for the sealer, and the sealer never waits for a slow writer.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection, transaction
from django.db.models import QuerySet

from audit.models import Event, Seal, SealedRange
from releasemgr.core import live

# "audit" in ASCII: whoever holds this advisory lock seals.
LOCK = 0x6175646974
BATCH = 10_000

LATE = """
    SELECT event.sequence, event.hash FROM unnest(%s::bigint[], %s::bigint[]) AS gap (first, last)
    JOIN audit_event event ON event.sequence BETWEEN gap.first AND gap.last
    WHERE NOT EXISTS (
        SELECT FROM (SELECT last_sequence FROM audit_sealedrange
                     WHERE first_sequence <= event.sequence ORDER BY first_sequence DESC LIMIT 1) nearest
        WHERE nearest.last_sequence >= event.sequence)"""


PENDING = """
    SELECT EXISTS (
        SELECT FROM audit_event WHERE sequence > coalesce(
            (SELECT last_sequence FROM audit_sealedrange ORDER BY first_sequence DESC LIMIT 1), 0)
    ) OR EXISTS (
        SELECT FROM audit_seal WHERE gaps <> '[]' AND number > (
            SELECT settled FROM audit_seal ORDER BY number DESC LIMIT 1))"""


@dataclass(frozen=True)
class Leaf:
    sequence: int
    hash: str


def may_have_pending() -> bool:
    """Whether `seal_pending` could find anything: one question instead of eight, for whoever asks all the time."""
    return bool(_scalar(PENDING))


@transaction.atomic
def seal_pending(now: datetime) -> int:
    """Seal what is committed and not sealed yet, at most BATCH new events; returns how many.

    Cheap when there is nothing to do; 0 also when another process is sealing. Open audit pages hear of it.
    """
    if not _scalar("SELECT pg_try_advisory_xact_lock(%s)", LOCK):
        return 0
    last = Seal.objects.order_by("-number").first()
    open_seals = list(Seal.objects.filter(number__gt=last.settled if last else 0).order_by("number"))
    # Asked before looking: a transaction that is over by now has committed what we shall see.
    horizon = _scalar("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    late = _late_leaves(open_seals)
    end = _end_of(last)
    new = _leaves(Event.objects.filter(sequence__gt=end).order_by("sequence"))
    if not late and not new:
        return 0
    leaves = sorted([*late, *new], key=lambda leaf: leaf.sequence)
    # Asked after looking: whoever holds a sequence of the gaps has drawn a lower id.
    transaction_id = _scalar("SELECT pg_current_xact_id()::text::bigint")
    over = [seal.number for seal in open_seals if _is_over(seal, horizon, transaction_id)]
    _write(
        Seal(
            number=last.number + 1 if last else 1,
            root=merkle_root([bytes.fromhex(leaf.hash) for leaf in leaves]).hex(),
            previous_hash=last.hash if last else "",
            gaps=gaps_between(end, [leaf.sequence for leaf in new]),
            settled=max(over, default=last.settled if last else 0),
            transaction_id=transaction_id,
            created_at=now,
        ),
        leaves,
    )
    live.changed("audit")
    return len(leaves)


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """As in RFC 6962: leaves and nodes are hashed with different prefixes, so that neither passes for the other."""
    level = [hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        odd = level[-1:] if len(level) % 2 else []
        level = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs] + odd
    return level[0]


def seal_hash(seal: Seal, ranges: Iterable[tuple[int, int]]) -> str:
    """SHA-256 of everything that the seal says, in JSON."""
    said = [seal.number, seal.previous_hash, seal.root, [list(each) for each in ranges], seal.gaps, seal.settled]
    moment = seal.created_at.astimezone(UTC).isoformat()
    return hashlib.sha256(json.dumps([*said, seal.transaction_id, moment]).encode()).hexdigest()


def gaps_between(end: int, sequences: Iterable[int]) -> list[list[int]]:
    """The [first, last] of what is missing above `end` and between the ascending `sequences`."""
    gaps = []
    for sequence in sequences:
        if sequence > end + 1:
            gaps.append([end + 1, sequence - 1])
        end = sequence
    return gaps


def runs(leaves: Sequence[Leaf]) -> list[list[Leaf]]:
    """Ascending leaves, cut where a sequence is missing."""
    found: list[list[Leaf]] = []
    for leaf in leaves:
        if found and leaf.sequence == found[-1][-1].sequence + 1:
            found[-1].append(leaf)
        else:
            found.append([leaf])
    return found


def _write(seal: Seal, leaves: Sequence[Leaf]) -> None:
    ranges = [
        SealedRange(
            first_sequence=run[0].sequence,
            last_sequence=run[-1].sequence,
            seal=seal,
            leaves=b"".join(bytes.fromhex(leaf.hash) for leaf in run),
        )
        for run in runs(leaves)
    ]
    seal.hash = seal_hash(seal, [(each.first_sequence, each.last_sequence) for each in ranges])
    seal.save(force_insert=True)
    SealedRange.objects.bulk_create(ranges)


def _is_over(seal: Seal, horizon: int, own: int) -> bool:
    """Nobody who wrote when this seal looked still does; a higher id than ours is from before a restore."""
    return seal.transaction_id <= horizon or seal.transaction_id > own


def _end_of(last: Seal | None) -> int:
    """The highest sequence that a seal has seen."""
    if last is None:
        return 0
    return SealedRange.objects.order_by("-first_sequence").values_list("last_sequence", flat=True)[0]


def _late_leaves(seals: Iterable[Seal]) -> list[Leaf]:
    gaps = [gap for seal in seals for gap in seal.gaps]
    if not gaps:
        return []
    with connection.cursor() as cursor:
        cursor.execute(LATE, [[first for first, _ in gaps], [last for _, last in gaps]])
        return [Leaf(*row) for row in cursor.fetchall()]


def _leaves(events: QuerySet[Event]) -> list[Leaf]:
    return [Leaf(*row) for row in events.values_list("sequence", "hash")[:BATCH]]


def _scalar(sql: str, *params: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        (value,) = cursor.fetchone()
        return int(value)
