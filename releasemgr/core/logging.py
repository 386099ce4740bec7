"""Logs: one JSON line an event in the Elastic Common Schema; human-readable in development."""

import logging
from typing import Any

import ecs_logging
import structlog

from releasemgr.core.context import current_request_context


def add_request_context(_logger: Any, _name: str, event: dict[str, Any]) -> dict[str, Any]:
    context = current_request_context()
    if context.request_id:
        event["request_id"] = context.request_id
    return event


SHARED_PROCESSORS: list[Any] = [
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    add_request_context,
]


def _renderers(*, human_readable: bool) -> list[Any]:
    if human_readable:
        # Plain: with rich installed the default shows every local variable, credentials among them.
        return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    return [structlog.processors.format_exc_info, ecs_logging.StructlogFormatter()]


def logging_config(*, human_readable: bool, level: str) -> dict[str, Any]:
    """The `LOGGING` setting: everything to stderr, one line an event."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *_renderers(human_readable=human_readable),
                ],
                "foreign_pre_chain": SHARED_PROCESSORS,
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django.server": {"level": "WARNING"},
            "django.request": {"level": "ERROR"},
            "django-q": {"level": "WARNING"},
            "kubernetes": {"level": "WARNING"},
            "urllib3": {"level": "ERROR"},
        },
    }


logging.captureWarnings(capture=True)
