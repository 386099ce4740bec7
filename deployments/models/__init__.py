"""Where, when and how: clusters, environments, targets, deployments."""

from deployments.models.deployment import Deployment, DeploymentApproval, LogLine, Step
from deployments.models.places import Cluster, Environment, Target

__all__ = ["Cluster", "Deployment", "DeploymentApproval", "Environment", "LogLine", "Step", "Target"]
