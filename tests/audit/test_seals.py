"""Seals: every committed event closed once, in an unbroken chain, and any later change found and named."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, connections, transaction

from audit.models import Event, Seal, SealedRange
from audit.seals import gaps_between, may_have_pending, merkle_root, seal_pending
from audit.selectors import seals_of
from audit.services import record_denied
from audit.verification import examine, verify
from releasemgr.core.actors import ANONYMOUS
from releasemgr.core.listen import parameters

pytestmark = pytest.mark.django_db
committing = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


def happen(count: int = 1) -> list[int]:
    """That many events; their sequences."""
    for number in range(count):
        record_denied(actor=ANONYMOUS, what=f"GET /{number}", data={"number": number})
    return sorted(Event.objects.order_by("-sequence").values_list("sequence", flat=True)[:count])


@contextmanager
def another_writer() -> Iterator[psycopg.Connection]:
    """A connection of its own, so that its transaction stays open while others commit."""
    with closing(psycopg.connect(**parameters("test") | {"autocommit": False})) as writer:
        yield writer


def write_with(writer: psycopg.Connection) -> int:
    row = writer.execute(
        "INSERT INTO audit_event (id, action, resource_type, resource_id, resource_label, actor, changes, data,"
        " request_id) VALUES (gen_random_uuid(), 'x.y', 'x', '', '', 'Writer', '{}', '{}', '') RETURNING sequence"
    ).fetchone()
    assert row
    return int(row[0])


TABLES = ("audit_event", "audit_seal", "audit_sealedrange")


def forge(*statements: str) -> None:
    """What the tables' owner can do: lift the triggers, touch the rows, put the triggers back."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for statement in statements:
            cursor.execute(statement)
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def test_every_event_is_sealed_once_and_knows_its_seal() -> None:
    first = happen(3)
    assert seal_pending(NOW) == 3
    second = happen(2)
    assert seal_pending(NOW) == 2

    numbers = {sequence: number for sequence, (number, _) in seals_of([*first, *second]).items()}
    assert numbers == dict.fromkeys(first, 1) | dict.fromkeys(second, 2)
    assert examine().problem == ""


def test_where_nothing_happened_nothing_is_pending() -> None:
    assert not may_have_pending()
    assert seal_pending(NOW) == 0


def test_nothing_new_makes_no_seal() -> None:
    happen()
    assert may_have_pending()
    seal_pending(NOW)

    assert seal_pending(NOW) == 0
    assert Seal.objects.count() == 1


def test_each_seal_names_the_one_before() -> None:
    for _ in range(3):
        happen()
        seal_pending(NOW)

    first, second, third = Seal.objects.order_by("number")
    assert (first.previous_hash, second.previous_hash, third.previous_hash) == ("", first.hash, second.hash)


@committing
def test_an_event_that_commits_late_is_sealed_later_and_holds_up_nobody() -> None:
    with another_writer() as writer:
        late = write_with(writer)
        (after,) = happen()
        assert seal_pending(NOW) == 1, "the open transaction must not keep the others waiting"
        assert late not in seals_of([late])
        assert verify().problem == ""
        writer.commit()

    assert seal_pending(NOW) == 1
    assert seals_of([late, after])[late][0] == 2
    assert verify().problem == ""


@committing
def test_an_event_that_commits_after_many_seals_is_still_sealed() -> None:
    with another_writer() as writer:
        late = write_with(writer)
        for _ in range(4):
            happen()
            seal_pending(NOW)
        writer.commit()

    assert may_have_pending()
    assert seal_pending(NOW) == 1
    assert seals_of([late])[late][0] == 5
    assert verify().problem == ""


@committing
def test_the_gap_of_a_transaction_that_rolled_back_is_not_looked_into_for_ever() -> None:
    happen()
    seal_pending(NOW)
    with another_writer() as writer:
        write_with(writer)
        happen()
        seal_pending(NOW)
        writer.rollback()
    _until_all_gaps_are_settled()

    assert Seal.objects.latest("number").settled >= 2
    assert verify().problem == ""


def _until_all_gaps_are_settled() -> None:
    """Other databases of the server hold the horizon back as long as they write."""
    for _ in range(200):
        happen()
        seal_pending(NOW)
        if Seal.objects.latest("number").settled >= 2:
            return


def test_a_restored_database_seals_on_though_its_transactions_count_from_the_start() -> None:
    happen()
    seal_pending(NOW)
    forge("UPDATE audit_seal SET transaction_id = 1000000000000000")
    happen()

    assert seal_pending(NOW) == 1
    assert Seal.objects.latest("number").settled == 1


@committing
def test_concurrent_writers_and_sealers_leave_no_event_out_and_seal_none_twice() -> None:
    def write(_: int) -> None:
        for _ in range(20):
            record_denied(actor=ANONYMOUS, what="GET /", data={})
        connections.close_all()

    def seal(_: int) -> None:
        for _ in range(20):
            seal_pending(NOW)
        connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(write, n) for n in range(4)] + [pool.submit(seal, n) for n in range(2)]
        for job in jobs:
            job.result()
    seal_pending(NOW)

    leaves = sum(len(bytes(each.leaves)) // 32 for each in SealedRange.objects.all())
    assert leaves == Event.objects.count() == 80
    assert verify().problem == ""


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_seal SET root = ''",
        "DELETE FROM audit_seal",
        "TRUNCATE audit_seal CASCADE",
        "UPDATE audit_sealedrange SET last_sequence = 0",
        "DELETE FROM audit_sealedrange",
        "TRUNCATE audit_sealedrange",
    ],
)
def test_seals_are_append_only_too(sql: str) -> None:
    happen()
    seal_pending(NOW)

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(sql)


@pytest.fixture
def sealed() -> list[int]:
    """Six sealed events in two seals; the sequences."""
    first = happen(3)
    seal_pending(NOW)
    second = happen(3)
    seal_pending(NOW)
    return first + second


REHASH = "UPDATE audit_event SET hash = audit_event_leaf(audit_event)"


def test_a_changed_event_is_named(sealed: list[int]) -> None:
    forge(f"UPDATE audit_event SET actor = 'Somebody else' WHERE sequence = {sealed[1]}")
    assert re.match(rf"Event {sealed[1]} was changed", examine().problem)


def test_a_changed_event_is_named_though_its_hash_was_made_to_fit(sealed: list[int]) -> None:
    forge(f"UPDATE audit_event SET actor = 'Somebody else' WHERE sequence = {sealed[4]}", REHASH)
    assert re.match(rf"Event {sealed[4]} was changed", examine().problem)


def test_a_removed_event_is_named(sealed: list[int]) -> None:
    forge(f"DELETE FROM audit_event WHERE sequence = {sealed[2]}")
    assert re.match(rf"Event {sealed[2]} was removed", examine().problem)


def test_the_removal_of_the_newest_event_is_found(sealed: list[int]) -> None:
    forge(f"DELETE FROM audit_event WHERE sequence = {sealed[-1]}")
    assert re.match(rf"Event {sealed[-1]} was removed", examine().problem)


def test_an_event_added_among_sealed_ones_is_named(sealed: list[int]) -> None:
    forge(
        "INSERT INTO audit_event (id, sequence, action, resource_type, resource_id, resource_label, actor, changes,"
        " data, request_id) VALUES (gen_random_uuid(), 0, 'x.y', 'x', '', '', 'Nobody', '{}', '{}', '')",
        REHASH,
    )
    assert re.match(r"Event 0 was added", examine().problem)


def test_two_events_that_changed_places_are_found(sealed: list[int]) -> None:
    one, other = sealed[0], sealed[4]
    moves = ((one, -1), (other, one), (-1, other))
    forge(*(f"UPDATE audit_event SET sequence = {new} WHERE sequence = {old}" for old, new in moves))
    assert re.match(rf"Event {one} was moved here from another place", examine().problem)


def test_a_changed_event_that_is_not_sealed_yet_is_named(sealed: list[int]) -> None:
    (fresh,) = happen()
    forge(f"UPDATE audit_event SET actor = 'Somebody else' WHERE sequence = {fresh}")
    assert re.match(rf"Event {fresh} was changed before", examine().problem)


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("UPDATE audit_seal SET root = repeat('0', 64) WHERE number = 2", "Seal 2 was changed"),
        ("UPDATE audit_seal SET gaps = '[[1, 99]]' WHERE number = 1", "Seal 1 was changed"),
        ("UPDATE audit_seal SET created_at = now() WHERE number = 1", "Seal 1 was changed"),
        (
            "DELETE FROM audit_sealedrange WHERE seal_id = 1; DELETE FROM audit_seal WHERE number = 1",
            "Seal 1 was removed",
        ),
        ("DELETE FROM audit_sealedrange WHERE seal_id = 2", "Seal 2 was changed"),
        ("UPDATE audit_sealedrange SET leaves = repeat('x', 96)::bytea WHERE seal_id = 1", "kept with seal 1 were"),
    ],
)
def test_a_touched_seal_is_named(sealed: list[int], sql: str, sentence: str) -> None:
    forge(sql)
    assert sentence in examine().problem


def test_a_removed_seal_is_named_though_what_it_covered_was_left(sealed: list[int]) -> None:
    forge(
        f"ALTER TABLE audit_sealedrange DROP CONSTRAINT {_foreign_key_to_seals()}",
        "DELETE FROM audit_seal WHERE number = 2",
    )
    assert "Seal 2 was removed" in examine().problem


def _foreign_key_to_seals() -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = 'audit_sealedrange'::regclass AND contype = 'f'"
        )
        ((name,),) = cursor.fetchall()
        return str(name)


@committing
def test_a_log_cut_at_its_end_is_found_by_what_was_noted_outside(sealed: list[int]) -> None:
    out = StringIO()
    call_command("verify_audit", stdout=out)
    anchor = re.search(r"Last seal: (\S+)", out.getvalue())
    assert anchor
    forge(
        f"DELETE FROM audit_event WHERE sequence >= {sealed[3]}",
        "DELETE FROM audit_sealedrange WHERE seal_id = 2",
        "DELETE FROM audit_seal WHERE number = 2",
    )

    call_command("verify_audit", stdout=out)
    with pytest.raises(CommandError, match="Seal 2 is not the one that was noted outside"):
        call_command("verify_audit", anchor=anchor[1], stdout=out)


@committing
def test_the_command_proves_an_untouched_log_and_refuses_a_touched_one(sealed: list[int]) -> None:
    out = StringIO()
    call_command("verify_audit", stdout=out)
    assert "6 events and 2 seals are as written" in out.getvalue()

    forge(f"UPDATE audit_event SET ip = '10.0.0.1' WHERE sequence = {sealed[3]}")
    with pytest.raises(CommandError, match=f"Event {sealed[3]} was changed"):
        call_command("verify_audit", stdout=out)


def test_the_merkle_root_is_the_one_of_rfc_6962() -> None:
    # Test vectors of the reference implementation of Certificate Transparency.
    leaves = [bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")]
    leaves.append(bytes.fromhex("606162636465666768696a6b6c6d6e6f"))
    roots = {
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    }
    assert {count: merkle_root(leaves[:count]).hex() for count in roots} == roots


def test_gaps_are_what_is_missing() -> None:
    assert gaps_between(3, [4, 5, 8, 10]) == [[6, 7], [9, 9]]
