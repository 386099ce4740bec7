"""What the observer has seen of the workloads that deployments roll out."""

from django.db import models

from deployments.models.deployment import Deployment
from deployments.models.places import Cluster
from deployments.statuses import WorkloadPhase


class Workload(models.Model):
    """One workload of a deployment in progress, as the cluster last reported it. Written by the observer only."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="workloads")
    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="+")
    namespace = models.CharField(max_length=63)
    kind = models.CharField(max_length=63)
    name = models.CharField(max_length=253)
    phase = models.CharField(max_length=10, choices=WorkloadPhase, default=WorkloadPhase.WAITING)
    wanted = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    ready = models.PositiveIntegerField(default=0)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["deployment", "id"]
        constraints = [
            models.UniqueConstraint(fields=["deployment", "namespace", "kind", "name"], name="workload_of_deployment")
        ]
        indexes = [models.Index(fields=["cluster"], name="workload_of_cluster")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def done(self) -> int:
        """Pods of the new revision, no more than wanted: while it surges there may be more."""
        return min(self.updated, self.wanted)
