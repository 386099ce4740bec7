"""Helm charts in a release: where one comes from, or the packaged chart itself. Pure.

Shape: {"repository": "https://…" | "oci://…", "name", "version", "digest"?, "release_name"?}
    or {"archive": "<base64 of a .tgz>", "release_name"?}, to which its name, version and digest are added.

An archive is looked into before it is stored, with limits before every step: packed and unpacked size, number of files,
and only plain files and directories inside one directory.
"""

import base64
import binascii
import hashlib
import io
import json
import re
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

MOST_PACKED_BYTES = 1024 * 1024
MOST_BYTES = 10 * 1024 * 1024
MOST_FILES = 2000
MOST_METADATA_BYTES = 256 * 1024
MOST_VALUES_BYTES = 256 * 1024
FROM_REPOSITORY = frozenset({"repository", "name", "version", "digest", "release_name"})
PACKED = frozenset({"archive", "name", "version", "digest", "release_name"})
REPOSITORY = re.compile(r"^(?:https?|oci)://[A-Za-z0-9.\[\]:-]{1,260}(?:/[A-Za-z0-9._~%/-]{0,500})?\Z")
NAME = re.compile(r"^[a-zA-Z0-9](?:[a-zA-Z0-9._-]{0,126}[a-zA-Z0-9])?\Z")
VERSION = re.compile(r"^v?[0-9]+(?:\.[0-9]+){0,2}(?:[-+][0-9A-Za-z.+-]{1,100})?\Z")
RELEASE_NAME = re.compile(r"^[a-z0-9](?:[-a-z0-9]{0,51}[a-z0-9])?\Z")
DIGEST = re.compile(r"^sha256:[0-9a-f]{64}\Z")


class _Unusable(ValueError):
    """The text is a sentence for people."""


def clean_chart(raw: Any, problems: list[str]) -> dict[str, Any] | None:
    """The chart in its one stored form; what is wrong with it is added to `problems`."""
    if raw is None or raw == {}:
        return None
    if not isinstance(raw, Mapping):
        problems.append("chart must be an object.")
        return None
    is_packed = bool(raw.get("archive"))
    known = PACKED if is_packed else FROM_REPOSITORY
    unknown = sorted(set(map(str, raw)) - known)
    if unknown:
        problems.append(f"Unknown fields in chart: {', '.join(unknown)[:200]}. Known: {', '.join(sorted(known))}.")
        return None
    release_name = raw.get("release_name") or ""
    if release_name and (not isinstance(release_name, str) or not RELEASE_NAME.match(release_name)):
        problems.append("chart.release_name: lower-case letters, digits and dashes, at most 53.")
    found = _packed(raw, problems) if is_packed else _from_repository(raw, problems)
    return found | ({"release_name": release_name} if release_name else {})


def clean_values(raw: Any, problems: list[str]) -> dict[str, Any]:
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        problems.append("values must be an object.")
        return {}
    if len(json.dumps(raw)) > MOST_VALUES_BYTES:
        problems.append(f"values are larger than {MOST_VALUES_BYTES // 1024} kB.")
    return raw


def _from_repository(raw: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    asked = (
        ("repository", REPOSITORY, "the address of a chart repository: https://… or oci://…, without user or query"),
        ("name", NAME, "the chart's name in the repository"),
        ("version", VERSION, "one exact version, such as 1.4.2: a range could mean something else tomorrow"),
    )
    for field, pattern, meaning in asked:
        value = raw.get(field)
        if not isinstance(value, str) or not pattern.match(value):
            problems.append(f"chart.{field} must be {meaning}.")
    digest = raw.get("digest")
    if digest and (not isinstance(digest, str) or not DIGEST.match(digest)):
        problems.append("chart.digest must be sha256: and 64 hex digits, of the packaged chart.")
    kept = ("repository", "name", "version", *(["digest"] if digest else []))
    return {field: raw.get(field) for field in kept}


def _packed(raw: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    try:
        data = _decoded(raw["archive"])
        metadata = _metadata(_unpacked(data))
    except _Unusable as error:
        problems.append(f"chart.archive: {error}")
        return {}
    told = {**metadata, "digest": "sha256:" + hashlib.sha256(data).hexdigest()}
    for field, value in told.items():
        if raw.get(field) not in (None, "", value):
            problems.append(f"chart.{field} is not that of the archive, which is {value}. Leave it out.")
    return {"archive": base64.b64encode(data).decode(), **told}


def _decoded(archive: Any) -> bytes:
    if not isinstance(archive, str) or len(archive) > MOST_PACKED_BYTES * 4 // 3 + 8:
        raise _Unusable(f"send the .tgz as base64 text, at most {MOST_PACKED_BYTES // 1024} kB packed.")
    try:
        data = base64.b64decode("".join(archive.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _Unusable("this is no base64.") from None
    if len(data) > MOST_PACKED_BYTES:
        raise _Unusable(f"larger than {MOST_PACKED_BYTES // 1024} kB packed.")
    return data


def _unpacked(data: bytes) -> bytes:
    """The tar inside. Never more than the limit is unpacked, whatever a bomb promises."""
    unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        found = unzip.decompress(data, MOST_BYTES + 1)
    except zlib.error:
        raise _Unusable("this is no gzip file. Make it with `helm package`.") from None
    if len(found) > MOST_BYTES:
        raise _Unusable(f"unpacks to more than {MOST_BYTES // 1024 // 1024} MB.")
    if not unzip.eof:
        raise _Unusable("the gzip file is cut off.")
    return found


def _metadata(tar: bytes) -> dict[str, str]:
    try:
        with tarfile.open(fileobj=io.BytesIO(tar), mode="r:", errors="replace") as opened:
            members = _members(opened)
            top = {PurePosixPath(member.name).parts[0] for member in members}
            if len(top) != 1:
                raise _Unusable("a chart is one directory with a Chart.yaml in it.")
            wanted = f"{top.pop()}/Chart.yaml"
            found = next((each for each in members if each.name == wanted and each.isfile()), None)
            file = opened.extractfile(found) if found and found.size <= MOST_METADATA_BYTES else None
            text = file.read() if file else b""
    except (tarfile.TarError, EOFError, UnicodeError, ValueError, OSError) as error:
        raise error if isinstance(error, _Unusable) else _Unusable("this is no tar archive.") from None
    return _name_and_version(text)


def _members(opened: tarfile.TarFile) -> list[tarfile.TarInfo]:
    members: list[tarfile.TarInfo] = []
    for member in opened:
        path = PurePosixPath(member.name)
        if not (member.isfile() or member.isdir()):
            raise _Unusable(f"{str(path)[:100]} is a link or a device: only files and directories are taken.")
        if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in member.name:
            raise _Unusable(f"{member.name[:100]} leads out of the chart.")
        members.append(member)
        if len(members) > MOST_FILES:
            raise _Unusable(f"more than {MOST_FILES} files.")
    if not members:
        raise _Unusable("the archive is empty.")
    return members


def _name_and_version(text: bytes) -> dict[str, str]:
    try:
        # As plain texts: a version like 1.10 stays what was written. No alias can unfold: only two fields are read.
        found = yaml.load(text, Loader=yaml.CBaseLoader)  # noqa: S506 - makes texts only
    except (yaml.YAMLError, ValueError, RecursionError):
        raise _Unusable("its Chart.yaml is not valid YAML.") from None
    name, version = (found.get(field) if isinstance(found, Mapping) else None for field in ("name", "version"))
    if not isinstance(name, str) or not NAME.match(name) or not isinstance(version, str) or not VERSION.match(version):
        raise _Unusable("its Chart.yaml names no chart with a version.")
    return {"name": name, "version": version}
