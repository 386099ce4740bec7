"""Client exceptions become sentences, held against what a real API server answered."""

import json
from typing import Any

import pytest
import urllib3.exceptions
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import api_exception

from deployments.targets.base import Errored, Failed
from deployments.targets.kubernetes.wire import errors
from tests.targets import recordings

SERVER = "https://cluster.example:6443"


def exception(status: int, body: Any, headers: dict[str, str] | None = None) -> ApiException:
    made = ApiException(status=status, reason="Reason")
    made.body = body if isinstance(body, str) else json.dumps(body)
    made.headers = headers or {}
    return api_exception(made)  # type: ignore[no-any-return]


def translated(error: Exception, *, quote: bool = True) -> errors.ClusterError:
    def call() -> None:
        raise error

    with pytest.raises(errors.ClusterError) as caught:
        errors.ask("apply Deployment web", SERVER, call, quote=quote)
    return caught.value


def recorded(text: str) -> errors.ClusterError:
    for _, status, body in recordings.answers("errors"):
        if status >= 400 and text in str(body.get("message")):
            return translated(exception(status, dict(body)))
    raise AssertionError(text)


def test_a_conflict_names_the_other_manager_and_its_fields() -> None:
    error = recorded('conflicts with "someone-else"')
    assert isinstance(error, errors.OwnedByOthers)
    assert str(error) == (
        "Could not apply Deployment web: “someone-else” owns spec.replicas, "
        'spec.template.spec.containers[name="app"].image. '
        "Deploy again and choose to take them over from “someone-else”, or leave these fields out of the release."
    )
    assert isinstance(errors.as_result(error), Failed)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("field is immutable", errors.Refused),
        ("must be greater than or equal to 0", errors.Refused),
        ("field not declared in schema", errors.Refused),
        ('User "viewer" cannot patch', errors.Forbidden),
        ("exceeded quota", errors.Forbidden),
        ("Unauthorized", errors.Unauthenticated),
        ("Too large resource version", errors.Unavailable),
    ],
)
def test_recorded_errors_are_told_apart(text: str, kind: type[errors.ClusterError]) -> None:
    error = recorded(text)
    assert isinstance(error, kind)
    assert isinstance(errors.as_result(error), Failed if issubclass(kind, errors.Refused) else Errored)


def test_an_immutable_field_says_what_to_do() -> None:
    assert "give the object another name, or delete it first" in str(recorded("field is immutable"))


def test_a_missing_namespace_is_told_apart_from_a_missing_object() -> None:
    namespace, thing = recorded('namespaces "no-such-namespace" not found'), recorded('deployments.apps "missing"')
    assert isinstance(namespace, errors.NotFound)
    assert namespace.missing_namespace == "no-such-namespace"
    assert isinstance(thing, errors.NotFound)
    assert thing.missing_namespace == ""


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_breakages_are_retried_after_the_time_that_the_server_asks_for(status: int) -> None:
    result = errors.as_result(translated(exception(status, {}, {"Retry-After": "7"})))
    assert isinstance(result, Errored)
    assert result.retry_after_seconds == 7.0
    assert str(status) in result.message


def test_a_change_in_between_is_neither_verdict_nor_breakage_of_the_network() -> None:
    body = {"kind": "Status", "reason": "Conflict", "message": "the object has been modified"}
    assert isinstance(translated(exception(409, body)), errors.Modified)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (urllib3.exceptions.NewConnectionError(None, "refused"), "refuses connections"),  # type: ignore[arg-type]
        (urllib3.exceptions.ReadTimeoutError(None, "", ""), "did not answer in time"),  # type: ignore[arg-type]
        (urllib3.exceptions.ProtocolError("cut"), "closed the connection"),
        (urllib3.exceptions.NameResolutionError("h", None, OSError()), "does not resolve"),  # type: ignore[arg-type]
        (ConnectionResetError(), "closed the connection"),
        (ValueError("no JSON"), "does not speak the Kubernetes API"),
        (AssertionError("an empty answer"), "does not speak the Kubernetes API"),
    ],
)
def test_transport_problems_are_sentences(error: Exception, words: str) -> None:
    result = errors.as_result(translated(error))
    assert isinstance(result, Errored)
    assert words in result.message
    assert SERVER in result.message


def test_nothing_of_the_clients_exception_travels_on() -> None:
    error = translated(exception(403, {"kind": "Status", "message": "no"}, {"Set-Cookie": "canary-cookie"}))
    assert error.__context__ is None
    assert error.__cause__ is None
    assert "canary" not in str(error)


def test_the_cluster_may_not_quote_a_secret_back() -> None:
    body = {
        "kind": "Status",
        "reason": "Invalid",
        "message": 'Secret "web" is invalid: data: Invalid value: "canary-7f3a"',
        "details": {"causes": [{"field": "data[PASSWORD]", "message": 'Invalid value: "canary-7f3a"'}]},
    }
    error = translated(exception(422, body), quote=False)
    assert "canary" not in str(error)
    assert "data[PASSWORD]" in str(error)


def test_words_from_the_cluster_are_cleaned_and_bounded() -> None:
    evil = "\x1b]8;;javascript:alert(1)\x07click\x1b]8;;\x07 \x1b[31mred\x1b[0m\x00\u202e " + "x" * 5000
    message = str(translated(exception(422, {"kind": "Status", "message": evil})))
    assert "\x1b" not in message
    assert "\x00" not in message
    assert "\u202e" not in message
    assert "javascript" not in message
    assert "click red" in message
    assert len(message) < 700


def test_a_quota_that_nobody_has_counted_yet_is_waited_for() -> None:
    """An API server refuses so what comes right after the quota itself, as it does in one release."""
    told = 'configmaps "web" is forbidden: status unknown for quota: q, resources: count/configmaps'
    body = {"kind": "Status", "status": "Failure", "message": told, "reason": "Forbidden", "code": 403}
    assert type(translated(exception(403, body))) is errors.Unavailable
