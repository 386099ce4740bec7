"""ResourceQuota by count: `pods`, `services` and the like, and `count/<resource>[.<group>]`."""

from deployments.sandbox import kinds
from deployments.sandbox.errors import forbidden
from deployments.sandbox.kinds import Kind
from deployments.sandbox.objects import Object, name_of, namespace_of
from deployments.sandbox.store import Store

COUNTED: dict[str, Kind] = {
    **{f"count/{kind.qualified}": kind for kind in kinds.KINDS if kind.namespaced},
    **{
        kind.plural: kind
        for kind in (
            kinds.POD,
            kinds.SERVICE,
            kinds.CONFIG_MAP,
            kinds.SECRET,
            kinds.RESOURCE_QUOTA,
            kinds.VOLUME_CLAIM,
        )
    },
}


def count(store: Store, kind: Kind, namespace: str) -> int:
    finished = ("Succeeded", "Failed")
    found = store.listed(kind, namespace)
    return sum(1 for obj in found if kind is not kinds.POD or obj["status"].get("phase") not in finished)


def usage(store: Store, quota: Object) -> dict[str, str]:
    """What of a quota's hard limits is used; limits on anything but counts are left out."""
    hard = quota["spec"].get("hard") or {}
    return {name: str(count(store, COUNTED[name], namespace_of(quota))) for name in hard if name in COUNTED}


def check_quota(store: Store, kind: Kind, obj: Object) -> None:
    """Raise ApiError 403 when one more object of this kind exceeds a quota of its namespace."""
    if not kind.namespaced:
        return
    for quota in store.listed(kinds.RESOURCE_QUOTA, namespace_of(obj)):
        hard = quota["spec"].get("hard") or {}
        for name, limit in hard.items():
            if COUNTED.get(name) is kind:
                used = count(store, kind, namespace_of(obj))
                if used + 1 > int(limit):
                    why = (
                        f"exceeded quota: {name_of(quota)}, requested: {name}=1, used: {name}={used}, "
                        f"limited: {name}={limit}"
                    )
                    raise forbidden(kind, name_of(obj), why)
