"""Tells open pages what changed, so that they fetch it again.

Topics are Channels group names: `deployment.<id>`, `workloads.<id of the deployment>`, `release.<id>`, `train.<id>`,
`user.<id>`; the lists `board`, `releases`, `deployments`; `audit`.
"""

from collections.abc import Iterable
from functools import partial
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

from releasemgr.core.channel_layer import PostgresChannelLayer


def changed(topic: str, **ids: str | int | UUID) -> None:
    """Send `{"type": "live.changed", "topic": topic, **ids}` to the topic's group, once the open transaction commits.

    Say the same thing twice in a transaction and PostgreSQL sends it once. Pass `n`, a sequence number, where a
    client should see a gap. Raises TypeError for a topic that is no group name.
    """
    message = {"type": "live.changed", "topic": topic} | {
        name: value if isinstance(value, int) else str(value) for name, value in ids.items()
    }
    layer = get_channel_layer()
    if isinstance(layer, PostgresChannelLayer):
        layer.publish(topic, message)
    else:
        layer.require_valid_group_name(topic)
        # robust: the change is committed; a layer out of reach must not make it look failed.
        transaction.on_commit(partial(async_to_sync(layer.group_send), topic, message), robust=True)


def changed_all(topics: Iterable[str]) -> None:
    """As `changed` for each topic, in one round trip where PostgreSQL carries them."""
    layer = get_channel_layer()
    if isinstance(layer, PostgresChannelLayer):
        layer.publish_all({topic: {"type": "live.changed", "topic": topic} for topic in topics})
    else:
        for topic in topics:
            changed(topic)
