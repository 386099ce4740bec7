"""The live socket: who may open it, what it says, and when it closes."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
import uvicorn
from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connections, transaction
from django.test import Client
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from accounts.models import Team, User
from audit.models import Event
from deployments import consumers
from releasemgr.asgi import application as asgi
from releasemgr.core import live
from releasemgr.core.origins import is_same_origin
from releases.models import Release
from tests import factories

committing = pytest.mark.django_db(transaction=True)
pytestmark = committing
Scenario = Callable[[], Awaitable[None]]


def run(scenario: Scenario) -> None:
    """Database calls of the consumer land in this thread, so they see what the test wrote."""

    async def with_a_fresh_listener() -> None:
        try:
            await scenario()
        finally:
            await get_channel_layer().close()

    async_to_sync(with_a_fresh_listener)()


def cookie_of(user: User | None) -> str:
    client = Client()
    if user:
        client.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}" if user else ""


class Page(ApplicationCommunicator):
    """The browser's end of a socket. (The one of channels.testing needs daphne.)"""

    def __init__(self, cookie: str) -> None:
        headers = {"host": "testserver", "origin": "http://testserver", "cookie": cookie}
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "websocket", "path": "/ws/live", "query_string": b"", "headers": sent, "subprotocols": []}
        super().__init__(asgi, scope)

    async def connect(self) -> None:
        await self.send_input({"type": "websocket.connect"})
        assert (await self.receive_output(5))["type"] == "websocket.accept"

    async def say(self, text: str) -> None:
        await self.send_input({"type": "websocket.receive", "text": text})

    async def hear(self) -> dict[str, Any]:
        message = await self.receive_output(5)
        assert message["type"] == "websocket.send", message
        return dict(json.loads(message["text"]))

    async def close_code(self) -> int:
        message = await self.receive_output(5)
        while message["type"] != "websocket.close":
            message = await self.receive_output(5)
        return int(message["code"])

    async def disconnect(self) -> None:
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(5)


@asynccontextmanager
async def opened(cookie: str) -> AsyncIterator[Page]:
    page = Page(cookie)
    await page.connect()
    try:
        yield page
    finally:
        await page.disconnect()


async def subscribe(page: Page, *topics: str) -> dict[str, Any]:
    """The answers to a subscription, merged into one."""
    await page.say(json.dumps({"subscribe": list(topics)}))
    answer = await page.hear()
    while len(answer.get("subscribed", [])) + len(answer.get("refused", [])) < len(topics):
        answer |= await page.hear()
    if answer["subscribed"]:
        assert await page.hear() == {"resync": True}
    return dict(answer)


def tell(topic: str, **ids: Any) -> Awaitable[None]:
    return sync_to_async(live.changed)(topic, **ids)


@pytest.fixture
def release(team: Team, deployer: User) -> Release:
    return factories.draft(deployer, factories.application(team))


def test_whoever_is_not_logged_in_is_told_so_and_closed() -> None:
    async def scenario() -> None:
        async with opened("") as page:
            assert await page.close_code() == 4401

    run(scenario)


def test_a_change_reaches_the_pages_that_follow_it(deployer: User, release: Release) -> None:
    cookie, topic = cookie_of(deployer), f"release.{release.pk}"

    async def scenario() -> None:
        async with opened(cookie) as page:
            assert await subscribe(page, topic, "board") == {"subscribed": [topic, "board"]}
            await tell(topic, n=7)
            assert await page.hear() == {"topic": topic, "n": 7}

    run(scenario)


def test_a_message_carries_no_ids_of_things_others_may_not_see(outsider: User, release: Release) -> None:
    cookie = cookie_of(outsider)

    async def scenario() -> None:
        async with opened(cookie) as page:
            await subscribe(page, "board")
            await tell("board", release=release.pk)
            assert await page.hear() == {"topic": "board"}

    run(scenario)


def test_what_one_may_not_see_is_refused_and_noted_once(outsider: User, release: Release) -> None:
    cookie, topic = cookie_of(outsider), f"release.{release.pk}"

    async def scenario() -> None:
        async with opened(cookie) as page:
            for _ in range(2):
                assert await subscribe(page, topic) == {"subscribed": [], "refused": [topic]}
            await tell(topic)
            await tell(f"user.{outsider.pk}")
            assert await page.receive_nothing(timeout=0.3)

    run(scenario)

    (event,) = Event.objects.filter(action="access.denied")
    assert (event.resource_label, event.user_id, event.actor) == (f"subscribe {topic}", outsider.pk, "Outsider")


def test_unknown_topics_and_other_people_are_refused(deployer: User, viewer: User) -> None:
    cookie = cookie_of(deployer)
    topics = ["nonsense", "", "deployment.1", f"deployment.{uuid4()}", f"user.{viewer.pk}", "release.*", "board.x"]

    async def scenario() -> None:
        async with opened(cookie) as page:
            own = f"user.{deployer.pk}"
            assert await subscribe(page, own, *topics) == {"subscribed": [own], "refused": topics}

    run(scenario)


def test_a_new_list_of_topics_replaces_the_old_one(deployer: User) -> None:
    cookie = cookie_of(deployer)

    async def scenario() -> None:
        async with opened(cookie) as page:
            await subscribe(page, "board")
            await subscribe(page, "audit")
            await tell("board")
            await tell("audit")
            assert await page.hear() == {"topic": "audit"}

    run(scenario)


def test_more_topics_than_a_page_can_need_are_refused(deployer: User, release: Release) -> None:
    cookie = cookie_of(deployer)
    own = f"release.{release.pk}"

    async def scenario() -> None:
        async with opened(cookie) as page:
            filler = [f"x{n}" for n in range(consumers.MAX_TOPICS)]
            assert await subscribe(page, *filler, own) == {"subscribed": [], "refused": [*filler, own]}

    run(scenario)
    assert not Event.objects.filter(action="access.denied").exists()


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "null", '"board"', '{"subscribe": "board"}', '{"subscribe": [1]}', "{}", "[" * 20_000,
        json.dumps({"subscribe": ["x" * consumers.MAX_MESSAGE]}), '{"subscribe": ["board"]',
    ],
)  # fmt: skip
def test_a_message_that_is_no_subscription_closes_the_socket(deployer: User, text: str) -> None:
    cookie = cookie_of(deployer)

    async def scenario() -> None:
        async with opened(cookie) as page:
            await page.say(text)
            assert await page.close_code() == 4400

    run(scenario)


def test_binary_frames_close_the_socket(deployer: User) -> None:
    cookie = cookie_of(deployer)

    async def scenario() -> None:
        async with opened(cookie) as page:
            await page.send_input({"type": "websocket.receive", "bytes": b"\xff"})
            assert await page.close_code() == 4400

    run(scenario)


def log_out(user: User) -> None:
    Session.objects.all().delete()


def change_password(user: User) -> None:
    user.set_password("another battery staple")
    user.save()


def deactivate(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


@pytest.mark.parametrize("end", [log_out, change_password, deactivate])
def test_the_end_of_the_session_closes_the_socket_at_once(deployer: User, end: Callable[[User], None]) -> None:
    cookie = cookie_of(deployer)

    def ended() -> None:
        with transaction.atomic():
            end(deployer)
            live.changed(f"user.{deployer.pk}")

    async def scenario() -> None:
        async with opened(cookie) as page:
            await subscribe(page, "board")
            await sync_to_async(ended)()
            assert await page.close_code() == 4401
            await tell("board")
            assert await page.receive_nothing(timeout=0.2)

    run(scenario)


def test_a_right_that_was_taken_away_ends_its_topics_only(team: Team, deployer: User, release: Release) -> None:
    cookie, topic = cookie_of(deployer), f"release.{release.pk}"

    def leave_the_team() -> None:
        deployer.groups.clear()
        live.changed(f"user.{deployer.pk}")

    async def scenario() -> None:
        async with opened(cookie) as page:
            await subscribe(page, topic, "board")
            await sync_to_async(leave_the_team)()
            assert await page.hear() == {"refused": [topic]}
            await tell(topic)
            await tell("board")
            assert await page.hear() == {"topic": "board"}

    run(scenario)


def test_a_change_nobody_announced_is_found_by_the_regular_check(
    deployer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "RECHECK_EVERY", 0.05)
    cookie = cookie_of(deployer)

    async def scenario() -> None:
        async with opened(cookie) as page:
            await subscribe(page, "board")
            await sync_to_async(log_out)(deployer)
            assert await page.close_code() == 4401

    run(scenario)


def test_rights_that_cannot_be_checked_close_the_socket(deployer: User, monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = cookie_of(deployer)

    async def scenario() -> None:
        async with opened(cookie) as page:
            await subscribe(page, "board")
            monkeypatch.setattr(consumers, "permitted", lambda *_: 1 / 0)
            assert await page.close_code() == 1011

    monkeypatch.setattr(consumers, "RECHECK_EVERY", 0.2)
    run(scenario)


def test_after_a_loss_of_messages_the_page_reads_again_and_so_do_we_our_rights(deployer: User) -> None:
    cookie = cookie_of(deployer)

    async def scenario() -> None:
        async with opened(cookie) as page:
            await subscribe(page, "board")
            await get_channel_layer().group_send("board", {"type": "live.resync"})
            assert await page.hear() == {"resync": True}
            await sync_to_async(log_out)(deployer)
            await get_channel_layer().group_send("board", {"type": "live.resync"})
            assert await page.close_code() == 4401

    run(scenario)


ORIGINS = [
    ("testserver", "http://testserver", True),
    ("testserver", "https://testserver", True),
    ("testserver:443", "https://testserver", True),
    ("testserver:8000", "http://testserver:8000", True),
    ("TestServer", "http://testserver", True),
    ("[::1]:8000", "http://[::1]:8000", True),
    ("testserver", None, False),
    ("testserver", "", False),
    ("testserver", "null", False),
    ("testserver", "http://evil.example", False),
    ("testserver", "http://sub.testserver", False),
    ("testserver", "http://testserver.evil.example", False),
    ("testserver", "http://testserver@evil.example", False),
    ("testserver", "http://evil.example@testserver", False),
    ("testserver", "http://testserver:8001", False),
    ("testserver:8000", "http://testserver", False),
    ("testserver:80", "https://testserver", False),
    ("testserver", "ws://testserver", False),
    ("testserver", "file://testserver", False),
    ("testserver", "http://testserver/path", False),
    ("testserver", "http://testserver:x", False),
    ("testserver", "http://[::1", False),
    ("testserver", "testserver", False),
    ("testserver", "//testserver", False),
    (None, "http://testserver", False),
]


@pytest.mark.django_db(transaction=False)
@pytest.mark.parametrize(("host", "origin", "ours"), ORIGINS)
def test_only_pages_of_the_same_host_and_port_are_ours(host: str | None, origin: str | None, ours: bool) -> None:
    headers = [(name, value.encode()) for name, value in ((b"host", host), (b"origin", origin)) if value is not None]
    assert is_same_origin({"headers": headers}) is ours


@pytest.mark.django_db(transaction=False)
def test_an_origin_sent_twice_or_a_host_we_do_not_serve_is_refused(settings: Any) -> None:
    ours = [(b"host", b"testserver"), (b"origin", b"http://testserver")]
    assert not is_same_origin({"headers": [*ours, (b"origin", b"http://evil.example")]})
    settings.ALLOWED_HOSTS = ["other.example"]
    assert not is_same_origin({"headers": ours})


@pytest.fixture
def server() -> Iterator[str]:
    """host:port of a real uvicorn in a thread of its own."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        asgi, log_level="warning", lifespan="off", ws="websockets-sansio", timeout_graceful_shutdown=2
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"127.0.0.1:{listening.getsockname()[1]}"
    running.should_exit = True
    thread.join(10)
    listening.close()
    # The server's database calls shared one thread, which lives on with its connection.
    asyncio.run(sync_to_async(connections.close_all)())


def test_a_real_server_refuses_foreign_pages_before_anything_is_read(deployer: User, server: str) -> None:
    cookie = cookie_of(deployer)

    async def status(origin: str | None) -> int:
        try:
            async with connect(f"ws://{server}/ws/live", origin=origin, additional_headers={"Cookie": cookie}):  # type: ignore[arg-type]
                return 101
        except InvalidStatus as refused:
            return int(refused.response.status_code)

    async def statuses() -> list[int]:
        return [await status(each) for each in (None, "null", "http://evil.example", f"http://{server}")]

    assert asyncio.run(statuses()) == [403, 403, 403, 101]


def test_a_real_server_tells_a_real_client_what_changed_and_when_the_session_ends(deployer: User, server: str) -> None:
    cookie = cookie_of(deployer)

    async def scenario() -> tuple[list[Any], int | None]:
        heard = []
        headers = {"Cookie": cookie}
        async with connect(f"ws://{server}/ws/live", origin=f"http://{server}", additional_headers=headers) as page:  # type: ignore[arg-type]
            await page.send(json.dumps({"subscribe": ["board"]}))
            for _ in range(2):
                heard.append(json.loads(await asyncio.wait_for(page.recv(), 5)))
            await tell("board")
            heard.append(json.loads(await asyncio.wait_for(page.recv(), 5)))
            await sync_to_async(log_out)(deployer)
            await tell(f"user.{deployer.pk}")
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(page.recv(), 5)
            return heard, page.close_code

    heard, code = async_to_sync(scenario)()
    assert heard == [{"subscribed": ["board"]}, {"resync": True}, {"topic": "board"}]
    assert code == 4401
