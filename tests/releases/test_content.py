"""The content of a release: what is taken, what is refused and in which words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releasemgr.core.errors import DomainError, Invalid
from releases.content import clean_artifacts, content_digest, mutable_images
from releases.manifests import MAX_BYTES, parse_manifests
from tests.factories import DIGEST, MANIFESTS, artifacts

BOMB = "a: &a [x]\n" + "\n".join(f"{chr(98 + n)}: &{chr(98 + n)} [{f'*{chr(97 + n)},' * 9}]" for n in range(8))
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{x: {}}}"

REFUSED = {
    "malformed YAML": ("a: [", "not valid YAML"),
    "malformed YAML names the line": ("a: 1\nb: }", "line 2"),
    "plain text": ("hello", "not a Kubernetes object"),
    "no apiVersion": ("kind: Deployment", "needs apiVersion and kind"),
    "no name": ("apiVersion: v1\nkind: Service", "needs metadata.name"),
    "no kind's name": ("apiVersion: v1\nkind: ' Secret'\nmetadata: {name: x}", "not named as Kubernetes names kinds"),
    "no API version": ("apiVersion: ../v1\nkind: Secret\nmetadata: {name: x}", "not named as Kubernetes names kinds"),
    "list of what is no object": ("kind: SecretList\nitems: [{data: {a: Yg==}}]", "needs apiVersion and kind"),
    "alias bomb": (BOMB, r"aliases \(\*name\) are not allowed"),
    "deep nesting": ("[" * 5000, "nested deeper than 40 levels"),
    "deep block nesting": ("- " * 5000, "nested deeper than 40 levels"),
    "too large": ("#" * (MAX_BYTES + 1), "larger than 512 kB"),
    "key twice": ("a: 1\na: 2", "stands twice"),
    "key that is a list": ("? [a]\n: b", "a key must be plain text"),
    "object twice": (MANIFESTS + "\n---\n" + MANIFESTS, "Deployment web stands twice"),
    "workload without containers": (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {}",
        "has no containers",
    ),
    "a Python object": ("!!python/object/apply:os.system [id]", "could not determine a constructor"),
    "tag on the wrong text": ("x: !!bool maybe", "explicit tag"),
    "tag on nothing": ("x: !!int ''", "explicit tag"),
    "impossible date": ("x: !!timestamp soon", "explicit tag"),
    "infinity": (CONFIG.format(".inf"), "JSON cannot express"),
    "NUL by escape": (CONFIG.format(r'"\0"'), "JSON cannot express"),
    "half a surrogate pair": (CONFIG.format(r'"\uD800"'), "invalid Unicode character"),
    "namespace that is no text": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: [a]}",
        "namespace of ConfigMap c must be text",
    ),
    "only comments": ("# nothing here", "manifests are empty"),
}


def test_every_kind_that_kubernetes_could_know_is_taken_for_the_target_judges_them() -> None:
    manifests = (
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: x}\n---\n"
        "apiVersion: batch.example.com/v1alpha1\nkind: Job\nmetadata: {name: x}\nspec: {tasks: []}\n---\n"
        "apiVersion: v1\nkind: ConfigMapList\n"
        "items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}]"
    )
    assert [item["kind"] for item in parse_manifests(manifests)] == ["ClusterRole", "Job", "ConfigMap"]


@pytest.mark.parametrize(("manifests", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_manifests_that_cannot_go_out_are_refused_with_the_reason(manifests: str, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence) as caught:
        clean_artifacts({"manifests": manifests})

    assert all(isinstance(problem, str) and len(problem) < 600 for problem in caught.value.details["artifacts"])


ODD = {
    "no object": ("x", "must be an object"),
    "nothing": (None, "must be an object"),
    "empty": ({}, "needs something to send out"),
    "unknown field": ({"imges": {}}, "Unknown fields: imges"),
    "images as list": ({"images": ["web"]}, "images must be an object"),
    "container name": ({"images": {"App!": "web:1"}}, "is not a container name"),
    "image reference": ({"images": {"app": "web:1:2"}}, "not a valid reference"),
    "image reference of another type": ({"images": {"app": 7}}, "not a valid reference"),
    "wrong image digest": ({"images": {"app": "web@sha256:abc"}}, "not a valid reference"),
    "image that no container uses": ({"images": {"api": "web:1"}, "manifests": MANIFESTS}, "No container .* api"),
    "values as text": ({"images": {"app": "web"}, "values": "x"}, "values must be an object"),
    "not a number": ({"images": {"app": "web"}, "values": {"x": float("nan")}}, "cannot be stored"),
    "NUL": ({"images": {"app": "web"}, "values": {"x": "\x00"}}, "cannot be stored"),
    "broken Unicode": ({"images": {"app": "web"}, "values": {"\ud800": 1}}, "cannot be stored"),
    "key that is no text": ({"images": {"app": "web"}, "values": {1: 2}}, "cannot be stored"),
}


@pytest.mark.parametrize(("raw", "sentence"), ODD.values(), ids=ODD.keys())
def test_artifacts_that_cannot_go_out_are_refused_with_the_reason(raw: Any, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        clean_artifacts(raw)


def test_good_content_is_stored_in_one_form_whatever_the_order_of_its_keys() -> None:
    one = clean_artifacts({"images": {"b": "web:1", "a": f"web@{DIGEST}"}, "values": {"x": 1, "y": 2}})
    other = clean_artifacts({"values": {"y": 2, "x": 1}, "images": {"a": f"web@{DIGEST}", "b": "web:1"}})

    assert digest(one) == digest(other)
    assert mutable_images(one) == ["b"]


def test_every_part_of_the_content_changes_the_digest() -> None:
    content = clean_artifacts(artifacts())
    seen = {
        digest(content),
        digest(content, version="2"),
        digest(content, commit="abc"),
        digest(content, application="other"),
        digest(clean_artifacts(artifacts("1.0.1"))),
        digest(clean_artifacts(artifacts(values={"replicas": 2}))),
    }

    assert len(seen) == 6


def digest(content: dict[str, Any], **fields: str) -> str:
    return content_digest(**{"application": "checkout", "version": "1", "commit": "", **fields}, artifacts=content)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(["app", "api", "web"])
likely = st.fixed_dictionaries(
    {},
    optional={
        "images": json_values
        | st.dictionaries(names | st.text(max_size=4), st.sampled_from(["web:1", "a/b"]) | st.text()),
        "manifests": json_values | st.text() | st.sampled_from([MANIFESTS, CONFIG.format(1), ""]),
        "chart": json_values,
        "values": json_values,
        "migrations": json_values,
    },
)


@given(raw=json_values | likely)
def test_arbitrary_artifacts_are_stored_and_digested_or_refused_in_words(raw: Any) -> None:
    try:
        content = clean_artifacts(raw)
    except DomainError as refusal:
        assert refusal.message.encode()
    else:
        assert content == clean_artifacts(content)
        assert digest(content).startswith("sha256:")


# fmt: off
yaml_pieces = st.sampled_from([
    "a", ": ", "- ", "\n", "  ", "{", "}", "[", "]", "&x ", "*x", "!!bool ", "!!int ", "!!map ", "!!set ", "? ", "'",
    '"', "|\n", "<<: ", "---\n", "~", "0x", ".nan", "!!timestamp ", "!!binary ", "%YAML 1.1\n", "\\u", "kind", "#",
])
# fmt: on


@given(text=st.lists(yaml_pieces | st.text(max_size=3), max_size=30).map("".join))
def test_arbitrary_text_as_manifests_is_read_or_refused_in_words(text: str) -> None:
    try:
        clean_artifacts({"images": {"app": "web:1"}, "manifests": text})
    except DomainError as refusal:
        assert refusal.message.encode()
