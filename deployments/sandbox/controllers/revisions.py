"""Names for versions of a pod template."""

import json

from deployments.sandbox.objects import Object, fnv32a, safe_encode

HASH_LABEL = "pod-template-hash"


def template_hash(template: Object) -> str:
    """Equal templates have equal hashes. The text differs from a real cluster's, where it hangs on Go's printing."""
    data = json.dumps(template, sort_keys=True, separators=(",", ":")).encode()
    return safe_encode(str(fnv32a(data)))


def bare_template(template: Object, label: str = HASH_LABEL) -> Object:
    """A template without the hash label that a controller added."""
    labels = {key: value for key, value in (template["metadata"].get("labels") or {}).items() if key != label}
    return {**template, "metadata": {**template["metadata"], "labels": labels}}
