"""The audit log's words: what the code reports is what the labels know."""

import ast
from pathlib import Path

from django.conf import settings

from audit import labels
from deployments.transitions import BAKE_EVENTS, DEPLOYMENT_EVENTS, STEP_EVENTS
from releases.transitions import EVENTS

RECORDERS = {"record", "record_login", "_record"}
APPS = ("accounts", "audit", "releases", "deployments", "releasemgr")


def recorded_actions() -> dict[str, str]:
    """Action → where it is recorded; every literal that may be the first argument counts."""
    found: dict[str, str] = {"access.denied": "audit/services.py"}
    root = Path(settings.BASE_DIR)
    for path in [path for app in APPS for path in (root / app).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            for literal in _first_arguments(node) + _event_keywords(node):
                found[literal] = f"{path.relative_to(root).as_posix()}:{getattr(node, 'lineno', 0)}"
    mapped = [*EVENTS.values(), *DEPLOYMENT_EVENTS.values(), *STEP_EVENTS.values(), *BAKE_EVENTS.values()]
    return found | dict.fromkeys(mapped, "transitions.py")


def _first_arguments(node: ast.AST) -> list[str]:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RECORDERS and node.args):
        return []
    return [leaf.value for leaf in ast.walk(node.args[0]) if isinstance(leaf, ast.Constant) and "." in str(leaf.value)]


def _event_keywords(node: ast.AST) -> list[str]:
    if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "move_release"):
        return []
    return [
        keyword.value.value
        for keyword in node.keywords
        if keyword.arg == "event" and isinstance(keyword.value, ast.Constant)
    ]


def test_every_recorded_action_has_its_sentence() -> None:
    known = labels.sentences()
    nameless = {action: where for action, where in recorded_actions().items() if action not in known}
    assert nameless == {}, "write its label in the app's events.py"


def test_no_label_is_left_of_an_action_that_nobody_records() -> None:
    assert set(labels.sentences()) - set(recorded_actions()) == set()
