import asyncio
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.layers import get_channel_layer
from django.db import transaction

from releasemgr.core.live import changed

pytestmark = pytest.mark.usefixtures("committing")


@pytest.fixture(params=["releasemgr.core.channel_layer.PostgresChannelLayer", "channels.layers.InMemoryChannelLayer"])
def layer(request: pytest.FixtureRequest, settings: Any) -> Any:
    """Ours, and one of those whose messages wait for on_commit, as with Redis."""
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": request.param}}
    return get_channel_layer()


def heard(layer: Any, action: Any) -> list[dict[str, Any]]:
    """What a listener to `board` gets while `action` runs."""

    async def listen() -> list[dict[str, Any]]:
        channel = await layer.new_channel()
        await layer.group_add("board", channel)
        await sync_to_async(action)()
        await layer.group_send("board", {"type": "end"})
        messages = []
        while (message := await asyncio.wait_for(layer.receive(channel), 10)) != {"type": "end"}:
            messages.append(message)
        return messages

    return async_to_sync(listen)()


def test_a_change_is_told_once_it_is_committed(layer: Any) -> None:
    def action() -> None:
        with transaction.atomic():
            changed("board", deployment=UUID(int=1), n=3)

    assert heard(layer, action) == [
        {"type": "live.changed", "topic": "board", "deployment": "00000000-0000-0000-0000-000000000001", "n": 3}
    ]


def test_a_change_that_was_rolled_back_is_not_told(layer: Any) -> None:
    def action() -> None:
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            changed("board")
            raise ZeroDivisionError

    assert heard(layer, action) == []


def test_a_topic_that_is_no_group_name_is_refused_at_once(layer: Any) -> None:
    with pytest.raises(TypeError), transaction.atomic():
        changed("deployment/1")


def test_the_same_change_twice_in_a_transaction_is_told_once(settings: Any) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "releasemgr.core.channel_layer.PostgresChannelLayer"}}

    def action() -> None:
        with transaction.atomic():
            changed("board", n=1)
            changed("board", n=1)

    assert len(heard(get_channel_layer(), action)) == 1
