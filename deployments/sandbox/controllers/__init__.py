"""The controllers: each brings one kind to the state that its spec asks for."""

from deployments.sandbox.controllers.daemonsets import DaemonSets
from deployments.sandbox.controllers.definitions import Definitions
from deployments.sandbox.controllers.deployments import Deployments
from deployments.sandbox.controllers.garbage import Garbage, Namespaces
from deployments.sandbox.controllers.jobs import Jobs
from deployments.sandbox.controllers.quotas import Quotas, VolumeClaims
from deployments.sandbox.controllers.replicasets import ReplicaSets
from deployments.sandbox.controllers.runtime import Controller, Runtime
from deployments.sandbox.controllers.statefulsets import StatefulSets
from deployments.sandbox.kubelet import Kubelet
from deployments.sandbox.scheduler import Scheduler


def all_controllers(runtime: Runtime) -> list[Controller]:
    """In the order in which they are served: those below see the finished work of those above."""
    return [
        Definitions(runtime),
        Kubelet(runtime),
        Scheduler(runtime),
        Deployments(runtime),
        ReplicaSets(runtime),
        StatefulSets(runtime),
        DaemonSets(runtime),
        Jobs(runtime),
        Namespaces(runtime),
        Garbage(runtime),
        VolumeClaims(runtime),
        Quotas(runtime),
    ]
