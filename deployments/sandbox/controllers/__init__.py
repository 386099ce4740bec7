"""The controllers: each brings one kind to the state that its spec asks for."""

from deployments.sandbox.controllers.deployments import Deployments
from deployments.sandbox.controllers.garbage import Garbage, Namespaces
from deployments.sandbox.controllers.replicasets import ReplicaSets
from deployments.sandbox.controllers.runtime import Controller, Runtime
from deployments.sandbox.kubelet import Kubelet
from deployments.sandbox.scheduler import Scheduler


def all_controllers(runtime: Runtime) -> list[Controller]:
    """In the order in which they are served: those below see the finished work of those above."""
    return [
        Kubelet(runtime),
        Scheduler(runtime),
        Deployments(runtime),
        ReplicaSets(runtime),
        Namespaces(runtime),
        Garbage(runtime),
    ]
