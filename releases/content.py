"""The content of a release: read, judged and digested. Pure: no database, no network."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from releasemgr.core.errors import Invalid
from releasemgr.core.values import MAX_DEPTH, is_plain
from releases.charts import clean_chart, clean_values
from releases.manifests import container_names, parse_manifests

FIELDS = frozenset({"images", "manifests", "chart", "values", "migrations"})
MAX_IMAGES = 50
# <registry[:port]/>repository[:tag][@algorithm:hex], as the OCI distribution specification writes it.
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
IMAGE_REFERENCE = re.compile(
    rf"^(?P<name>(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{{1,5}})?/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?\Z"
)
UNSTORABLE = (
    f"The artifacts hold a value that cannot be stored: use text keys and plain values, at most {MAX_DEPTH} levels "
    "deep, without NUL characters or broken Unicode."
)
CONTAINER_NAME = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")


def clean_artifacts(raw: Any) -> dict[str, Any]:
    """The artifacts in their one stored form. Raises Invalid with every problem found, by field."""
    if not isinstance(raw, dict):
        raise Invalid(
            "Artifacts must be an object.", details={"artifacts": ["Send an object with images or manifests."]}
        )
    if not is_plain(raw):
        raise Invalid(UNSTORABLE, details={"artifacts": [UNSTORABLE]})
    problems: list[str] = []
    unknown = sorted(set(raw) - FIELDS)
    if unknown:
        problems.append(f"Unknown fields: {', '.join(unknown)[:200]}. Known: {', '.join(sorted(FIELDS))}.")
    images = _clean_images(raw.get("images"), problems)
    manifests = _clean_manifests(raw.get("manifests"), images, problems)
    chart = clean_chart(raw.get("chart"), problems)
    values = clean_values(raw.get("values"), problems)
    if raw.get("migrations") is not None and not isinstance(raw["migrations"], dict):
        problems.append("migrations must be an object.")
    if not problems and not images and not manifests and not chart:
        problems.append("A release needs something to send out: images, manifests or a chart.")
    if problems:
        raise Invalid(problems[0], details={"artifacts": problems})
    return {
        "images": images,
        "manifests": manifests,
        "chart": chart,
        "values": values,
        "migrations": raw.get("migrations"),
    }


def _clean_images(raw: Any, problems: list[str]) -> dict[str, str]:
    if raw is None:
        return {}
    if not isinstance(raw, Mapping) or len(raw) > MAX_IMAGES:
        problems.append(f"images must be an object of container name to image reference, at most {MAX_IMAGES}.")
        return {}
    for container, reference in raw.items():
        if not isinstance(container, str) or not CONTAINER_NAME.match(container):
            problems.append(f"“{str(container)[:80]}” is not a container name (lower-case letters, digits, dashes).")
        elif not isinstance(reference, str) or not IMAGE_REFERENCE.match(reference):
            problems.append(
                f"The image of container {container} is not a valid reference: “{str(reference)[:200]}”. "
                "Write registry/repository:tag or registry/repository@sha256:<64 hex digits>."
            )
    return dict(sorted(raw.items())) if not problems else {}


def _clean_manifests(raw: Any, images: Mapping[str, str], problems: list[str]) -> str | None:
    if raw is None or raw == "":
        return None
    if not isinstance(raw, str):
        problems.append("manifests must be YAML text, or null.")
        return None
    try:
        objects = parse_manifests(raw)
    except Invalid as exc:
        problems.extend(exc.details["manifests"])
        return None
    known = container_names(objects)
    unused = sorted(set(images) - known)
    if unused:
        problems.append(
            f"No container in the manifests is called {', '.join(unused)}. "
            f"Containers there: {', '.join(sorted(known)) or 'none'}."
        )
    return raw


def mutable_images(artifacts: Mapping[str, Any]) -> list[str]:
    """Containers whose image is named by a tag, which the registry may move after the approval."""
    return sorted(name for name, reference in (artifacts.get("images") or {}).items() if "@sha256:" not in reference)


def content_digest(*, application: str, version: str, commit: str, artifacts: Mapping[str, Any]) -> str:
    """What approvals are bound to: "sha256:" and the hex digest of the content in canonical JSON."""
    content = {"application": application, "version": version, "commit": commit, "artifacts": artifacts}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
