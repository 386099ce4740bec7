"""How one object comes to the cluster by server-side apply: fenced, and what others own left alone.

The same for a dry run, so that a preflight tells what the apply will meet.
"""

from dataclasses import dataclass

from deployments.targets.base import Manifest, Work
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.applying import fence, scaling
from deployments.targets.kubernetes.rendering import guardrails
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wire.errors import Modified, OwnedByOthers, Refused
from deployments.targets.kubernetes.wording import listed


@dataclass(frozen=True, slots=True)
class Written:
    """The object before (None: there was none) and after; `notes` complete a line of the log."""

    before: Manifest | None
    after: Manifest
    notes: tuple[str, ...] = ()


class Writing:
    """The writes of one deployment. Asks once which autoscalers there are."""

    def __init__(self, cluster: Cluster, work: Work) -> None:
        self._cluster = cluster
        self._work = work
        self._accounts = guardrails.accounts_in_use(work.objects, work.guardrails)
        self._autoscalers = scaling.autoscalers_in(cluster, work.objects, work.namespace)

    def write(self, item: Manifest, *, dry_run: bool = False) -> Written:
        """Apply it on condition that nothing changed since it was read (then Modified). Raises a ClusterError.

        An object that does not exist yet has no version to hold it to; there is no way to say "only if absent" in an
        apply, so between reading and creating a few milliseconds stay unfenced.
        """
        api_version, kind = str(item["apiVersion"]), str(item["kind"])
        live = self._cluster.get(api_version, kind, self._work.namespace, objects.name_of(item))
        fence.refuse_if_newer(live, self._work)
        self._refuse_foreign_account(item, live)
        wanted, said = scaling.left_alone(self._placed(item), live, self._autoscalers)
        if live is None:
            wanted = self._sized(wanted)
        after, taken = self._apply(wanted, live, dry_run=dry_run)
        former = fence.taken_over_from(live, self._work)
        notes = (said, taken, f"taken over from {former}" if former else "")
        return Written(live, after, tuple(note for note in notes if note))

    def _apply(self, item: Manifest, live: Manifest | None, *, dry_run: bool) -> tuple[Manifest, str]:
        """Forced only over the managers that a person named, and then as fenced as ever."""
        version = str(objects.metadata(live).get("resourceVersion", "")) if live and not dry_run else ""
        try:
            return self._cluster.apply(item, dry_run=dry_run, resource_version=version), ""
        except OwnedByOthers as error:
            managers = dict.fromkeys(owned.manager for owned in error.fields)
            if not set(managers) <= set(self._work.take_over):
                raise
            if live is None:
                raise Modified(f"{objects.title(item)} has come into being meanwhile.") from None
            fields = listed(dict.fromkeys(owned.field for owned in error.fields))
            names = listed(f"“{name}”" for name in managers)
        after = self._cluster.apply(item, dry_run=dry_run, resource_version=version, force=True)
        return after, f"took {fields} over from {names}"

    def _placed(self, item: Manifest) -> Manifest:
        """Without the namespace where the kind belongs to the whole cluster."""
        meta = objects.metadata(item)
        if "namespace" not in meta or self._cluster.resource(str(item["apiVersion"]), str(item["kind"])).namespaced:
            return item
        return {**item, "metadata": {name: value for name, value in meta.items() if name != "namespace"}}

    def _sized(self, item: Manifest) -> Manifest:
        """A new workload of an autoscaler, with as many replicas as it should begin with."""
        scaler = scaling.scaler_of(item, self._autoscalers) if item["kind"] in objects.SCALED_KINDS else None
        size = scaling.first_size(self._cluster, item, scaler, self._work.namespace) if scaler else 1
        return {**item, "spec": {**item["spec"], "replicas": size}} if size > 1 else item

    def _refuse_foreign_account(self, item: Manifest, live: Manifest | None) -> None:
        """An account that was there before may hold rights that nobody meant to give to this release."""
        if live is None or objects.group_kind(item) != guardrails.SERVICE_ACCOUNT:
            return
        if objects.name_of(item) in self._accounts and not fence.is_ours(live, self._work):
            raise Refused(
                f"{objects.title(item)} was there before and is not this target's, so its pods may not run as it. "
                "Give the release an account of another name, or ask an operator to list this one in the target's "
                "guardrails (service_accounts)."
            )
