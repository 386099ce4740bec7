"""What people do with deployments and places: one function for each intention."""

from deployments.services.clusters import delete_cluster, register_cluster, try_kubeconfig, update_cluster
from deployments.services.control import cancel_deployment, retry_deployment
from deployments.services.deployments import start_deployment
from deployments.services.environments import create_environment, delete_environment, update_environment
from deployments.services.progress import abort_deployment, pause_deployment, promote_deployment, resume_deployment
from deployments.services.reviews import approve_deployment, reject_deployment
from deployments.services.rollbacks import rollback_deployment
from deployments.services.targets import create_target, delete_target, update_target

__all__ = [
    "abort_deployment",
    "approve_deployment",
    "cancel_deployment",
    "create_environment",
    "create_target",
    "delete_cluster",
    "delete_environment",
    "delete_target",
    "pause_deployment",
    "promote_deployment",
    "register_cluster",
    "reject_deployment",
    "resume_deployment",
    "retry_deployment",
    "rollback_deployment",
    "start_deployment",
    "try_kubeconfig",
    "update_cluster",
    "update_environment",
    "update_target",
]
