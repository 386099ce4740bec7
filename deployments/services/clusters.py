"""What operators do with clusters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from uuid import uuid4

import yaml
from django.db import transaction
from django.utils import timezone

from audit.services import record
from deployments.models import Cluster
from deployments.services.access import require_set_up
from deployments.services.waking import wake_under_way
from deployments.targets.base import Connection
from deployments.targets.kubernetes.wire.cluster import ClusterVersion, check_cluster
from deployments.targets.kubernetes.wire.connections import forget_client
from deployments.targets.kubernetes.wire.errors import ClusterError
from deployments.targets.kubernetes.wire.kubeconfig import InvalidKubeconfig, inspect_kubeconfig
from releasemgr.core.actors import Actor
from releasemgr.core.changes import assign, lock, validate, write
from releasemgr.core.errors import Invalid, WrongState

MAX_KUBECONFIG_BYTES = 256 * 1024
CREDENTIALS = ("kubeconfig", "credentials_version", "server", "version", "checked_at", "problem")


@dataclass(frozen=True, slots=True)
class TriedKubeconfig:
    """One that a cluster has answered to."""

    text: str = field(repr=False)
    server: str
    version: str


def try_kubeconfig(text: str) -> TriedKubeconfig:
    """Ask the cluster: not in a transaction. Raises Invalid when it is unusable or the cluster does not answer."""
    # A key of its own: a client made from other credentials would answer for these.
    probe = Connection(key=f"probe:{uuid4()}", kubeconfig=parse_kubeconfig(text))
    try:
        server = inspect_kubeconfig(probe.kubeconfig)
        found: ClusterVersion = check_cluster(probe)
    except (InvalidKubeconfig, ClusterError) as exc:
        raise _unusable(str(exc)) from None
    finally:
        forget_client(probe)
    return TriedKubeconfig(text, server, found.version)


def register_cluster(*, actor: Actor, name: str, kubeconfig: str | TriedKubeconfig) -> Cluster:
    """Raises Invalid when the kubeconfig is unusable or the cluster does not answer with it."""
    require_set_up(actor)
    cluster = Cluster(name=name, kubeconfig="pending", server="pending")
    validate(cluster)
    _take(cluster, _tried(kubeconfig))
    with transaction.atomic():
        write(cluster)
        record("cluster.registered", actor=actor, subject=cluster, data={"server": cluster.server})
    return cluster


def update_cluster(
    *, actor: Actor, cluster: Cluster, name: str | None = None, kubeconfig: str | TriedKubeconfig | None = None
) -> Cluster:
    """New credentials are tried before they replace the old ones. Neither is ever recorded."""
    require_set_up(actor)
    tried = None if kubeconfig is None else _tried(kubeconfig)
    with transaction.atomic():
        cluster = lock(Cluster.objects.all(), cluster)
        changes = assign(cluster, {} if name is None else {"name": name})
        if tried is not None:
            before = cluster.server
            _take(cluster, tried)
            # Two changes must not share a number: clients are cached by it.
            cluster.credentials_version += 1
            changes |= {"kubeconfig": ("(hidden)", "(changed)"), "server": (before, cluster.server)}
        write(cluster, ["name", *(CREDENTIALS if tried is not None else ())])
        if changes:
            record("cluster.updated", actor=actor, subject=cluster, changes=changes)
        if tried is not None:
            wake_under_way(cluster.pk)
    return cluster


@transaction.atomic
def delete_cluster(*, actor: Actor, cluster: Cluster) -> None:
    require_set_up(actor)
    if cluster.targets.exists():
        raise WrongState(f"Targets still go to {cluster}. Move or remove them first.", details={"status": "in_use"})
    record("cluster.deleted", actor=actor, subject=cluster)
    cluster.delete()


def connection_to(cluster: Cluster) -> Connection:
    return Connection(key=f"{cluster.pk}:{cluster.credentials_version}", kubeconfig=_parsed(cluster.kubeconfig))


@lru_cache(maxsize=32)
def _parsed(text: str) -> Mapping[str, object]:
    """Reading YAML takes 7 ms, and every tick of every deployment needs the same few kubeconfigs."""
    return MappingProxyType(parse_kubeconfig(text))


def parse_kubeconfig(text: str) -> dict[str, object]:
    """Raises Invalid. No message quotes the text: it holds credentials."""
    if len(text.encode()) > MAX_KUBECONFIG_BYTES:
        raise _unusable("The kubeconfig is larger than 256 kB: this is not one.")
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise _unusable("The kubeconfig uses YAML aliases: write the values out.")
        parsed = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise _unusable("The kubeconfig is not valid YAML.") from None
    if not isinstance(parsed, dict):
        raise _unusable("This is no kubeconfig: it must be a mapping with clusters, contexts and users.")
    return parsed


def _tried(kubeconfig: str | TriedKubeconfig) -> TriedKubeconfig:
    return kubeconfig if isinstance(kubeconfig, TriedKubeconfig) else try_kubeconfig(kubeconfig)


def _take(cluster: Cluster, tried: TriedKubeconfig) -> None:
    cluster.kubeconfig, cluster.server, cluster.version = tried.text, tried.server, tried.version
    cluster.checked_at, cluster.problem = timezone.now(), ""


def _unusable(sentence: str) -> Invalid:
    return Invalid(sentence, details={"kubeconfig": [sentence]})
