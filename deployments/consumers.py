"""The one websocket of the pages: says which topics changed, never what; the page asks for that over HTTP.

Client: {"subscribe": [topics]}, always the whole list. Server: {"subscribed": [topics]}, {"refused": [topics]},
{"resync": true} (something may have been missed: fetch all), {"topic": topic} with "n" where messages are numbered.
Closed with 4401 when nobody is logged in (any more), with 4400 for a message that is no such request.
"""

import asyncio
import json
import logging
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from channels.auth import get_user
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.http import HttpRequest
from django.utils.module_loading import import_string

from accounts.selectors import actor_for
from audit.middleware import client_ip
from audit.services import record_denied
from deployments.topics import names_a_thing, permitted
from releasemgr.core.actors import Actor
from releasemgr.core.context import RequestContext, request_context

logger = logging.getLogger(__name__)

NOT_LOGGED_IN = 4401
NOT_UNDERSTOOD = 4400
UNAVAILABLE = 1011
MAX_TOPICS = 200
MAX_MESSAGE = 32 * 1024
# Seconds until the rights are looked at again though nobody said that they changed.
RECHECK_EVERY = 30.0


class LiveConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    actor: Actor | None = None
    _recheck: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        self.topics: frozenset[str] = frozenset()
        self.noted: set[str] = set()
        # Messages come one after the other, but the regular check of the rights comes between them.
        self.turn = asyncio.Lock()
        # Accepted first: a browser tells its page the code of a close, but not of a refused handshake.
        await self.accept()
        self.actor = await self._read_actor()
        if self.actor is None:
            await self.close(NOT_LOGGED_IN)
            return
        await self.channel_layer.group_add(self._own_topic, self.channel_name)
        self._recheck = asyncio.create_task(self._recheck_for_ever())

    async def disconnect(self, code: int) -> None:
        if self._recheck:
            self._recheck.cancel()
            with suppress(asyncio.CancelledError):
                await self._recheck
        await self._leave()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        topics = asked_for(text_data)
        async with self.turn:
            if self.actor is None:
                return
            if topics is None:
                await self._end(NOT_UNDERSTOOD)
            else:
                await self._subscribe(self.actor, topics)

    async def live_changed(self, message: Mapping[str, Any]) -> None:
        topic = message["topic"]
        if topic == self._own_topic:
            await self._check_rights()
        if topic in self.topics:
            # Ids that a message carries for other readers stay here: not everybody may know them.
            await self.send_json({"topic": topic} | ({"n": message["n"]} if "n" in message else {}))

    async def live_resync(self, message: Mapping[str, Any]) -> None:
        # What was missed may have been the end of this session.
        if await self._check_rights():
            await self.send_json({"resync": True})

    @property
    def _own_topic(self) -> str:
        return f"user.{self.actor.user_id}" if self.actor else ""

    async def _subscribe(self, actor: Actor, topics: list[str]) -> None:
        wanted = list(dict.fromkeys(topics))
        within = wanted[:MAX_TOPICS]
        allowed = await self._permitted(actor, within)
        joined = allowed - self.topics
        await self._follow(allowed)
        await self.send_json({"subscribed": [topic for topic in within if topic in allowed]})
        if refused := [topic for topic in wanted if topic not in allowed]:
            await self._note_refused(actor, [topic for topic in within if topic not in allowed])
            await self.send_json({"refused": refused})
        if joined:
            # What changed between drawing the page and joining the groups was not heard.
            await self.send_json({"resync": True})

    async def _follow(self, topics: frozenset[str]) -> None:
        """The own topic is followed always, asked for or not: it brings the news about rights."""
        before, self.topics = self.topics, topics
        for topic in topics - before - {self._own_topic}:
            await self.channel_layer.group_add(topic, self.channel_name)
        for topic in before - topics - {self._own_topic}:
            await self.channel_layer.group_discard(topic, self.channel_name)

    async def _leave(self) -> None:
        if self.actor:
            await self._follow(frozenset())
            await self.channel_layer.group_discard(self._own_topic, self.channel_name)
            self.actor = None

    async def _end(self, code: int) -> None:
        """Nothing is sent any more: what still arrives finds no actor and no topics."""
        await self._leave()
        await self.close(code)

    async def _check_rights(self) -> bool:
        """Read session and rights again; False when the session is over, and with it the socket."""
        async with self.turn:
            if self.actor is None:
                return False
            actor = await self._read_actor()
            if actor is None or actor.user_id != self.actor.user_id:
                await self._end(NOT_LOGGED_IN)
                return False
            self.actor = actor
            allowed = await self._permitted(actor, self.topics)
            if lost := self.topics - allowed:
                await self._follow(allowed)
                await self.send_json({"refused": sorted(lost)})
            return True

    async def _recheck_for_ever(self) -> None:
        while self.actor:
            await asyncio.sleep(RECHECK_EVERY)
            try:
                await self._check_rights()
            except Exception:
                # Rights that cannot be read are no rights.
                logger.exception("Could not check the rights of an open page; its socket is closed")
                await self._end(UNAVAILABLE)

    async def _read_actor(self) -> Actor | None:
        """Who the session belongs to by now; None when it has ended or its person may no longer log in."""
        session = import_string(f"{settings.SESSION_ENGINE}.SessionStore")(self.scope["session"].session_key)
        user = await get_user({"session": session})
        actor = actor_for(user)
        return actor if actor.is_authenticated else None

    @database_sync_to_async  # type: ignore[untyped-decorator]
    def _permitted(self, actor: Actor, topics: Iterable[str]) -> frozenset[str]:
        return permitted(actor, topics)

    @database_sync_to_async  # type: ignore[untyped-decorator]
    def _note_refused(self, actor: Actor, topics: Iterable[str]) -> None:
        """In the audit log, once for each thing."""
        fresh = [topic for topic in topics if names_a_thing(topic) and topic not in self.noted]
        for topic in fresh[: MAX_TOPICS - len(self.noted)]:
            self.noted.add(topic)
            with request_context(RequestContext(request_id=uuid.uuid4().hex, ip=self._ip())):
                reason = "This topic does not exist, or its reader may not see it."
                record_denied(actor=actor, what=f"subscribe {topic}", data={"reason": reason})

    def _ip(self) -> str | None:
        request = HttpRequest()
        headers = dict(self.scope.get("headers", []))
        peer = (self.scope.get("client") or [""])[0]
        request.META = {
            "REMOTE_ADDR": peer,
            "HTTP_X_FORWARDED_FOR": headers.get(b"x-forwarded-for", b"").decode("latin-1"),
        }
        return client_ip(request)


def asked_for(text: str | None) -> list[str] | None:
    """The topics of a subscription; None for any other message."""
    if text is None or len(text) > MAX_MESSAGE:
        return None
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    topics = message.get("subscribe") if isinstance(message, dict) else None
    if not isinstance(topics, list) or not all(isinstance(topic, str) for topic in topics):
        return None
    return topics
