"""Where, when and how: clusters, environments, targets, deployments, and what is asked about their health."""

from deployments.models.deployment import Deployment, DeploymentApproval, LogLine, Step
from deployments.models.health import Bake, Check, Measurement
from deployments.models.places import Cluster, Environment, Target
from deployments.models.train import Train
from deployments.models.workload import Workload

__all__ = [
    "Bake",
    "Check",
    "Cluster",
    "Deployment",
    "DeploymentApproval",
    "Environment",
    "LogLine",
    "Measurement",
    "Step",
    "Target",
    "Train",
    "Workload",
]
