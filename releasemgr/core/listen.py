"""LISTEN connections to the default database, beside the ones Django pools.

NOTIFY has no replay: what was sent while nobody listened is gone, so each (re)connection is reported and its reader
looks for itself. Such a connection must reach the server directly or through a pooler in session mode.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Any

import psycopg
from django.db import connections
from psycopg import sql

logger = logging.getLogger(__name__)

# Seconds between attempts to connect: doubled after each failure, back to the first after a success.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
# A peer that vanished without a word is noticed after about 20 seconds, not hours.
KEEPALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,
    "connect_timeout": 5,
}


def parameters(purpose: str, alias: str = "default") -> dict[str, Any]:
    """Arguments for `psycopg.connect` to Django's database `alias`; `purpose` shows in pg_stat_activity."""
    django = connections[alias].get_connection_params()
    own = {name: value for name, value in django.items() if name not in {"context", "cursor_factory"}}
    return KEEPALIVE | own | {"application_name": f"releasemgr {purpose}", "autocommit": True}


def connect(channel: str, alias: str = "default") -> psycopg.Connection:
    """A connection that listens on `channel`. Raises `psycopg.OperationalError`."""
    connection = psycopg.connect(**parameters(channel, alias))
    connection.execute(listen(channel))
    return connection


async def notifications(channel: str) -> AsyncGenerator[str | None, None]:
    """Payloads sent to `channel`, for ever; None after each connection made: what came before may have been missed."""
    pause = FIRST_PAUSE
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(**parameters(channel)) as connection:
                await connection.execute(listen(channel))
                pause = FIRST_PAUSE
                yield None
                async for notification in connection.notifies():
                    yield notification.payload
        except psycopg.Error as error:
            logger.warning("Lost the connection that listens on %s: %s; next attempt in %.1f s", channel, error, pause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def listen(channel: str) -> sql.Composed:
    return sql.SQL("LISTEN {}").format(sql.Identifier(channel))
