"""What the server refuses in a CustomResourceDefinition."""

from collections.abc import Iterator

from deployments.sandbox.objects import Object, name_of
from deployments.sandbox.validation_causes import Cause, invalid_value, unsupported


def definition_causes(obj: Object) -> Iterator[Cause]:
    spec, name = obj["spec"], name_of(obj)
    if name != f"{spec['names'].get('plural')}.{spec.get('group')}":
        yield invalid_value("metadata.name", name, 'must be spec.names.plural+"."+spec.group')
    if spec.get("scope") not in ("Cluster", "Namespaced"):
        yield unsupported("spec.scope", spec.get("scope"), ("Cluster", "Namespaced"))
    if sum(version.get("storage") is True for version in spec.get("versions") or ()) != 1:
        yield invalid_value("spec.versions", spec.get("versions"), "must have exactly one version marked as storage")
