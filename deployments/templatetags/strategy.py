"""A target's strategy, for people."""

from collections.abc import Mapping
from typing import Any

from django import template

from deployments.services.stages import strategy_in_words

register = template.Library()


@register.filter
def strategy_words(strategy: Mapping[str, Any]) -> str:
    """Empty for the usual way, pod by pod."""
    return strategy_in_words(strategy) if strategy.get("type", "rolling") != "rolling" else ""
