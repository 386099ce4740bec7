"""Is the process alive, and can it serve?"""

import logging
from collections.abc import Callable

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from releasemgr.core import queue
from releasemgr.core.api import error_body

logger = logging.getLogger(__name__)


@never_cache
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok", "version": settings.VERSION})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """200 when every part answers, else 503 naming those that don't and why."""
    results = {name: _outcome(name, check) for name, check in CHECKS.items()}
    failed = [name for name, outcome in results.items() if outcome != "ok"]
    if not failed:
        return JsonResponse({"status": "ok", "checks": results})
    message = f"Not ready: {', '.join(failed)} {'does' if len(failed) == 1 else 'do'} not answer as needed."
    return JsonResponse(error_body("unavailable", message, {"checks": results}), status=503)


def _outcome(name: str, check: Callable[[], str]) -> str:
    try:
        return check() or "ok"
    except Exception as exc:
        # A probe reports whatever is wrong and never fails itself.
        logger.warning("Readiness check of the %s failed", name, exc_info=exc)
        return f"{type(exc).__name__}: it does not answer; the server's log has the cause."


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return ""


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    waiting = [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
    return f"Not applied: {', '.join(waiting[:5])}. Run `python manage.py migrate`." if waiting else ""


def _queue() -> str:
    queue.waiting_tasks()
    return ""


def _channel_layer() -> str:
    """A message goes out the way live updates do."""
    layer = get_channel_layer()
    async_to_sync(layer.group_send)("readiness", {"type": "readiness.probe"})
    return ""


CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "migrations": _migrations,
    "queue": _queue,
    "channel layer": _channel_layer,
}
