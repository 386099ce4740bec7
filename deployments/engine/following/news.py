"""Hears at once which deployments have new rows to follow (LISTEN), and tells their cluster's follower."""

import logging
import threading
from collections.abc import Callable, Mapping
from uuid import UUID

import psycopg

from deployments.engine.following.follower import ClusterFollower
from deployments.engine.following.rows import CHANNEL
from releasemgr.core import listen

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


def tell_of_new_rows(followers: Callable[[], Mapping[UUID, ClusterFollower]], stop: threading.Event) -> None:
    """Until `stop` is set. After each connection every follower reads all of its rows: what came before is unheard."""
    pause = listen.FIRST_PAUSE
    while not stop.is_set():
        try:
            with listen.connect(CHANNEL) as session:
                pause = listen.FIRST_PAUSE
                for follower in followers().values():
                    follower.tell_of_rows()
                while not stop.is_set():
                    for notification in session.notifies(timeout=LOOK_SECONDS):
                        _pass_on(notification.payload, followers())
                        if stop.is_set():
                            break
        except psycopg.Error as error:
            logger.warning("Does not hear of new workloads: %s; next attempt in %.1f s", error, pause)
            stop.wait(pause)
            pause = min(pause * 2, listen.LONGEST_PAUSE)


def _pass_on(payload: str, followers: Mapping[UUID, ClusterFollower]) -> None:
    try:
        cluster, deployment = map(UUID, payload.split())
    except ValueError:
        logger.warning("Passed over a notification that this program did not send")
        return
    follower = followers.get(cluster)
    if follower is not None:
        follower.tell_of_rows(deployment)
