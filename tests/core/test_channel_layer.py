import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import OperationalError, connection, transaction

from releasemgr.core import channel_layer, listen
from releasemgr.core.channel_layer import PostgresChannelLayer
from tests.core.test_broker import cut_connections

pytestmark = pytest.mark.usefixtures("committing")

PATIENCE = 10.0
RESYNC = {"type": "live.resync"}


@pytest.fixture
def layers() -> Iterator[list[PostgresChannelLayer]]:
    """Two layers: as in two processes, they share nothing but the database."""
    yield [PostgresChannelLayer(), PostgresChannelLayer()]


def play(scenario: Callable[[], Awaitable[Any]]) -> Any:
    """Run in an event loop whose synchronous calls use this thread's database connection, as in a worker."""
    return async_to_sync(scenario)()


async def member(layer: PostgresChannelLayer, group: str) -> str:
    channel = await layer.new_channel()
    await layer.group_add(group, channel)
    return channel


async def get(layer: PostgresChannelLayer, channel: str) -> dict[str, Any]:
    return await asyncio.wait_for(layer.receive(channel), PATIENCE)


async def is_silent(layer: PostgresChannelLayer, channel: str) -> bool:
    """Nothing came before a message that was sent afterwards."""
    await layer.send(channel, {"type": "last"})
    return await get(layer, channel) == {"type": "last"}


def test_a_group_is_reached_in_every_process_and_in_order(layers: list[PostgresChannelLayer]) -> None:
    async def scenario() -> None:
        here, there = [await member(layer, "board") for layer in layers]
        for number in range(3):
            await layers[0].group_send("board", {"type": "live.changed", "n": number})

        for layer, channel in zip(layers, [here, there], strict=True):
            assert [(await get(layer, channel))["n"] for _ in range(3)] == [0, 1, 2]

    play(scenario)


def test_a_channel_in_another_process_is_reached(layers: list[PostgresChannelLayer]) -> None:
    async def scenario() -> None:
        channel = await member(layers[1], "board")
        await layers[0].send(channel, {"type": "hello"})

        assert await get(layers[1], channel) == {"type": "hello"}

    play(scenario)


def test_a_channel_that_left_hears_nothing_more(layers: list[PostgresChannelLayer]) -> None:
    async def scenario() -> None:
        channel = await member(layers[0], "board")
        await layers[0].group_discard("board", channel)
        await layers[0].group_send("board", {"type": "live.changed"})

        assert await is_silent(layers[0], channel)

    play(scenario)


def test_nothing_is_kept_for_clients_that_left(layers: list[PostgresChannelLayer]) -> None:
    async def scenario() -> None:
        layer = layers[0]
        for _ in range(20):
            channel = await member(layer, "board")
            reading = asyncio.create_task(layer.receive(channel))
            await asyncio.sleep(0)
            await layer.group_discard("board", channel)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

        assert (layer._mailboxes, layer._groups) == ({}, {})

    play(scenario)


def test_a_channel_whose_reader_vanished_is_dropped_in_time(
    layers: list[PostgresChannelLayer], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        layer = layers[0]
        vanished = await member(layer, "board")
        monkeypatch.setattr(channel_layer, "SWEEP_EVERY", 0.0)
        layer.group_expiry = 0.0
        reading = await layer.new_channel()
        reader = asyncio.create_task(layer.receive(reading))
        await asyncio.sleep(0.01)
        await layer.group_add("board", reading)

        assert vanished not in layer._mailboxes
        assert layer._groups == {"board": {reading}}
        reader.cancel()

    play(scenario)


def test_a_message_leaves_at_the_commit_and_never_after_a_rollback(layers: list[PostgresChannelLayer]) -> None:
    layer = layers[0]

    def change() -> None:
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            layer.publish("board", {"type": "live.changed", "n": "rolled back"})
            raise ZeroDivisionError
        with transaction.atomic():
            layer.publish("board", {"type": "live.changed", "n": "committed"})

    async def scenario() -> None:
        channel = await member(layer, "board")
        await sync_to_async(change)()

        assert (await get(layer, channel))["n"] == "committed"

    play(scenario)


def test_fifty_clients_get_a_hundred_messages_each(layers: list[PostgresChannelLayer]) -> None:
    async def read(channel: str) -> list[int]:
        return [(await get(layers[0], channel))["n"] for _ in range(100)]

    async def scenario() -> None:
        channels = [await member(layers[0], "board") for _ in range(50)]
        readers = [asyncio.create_task(read(channel)) for channel in channels]
        for number in range(100):
            await layers[1].group_send("board", {"type": "live.changed", "n": number})

        assert await asyncio.gather(*readers) == [list(range(100))] * 50

    play(scenario)


def test_too_much_for_a_slow_client_becomes_one_resync() -> None:
    layer = PostgresChannelLayer(capacity=5)

    async def scenario() -> None:
        slow, quick = [await member(layer, "board") for _ in range(2)]
        for number in range(6):
            await layer.group_send("board", {"type": "live.changed", "n": number})
            assert (await get(layer, quick))["n"] == number

        assert await get(layer, slow) == RESYNC
        assert await is_silent(layer, slow)

    play(scenario)


def test_after_a_lost_connection_every_group_is_told_to_resync(layers: list[PostgresChannelLayer]) -> None:
    async def scenario() -> None:
        channels = [await member(layers[0], group) for group in ("board", "audit")]
        await sync_to_async(cut_connections)("live")

        assert [await get(layers[0], channel) for channel in channels] == [RESYNC, RESYNC]
        await layers[0].group_send("board", {"type": "live.changed"})
        assert await get(layers[0], channels[0]) == {"type": "live.changed"}

    play(scenario)


def test_clients_may_join_while_the_database_is_away_and_resync_once_it_is_back(
    layers: list[PostgresChannelLayer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_layer, "CONNECT_PATIENCE", 0.05)

    async def scenario() -> None:
        with monkeypatch.context() as away:
            away.setattr(listen, "KEEPALIVE", {"connect_timeout": 1, "options": "-c no_such_setting=1"})
            channel = await member(layers[0], "board")

        assert await get(layers[0], channel) == RESYNC

    play(scenario)


def test_sending_survives_the_loss_of_the_senders_connection(layers: list[PostgresChannelLayer]) -> None:
    def lose_own_connection() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        connection.connection.pgconn.finish()

    async def scenario() -> None:
        channel = await member(layers[0], "board")
        await sync_to_async(lose_own_connection)()
        await layers[0].group_send("board", {"type": "live.changed"})

        assert await get(layers[0], channel) == {"type": "live.changed"}

    play(scenario)


def test_inside_a_transaction_the_loss_of_the_connection_is_an_error(layers: list[PostgresChannelLayer]) -> None:
    with pytest.raises(OperationalError), transaction.atomic():
        connection.connection.pgconn.finish()
        layers[0].publish("board", {"type": "live.changed"})


def test_a_layer_serves_a_new_event_loop_after_the_old_one_ended(layers: list[PostgresChannelLayer]) -> None:
    async def scenario() -> None:
        channel = await member(layers[0], "board")
        await layers[0].group_send("board", {"type": "live.changed"})
        assert await get(layers[0], channel) == {"type": "live.changed"}

    play(scenario)
    play(scenario)


def test_foreign_notifications_are_passed_over(layers: list[PostgresChannelLayer]) -> None:
    def send_nonsense() -> None:
        with connection.cursor() as cursor:
            for payload in ("", "[1]", '{"group": "board"}', "not json"):
                cursor.execute("SELECT pg_notify('live', %s)", [payload])

    async def scenario() -> None:
        channel = await member(layers[0], "board")
        await sync_to_async(send_nonsense)()

        assert await is_silent(layers[0], channel)

    play(scenario)


def test_a_message_too_long_for_postgresql_is_refused(layers: list[PostgresChannelLayer]) -> None:
    with pytest.raises(ValueError, match="send ids only"):
        layers[0].publish("board", {"type": "live.changed", "text": "x" * 8000})


def test_a_group_name_that_channels_forbids_is_refused(layers: list[PostgresChannelLayer]) -> None:
    with pytest.raises(TypeError):
        layers[0].publish("deployment:1", {"type": "live.changed"})
