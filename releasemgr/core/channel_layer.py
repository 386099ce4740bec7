"""Channel layer over LISTEN/NOTIFY: no Redis, no tables, one listening connection per process.

Messages carry ids; the reader fetches the rest. Whoever may have missed one (slow client, lost connection) gets
`{"type": "live.resync"}` in its place: read again what you show.
"""

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Mapping
from contextlib import aclosing, suppress
from secrets import token_urlsafe
from typing import Any

from asgiref.sync import sync_to_async
from channels.layers import BaseChannelLayer
from django.db import InterfaceError, OperationalError, connection

from releasemgr.core.listen import notifications

logger = logging.getLogger(__name__)

Message = dict[str, Any]
CHANNEL = "live"
RESYNC: Message = {"type": "live.resync"}
# PostgreSQL refuses a payload of 8000 bytes and more.
PAYLOAD_LIMIT = 7999
# Seconds a new member waits for the first LISTEN; then it is let in anyway and told to resync once that stands.
CONNECT_PATIENCE = 2.0
SWEEP_EVERY = 60.0


class Mailbox:
    """What waits for one channel; past `capacity` it all becomes one resync."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.groups: set[str] = set()
        self.readers = 0
        self.read_at = time.monotonic()
        self._messages: deque[Message] = deque()
        self._arrived = asyncio.Event()

    def put(self, message: Message) -> None:
        if len(self._messages) >= self.capacity:
            self.resync()
        else:
            self._messages.append(dict(message))
            self._arrived.set()

    def resync(self) -> None:
        self._messages.clear()
        self._messages.append(dict(RESYNC))
        self._arrived.set()

    async def get(self) -> Message:
        self.readers += 1
        try:
            while not self._messages:
                self._arrived.clear()
                await self._arrived.wait()
            return self._messages.popleft()
        finally:
            self.readers -= 1
            self.read_at = time.monotonic()

    @property
    def is_idle(self) -> bool:
        return not (self.groups or self.readers or self._messages)


class PostgresChannelLayer(BaseChannelLayer):  # type: ignore[misc]  # channels has no types
    """`capacity`: messages that may wait for one client; `group_expiry`: seconds until an unread channel is dropped.

    Channels are those made by `new_channel`; a message for one in another process finds its way there too.
    """

    extensions = ["groups", "flush"]

    def __init__(self, capacity: int = 100, group_expiry: float = 3600, **kwargs: Any) -> None:
        super().__init__(capacity=capacity, **kwargs)
        self.group_expiry = group_expiry
        self._process = token_urlsafe(9)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listener: asyncio.Task[None] | None = None
        self._mailboxes: dict[str, Mailbox] = {}
        self._groups: dict[str, set[str]] = {}
        self._swept_at = time.monotonic()

    async def new_channel(self, prefix: str = "specific.") -> str:
        return f"{prefix}{self._process}!{token_urlsafe(12)}"

    async def receive(self, channel: str) -> Message:
        self.require_valid_channel_name(channel)
        self._listen_here()
        mailbox = self._mailbox(channel)
        try:
            return await mailbox.get()
        finally:
            if mailbox.is_idle:
                self._mailboxes.pop(channel, None)

    async def send(self, channel: str, message: Message) -> None:
        self.require_valid_channel_name(channel)
        await sync_to_async(notify)({"channel": channel, "message": message})

    async def group_add(self, group: str, channel: str) -> None:
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        self._listen_here()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._listening.wait(), CONNECT_PATIENCE)
        self._sweep()
        self._mailbox(channel).groups.add(group)
        self._groups.setdefault(group, set()).add(channel)

    async def group_discard(self, group: str, channel: str) -> None:
        members = self._groups.get(group, set())
        members.discard(channel)
        if not members:
            self._groups.pop(group, None)
        if mailbox := self._mailboxes.get(channel):
            mailbox.groups.discard(group)
            if mailbox.is_idle:
                del self._mailboxes[channel]

    async def group_send(self, group: str, message: Message) -> None:
        await sync_to_async(self.publish)(group, message)

    def publish(self, group: str, message: Message) -> None:
        """Send inside the caller's transaction: delivered at its commit, never after a rollback.

        Raises TypeError for a bad group name, ValueError for a message that is too long.
        """
        self.require_valid_group_name(group)
        notify({"group": group, "message": message})

    def publish_all(self, messages: Mapping[str, Message]) -> None:
        """As `publish` for each group and its message, together."""
        for group in messages:
            self.require_valid_group_name(group)
        if messages:
            notify(*({"group": group, "message": message} for group, message in messages.items()))

    async def flush(self) -> None:
        self._mailboxes.clear()
        self._groups.clear()

    async def close(self) -> None:
        """Stop listening; the next `group_add` or `receive` starts again."""
        if self._listener and self._loop is asyncio.get_running_loop():
            self._listener.cancel()
            with suppress(asyncio.CancelledError):
                await self._listener
        self._listener = None

    def _mailbox(self, channel: str) -> Mailbox:
        if channel not in self._mailboxes:
            self._mailboxes[channel] = Mailbox(self.get_capacity(channel))
        return self._mailboxes[channel]

    def _listen_here(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # The former loop is over and its clients with it.
            self._loop, self._listener = loop, None
            self._mailboxes.clear()
            self._groups.clear()
        if self._listener is None or self._listener.done():
            self._listening = asyncio.Event()
            self._listener = loop.create_task(self._listen())

    async def _listen(self) -> None:
        async with aclosing(notifications(CHANNEL)) as payloads:
            async for payload in payloads:
                if payload is None:
                    self._listening.set()
                    for mailbox in self._mailboxes.values():
                        if mailbox.groups:
                            mailbox.resync()
                else:
                    self._deliver(payload)

    def _deliver(self, payload: str) -> None:
        try:
            envelope = json.loads(payload)
            message = envelope["message"]
            channels = self._groups.get(envelope["group"], ()) if "group" in envelope else [envelope["channel"]]
        except (ValueError, KeyError, TypeError):
            logger.exception("Passed over a notification that this program did not send")
            return
        for channel in channels:
            if channel in self._mailboxes or f"{self._process}!" in channel:
                self._mailbox(channel).put(message)

    def _sweep(self) -> None:
        """Drop the channels whose reader is gone without a word."""
        now = time.monotonic()
        if now - self._swept_at < SWEEP_EVERY:
            return
        self._swept_at = now
        for channel, mailbox in list(self._mailboxes.items()):
            if not mailbox.readers and now - mailbox.read_at > self.group_expiry:
                del self._mailboxes[channel]
                for group in mailbox.groups:
                    self._groups[group].discard(channel)


def notify(*envelopes: Message) -> None:
    payloads = [json.dumps(envelope, default=str) for envelope in envelopes]
    longest = max(len(payload.encode()) for payload in payloads)
    if longest > PAYLOAD_LIMIT:
        raise ValueError(f"The message has {longest} bytes, PostgreSQL carries {PAYLOAD_LIMIT}: send ids only.")
    try:
        _execute(payloads)
    except (OperationalError, InterfaceError):
        # Inside a transaction the change is lost as well, and the caller must know.
        if connection.in_atomic_block:
            raise
        connection.close()
        _execute(payloads)


def _execute(payloads: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, payload) FROM unnest(%s::text[]) AS payload", [CHANNEL, payloads])
