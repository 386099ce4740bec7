"""Figures of the task queue and the channel layer; limits.md P10 names the goals."""

import asyncio
import logging
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from asgiref.sync import async_to_sync
from django_q.models import OrmQ

from releasemgr.core.channel_layer import PostgresChannelLayer
from releasemgr.core.queue import enqueue
from tests.bench.figures import Figure
from tests.core.cluster import Cluster, wait_for

CLIENTS, MESSAGES = 50, 100


def note_lag(path: str, enqueued_at: str) -> None:
    lag = time.time() - float(enqueued_at)
    with Path(path).open("a") as lags:
        lags.write(f"{lag}\n")


def measure() -> dict[str, float]:
    """Pick-up in ms, tasks in 1/s with two workers, fan-out to 50 clients in ms; on the configured database.

    No other task cluster may be running there.
    """
    logging.getLogger("django-q").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder, Cluster(Path(folder) / "log", workers=2, log_level="WARNING"):
        pick_up(Path(folder) / "first")
        return pick_up(Path(folder) / "idle") | throughput(Path(folder) / "busy") | fan_out()


def figures() -> list[Figure]:
    found = measure()
    return [
        Figure("enqueue → start", "ms", found["pick_up_p50_ms"], found["pick_up_p95_ms"], aim=15),
        Figure("two workers", "tasks/s", found["tasks_per_second"], aim=400, judged="median", more_is_better=True),
        Figure("live message → 50 readers", "ms", found["fan_out_p50_ms"], found["fan_out_p95_ms"]),
    ]


def pick_up(lags: Path, count: int = 100) -> dict[str, float]:
    for _ in range(count):
        enqueue("tests.bench.queue.note_lag", str(lags), str(time.time()))
        time.sleep(0.03)
    wait_for(queue_is_empty)
    return percentiles("pick_up", [float(line) for line in lags.read_text().splitlines()])


def throughput(lags: Path, count: int = 1500) -> dict[str, float]:
    start = time.monotonic()
    for _ in range(count):
        enqueue("tests.bench.queue.note_lag", str(lags), str(time.time()))
    enqueued = time.monotonic()
    wait_for(queue_is_empty, seconds=60)
    return {
        "enqueued_per_second": count / (enqueued - start),
        "tasks_per_second": count / (time.monotonic() - start),
    }


def fan_out() -> dict[str, float]:
    async def scenario() -> list[float]:
        layer = PostgresChannelLayer()
        readers = [asyncio.create_task(read(layer, await joined(layer))) for _ in range(CLIENTS)]
        for _ in range(MESSAGES):
            await layer.group_send("bench", {"type": "live.changed", "sent_at": time.time()})
        return [lag for lags in await asyncio.gather(*readers) for lag in lags]

    return percentiles("fan_out", async_to_sync(scenario)())


async def joined(layer: PostgresChannelLayer) -> str:
    channel = await layer.new_channel()
    await layer.group_add("bench", channel)
    return channel


async def read(layer: PostgresChannelLayer, channel: str) -> list[float]:
    async def lag() -> float:
        message: dict[str, Any] = await layer.receive(channel)
        return time.time() - message["sent_at"]

    return [await lag() for _ in range(MESSAGES)]


def queue_is_empty() -> bool:
    return not OrmQ.objects.exists()


def percentiles(name: str, seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=20)
    return {f"{name}_p50_ms": statistics.median(seconds) * 1000, f"{name}_p95_ms": cuts[18] * 1000}
