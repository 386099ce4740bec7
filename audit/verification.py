"""Proves that the audit log is as it was written, or names the first thing that is not."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from django.db import connection, transaction
from django.db.models import Max

from audit.models import Seal, SealedRange
from audit.seals import merkle_root, seal_hash

LEAF = 32
FETCH = 5_000
EVENTS = "SELECT sequence, hash, audit_event_leaf(event) FROM audit_event event ORDER BY sequence"
KNOWN = "SELECT EXISTS (SELECT FROM audit_sealedrange WHERE position(%s::bytea IN leaves) > 0)"


@dataclass(frozen=True)
class Verdict:
    """`problem` is the sentence about the first thing that is wrong; empty when all is as it was written."""

    problem: str
    events: int = 0
    seals: int = 0
    last_seal: str = ""


@dataclass(frozen=True)
class Anchor:
    """A seal's number and hash, noted down outside the database."""

    number: int
    hash: str


class Tampered(Exception):
    """The sentence that names what was changed, removed or added."""


@dataclass(frozen=True)
class Row:
    sequence: int
    hash: str
    computed: str


@transaction.atomic(durable=True)
def verify(anchor: Anchor | None = None) -> Verdict:
    """Read every seal and every event once, in one snapshot. Writers go on meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    return examine(anchor)


def examine(anchor: Anchor | None = None) -> Verdict:
    """As `verify`, in the caller's transaction."""
    try:
        seals, last_seal = _verify_seals(anchor)
        return Verdict("", _verify_events(), seals, last_seal)
    except Tampered as finding:
        return Verdict(str(finding))


def _verify_seals(anchor: Anchor | None) -> tuple[int, str]:
    ranges = groupby(_ranges("seal_id", "first_sequence"), key=lambda each: each.seal_id)
    number, previous, anchored = 0, "", anchor is None
    covered = next(ranges, None)
    for seal in Seal.objects.order_by("number").iterator(FETCH):
        number += 1
        if seal.number != number:
            raise Tampered(f"Seal {number} was removed.")
        mine = list(covered[1]) if covered and covered[0] == number else []
        covered = next(ranges, None) if mine else covered
        _verify_seal(seal, mine, previous)
        previous = seal.hash
        anchored = anchored or (anchor is not None and anchor == Anchor(number, seal.hash))
    if covered:
        raise Tampered(f"Seal {covered[0]} was removed, what it covered is still noted.")
    if anchor and not anchored:
        raise Tampered(f"Seal {anchor.number} is not the one that was noted outside: the log was written anew or cut.")
    return number, f"{number}:{previous}" if number else ""


def _verify_seal(seal: Seal, ranges: list[SealedRange], previous: str) -> None:
    said = [(each.first_sequence, each.last_sequence) for each in ranges]
    if seal.previous_hash != previous or seal.hash != seal_hash(seal, said):
        raise Tampered(f"Seal {seal.number} was changed.")
    leaves = [leaf for each in ranges for leaf in _leaves(each)]
    if not leaves or merkle_root(leaves).hex() != seal.root:
        raise Tampered(f"The hashes kept with seal {seal.number} were changed.")


def _verify_events() -> int:
    """Walk events and sealed ranges side by side, both in order."""
    pending = Pending()
    rows = _rows()
    count, row = 0, next(rows, None)
    for sealed in _ranges("first_sequence"):
        while row and row.sequence < sealed.first_sequence:
            _verify_unsealed(row, pending)
            count, row = count + 1, next(rows, None)
        for sequence, leaf in enumerate(_leaves(sealed), sealed.first_sequence):
            if row is None or row.sequence != sequence:
                raise Tampered(f"Event {sequence} was removed (seal {sealed.seal_id} holds it).")
            _verify_sealed(row, leaf.hex(), sealed.seal_id)
            count, row = count + 1, next(rows, None)
    while row:
        _verify_unsealed(row, pending)
        count, row = count + 1, next(rows, None)
    return count


def _verify_sealed(row: Row, leaf: str, seal: int) -> None:
    if row.computed == leaf and row.hash == leaf:
        return
    with connection.cursor() as cursor:
        cursor.execute(KNOWN, [bytes.fromhex(row.hash)])
        (elsewhere,) = cursor.fetchone()
    how = "moved here from another place" if elsewhere and row.hash != leaf else "changed"
    raise Tampered(f"Event {row.sequence} was {how} after seal {seal} had closed it.")


def _verify_unsealed(row: Row, pending: "Pending") -> None:
    if not pending.may_hold(row.sequence):
        raise Tampered(f"Event {row.sequence} was added: it stands among sealed events and none of their seals has it.")
    if row.hash != row.computed:
        raise Tampered(f"Event {row.sequence} was changed before it was sealed.")


class Pending:
    """Which sequences may be unsealed for good reason: those after the last seal, and its open gaps."""

    def __init__(self) -> None:
        last = Seal.objects.order_by("-number").first()
        open_seals = Seal.objects.filter(number__gt=last.settled) if last else ()
        self.gaps = [gap for seal in open_seals for gap in seal.gaps]
        self.end = SealedRange.objects.aggregate(end=Max("last_sequence"))["end"] or 0

    def may_hold(self, sequence: int) -> bool:
        return sequence > self.end or any(first <= sequence <= last for first, last in self.gaps)


def _leaves(sealed: SealedRange) -> list[bytes]:
    kept = bytes(sealed.leaves)
    return [kept[at : at + LEAF] for at in range(0, len(kept), LEAF)]


def _ranges(*order: str) -> Iterator[SealedRange]:
    yield from SealedRange.objects.order_by(*order).iterator(FETCH)


def _rows() -> Iterator[Row]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(EVENTS)
        while batch := cursor.fetchmany(FETCH):
            yield from (Row(*each) for each in batch)
