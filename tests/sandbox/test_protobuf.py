"""The binary form in which Go clients write Secrets and ConfigMaps."""

import pytest

from deployments.sandbox.protobuf import UnknownMessage, decode


def field(number: int, data: bytes) -> bytes:
    assert len(data) < 128
    return bytes([number << 3 | 2, len(data)]) + data


def entry(name: str, value: bytes) -> bytes:
    return field(1, name.encode()) + field(2, value)


def envelope(kind: str, raw: bytes) -> bytes:
    return b"k8s\x00" + field(1, field(1, b"v1") + field(2, kind.encode())) + field(2, raw)


def test_a_secret_reads_as_its_json_would() -> None:
    meta = field(1, b"web") + field(2, b"") + field(11, entry("owner", b"helm")) + bytes([7 << 3, 3])
    raw = (
        field(1, meta) + field(2, entry("release", b"\x00\x01")) + field(3, b"helm.sh/release.v1") + bytes([5 << 3, 1])
    )
    assert decode(envelope("Secret", raw)) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "web", "labels": {"owner": "helm"}},
        "data": {"release": "AAE="},
        "type": "helm.sh/release.v1",
        "immutable": True,
    }


def test_delete_options_are_read() -> None:
    raw = bytes([1 << 3, 0]) + field(2, field(1, b"u-1")) + field(5, b"All")
    found = decode(envelope("DeleteOptions", raw))
    assert found == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": "u-1"},
        "dryRun": ["All"],
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"k8s\x00\xff",
        envelope("Pod", b""),
        envelope("Secret", b"\x0a\x7f"),
        b"k8s\x00" + bytes([1 << 3, 1]),
    ],
)
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(UnknownMessage):
        decode(body)
