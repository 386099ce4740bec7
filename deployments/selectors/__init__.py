"""Reads that join or shape; always through the policies."""

from deployments.selectors.board import Board, Row, board
from deployments.selectors.cells import Cell
from deployments.selectors.deployments import (
    BROUGHT_UP,
    deployment_details,
    deployment_list,
    deployment_rows,
    get_deployment,
    last_good,
    latest_of_release,
    log_lines,
    log_page,
    newest_after,
    rollback_choices,
    running_now,
    search_deployments,
)
from deployments.selectors.places import (
    cluster_list,
    environment_list,
    get_cluster,
    get_environment,
    get_target,
    target_list,
    target_of,
    targets_for,
)

__all__ = [
    "BROUGHT_UP",
    "Board",
    "Cell",
    "Row",
    "board",
    "cluster_list",
    "deployment_details",
    "deployment_list",
    "deployment_rows",
    "environment_list",
    "get_cluster",
    "get_deployment",
    "get_environment",
    "get_target",
    "last_good",
    "latest_of_release",
    "log_lines",
    "log_page",
    "newest_after",
    "rollback_choices",
    "running_now",
    "search_deployments",
    "target_list",
    "target_of",
    "targets_for",
]
