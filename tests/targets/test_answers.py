"""Answers that prove nothing: dripping, endless, cut, and about something else."""

import time
from typing import Any

import pytest

from deployments.targets.kubernetes.wire import connections
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wire.errors import NotFound, Unavailable
from tests.targets.scripted import Asked, serving
from tests.targets.works import connection


def asking(script: Any, key: str) -> Any:
    with serving(script) as server:
        return Cluster(connection(server.url, key=key)).get("apps/v1", "Deployment", "shop", "web")


def test_a_server_that_drips_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "TOTAL_SECONDS", 0.3)

    def drip(asked: Asked) -> None:
        for _ in range(100):
            asked.send(b" ")
            time.sleep(0.02)

    began = time.monotonic()
    with pytest.raises(Unavailable, match="did not answer in time"):
        asking(drip, "drips")
    assert time.monotonic() - began < 1.5


def test_a_server_that_does_not_stop_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_BYTES", 100_000)

    with pytest.raises(Unavailable, match="does not stop talking"):
        asking(lambda asked: (200, b"x" * 1_000_000), "endless")


@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "Deployment", "metadata": {"name": "api", "namespace": "shop"}},
        {"kind": "Deployment", "metadata": {"name": "web", "namespace": "other"}},
        {"kind": "Status", "status": "Failure", "metadata": {}},
        {"kind": "Deployment", "metadata": None},
        {},
    ],
)
def test_an_answer_about_something_else_proves_nothing(answer: dict[str, Any]) -> None:
    with pytest.raises(Unavailable, match="answered with something else"):
        asking(lambda asked: (200, answer), f"else {answer}")


@pytest.mark.parametrize("answer", [{"kind": "Status"}, {"kind": "PodList", "items": ["x"]}, {"kind": "Pod"}])
def test_what_is_no_list_is_not_an_empty_one(answer: dict[str, Any]) -> None:
    with (
        serving(lambda asked: (200, answer)) as server,
        pytest.raises(Unavailable, match="answered with something else"),
    ):
        Cluster(connection(server.url, key=f"no list {answer}")).list("v1", "Pod", "shop")


@pytest.mark.parametrize("status", [302, 400, 403, 404, 405, 422])
def test_only_the_api_servers_own_refusal_is_a_verdict(status: int) -> None:
    page = {"location": "http://127.0.0.1:1/"} if status == 302 else b"<html>blocked by policy</html>"
    with pytest.raises(Unavailable, match=f"not the Kubernetes API answered {status}"):
        asking(lambda asked: (status, page), f"page {status}")


def test_its_plain_word_for_an_unknown_path_is_one() -> None:
    with serving(lambda asked: (404, b"404 page not found\n")) as server, pytest.raises(NotFound):
        Cluster(connection(server.url, key="plain 404")).read("look", "/apis/none.example/v1/things")
