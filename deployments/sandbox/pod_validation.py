"""What the server refuses in a pod's spec."""

import re
from collections.abc import Iterator

from deployments.sandbox.objects import Object
from deployments.sandbox.validation_causes import (
    DNS_LABEL_RULE,
    Cause,
    duplicate,
    invalid_value,
    required,
    unsupported,
)

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_VARIABLE = re.compile(r"[^=\x00]+")
_QUANTITY = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?")
_QUANTITY_RULE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


def pod_causes(pod: Object) -> Iterator[Cause]:
    yield from pod_spec_causes("spec", pod["spec"], ("Always", "OnFailure", "Never"))


def pod_spec_causes(field: str, spec: Object, restart_policies: tuple[str, ...]) -> Iterator[Cause]:
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()}
    containers = spec.get("containers") or ()
    if not containers:
        yield required(f"{field}.containers")
    seen: set[str] = set()
    for group in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(group) or ()):
            yield from _container_causes(f"{field}.{group}[{index}]", container, volumes, seen)
    if spec.get("restartPolicy") not in restart_policies:
        yield unsupported(f"{field}.restartPolicy", spec.get("restartPolicy"), restart_policies)


def _container_causes(field: str, container: Object, volumes: set[str], seen: set[str]) -> Iterator[Cause]:
    name = container.get("name") or ""
    if not name:
        yield required(f"{field}.name")
    elif len(name) > 63 or not _DNS_LABEL.fullmatch(name):
        yield invalid_value(f"{field}.name", name, DNS_LABEL_RULE)
    elif name in seen:
        yield duplicate(f"{field}.name", name)
    seen.add(name)
    image = container.get("image") or ""
    if not image:
        yield required(f"{field}.image")
    elif image != image.strip():
        yield invalid_value(f"{field}.image", image, "must not have leading or trailing whitespace")
    yield from _port_causes(field, container)
    for index, variable in enumerate(container.get("env") or ()):
        if not _VARIABLE.fullmatch(variable.get("name") or ""):
            yield required(f"{field}.env[{index}].name")
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        if mount.get("name") not in volumes:
            yield {
                "reason": "FieldValueNotFound",
                "message": f'Not found: "{mount.get("name")}"',
                "field": f"{field}.volumeMounts[{index}].name",
            }
    yield from _resource_causes(field, container.get("resources") or {})


def _port_causes(field: str, container: Object) -> Iterator[Cause]:
    for index, port in enumerate(container.get("ports") or ()):
        number = port.get("containerPort", 0)
        if not 0 < number < 65536:
            where = f"{field}.ports[{index}].containerPort"
            yield invalid_value(where, number, "must be between 1 and 65535, inclusive")


def _resource_causes(field: str, resources: Object) -> Iterator[Cause]:
    for group in ("limits", "requests"):
        for name, amount in (resources.get(group) or {}).items():
            if not _QUANTITY.fullmatch(str(amount)):
                yield invalid_value(f"{field}.resources.{group}[{name}]", amount, _QUANTITY_RULE)
