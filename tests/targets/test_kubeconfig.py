import base64
import copy
from typing import Any

import pytest

from deployments.targets.kubernetes.wire.kubeconfig import InvalidKubeconfig, inspect_kubeconfig, read_kubeconfig
from tests.targets.works import connection


def kubeconfig(cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None) -> dict[str, Any]:
    made = copy.deepcopy(dict(connection("https://cluster.example:6443").kubeconfig))
    made["clusters"][0]["cluster"] |= cluster or {}
    made["users"][0]["user"] |= user or {}
    return made


def refusal(config: Any) -> str:
    with pytest.raises(InvalidKubeconfig) as caught:
        read_kubeconfig(config)
    return str(caught.value)


def test_the_current_context_names_the_server() -> None:
    config = kubeconfig()
    config["clusters"].append({"name": "other", "cluster": {"server": "https://other.example"}})
    config["contexts"].append({"name": "there", "context": {"cluster": "other", "user": "u"}})
    assert inspect_kubeconfig(config) == "https://cluster.example:6443"
    config["current-context"] = "there"
    assert inspect_kubeconfig(config) == "https://other.example"


@pytest.mark.parametrize("plugin", [{"exec": {"command": "aws"}}, {"auth-provider": {"name": "gcp"}}])
def test_programs_are_never_run(plugin: dict[str, Any]) -> None:
    assert "runs a program to log in" in refusal(kubeconfig(user=plugin))


@pytest.mark.parametrize(
    ("cluster", "user"),
    [
        ({"certificate-authority": "/etc/passwd"}, {}),
        ({}, {"client-certificate": "/etc/ssl/cert.pem"}),
        ({}, {"client-key": "/root/.ssh/id"}),
        ({}, {"tokenFile": "/var/run/secrets/token"}),
    ],
)
def test_files_of_the_server_are_never_read(cluster: dict[str, Any], user: dict[str, Any]) -> None:
    assert "points to a file" in refusal(kubeconfig(cluster, user))


def test_fields_that_are_not_known_are_refused() -> None:
    assert "“as”" in refusal(kubeconfig(user={"as": "system:admin"}))
    message = refusal(kubeconfig(user={"username": "a", "password": "hunter2"}))
    assert "“password”" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "server", ["", "cluster.example", "file:///etc/passwd", "https://", "https://u:p@cluster.example", "https://x/?a=b"]
)
def test_a_server_that_is_no_plain_url_is_refused(server: str) -> None:
    message = refusal(kubeconfig({"server": server}))
    assert "server" in message
    assert "u:p" not in message


def test_broken_credentials_are_refused_without_quoting_them() -> None:
    assert "not base64" in refusal(kubeconfig(user={"client-key-data": "%%canary%%"}))
    assert "canary" not in refusal(kubeconfig(user={"client-key-data": "%%canary%%"}))
    pem = base64.b64encode(b"no certificate").decode()
    assert "no readable PEM" in refusal(kubeconfig({"certificate-authority-data": pem}))
    assert "belong together" in refusal(kubeconfig(user={"client-certificate-data": pem}))
    assert "canary" not in refusal(kubeconfig(user={"token": "canary\r\nX-Evil: 1"}))


@pytest.mark.parametrize(
    "config", [None, [], "text", {}, {"current-context": "x"}, {"current-context": "x", "contexts": [1]}]
)
def test_what_is_no_kubeconfig_is_refused(config: Any) -> None:
    assert refusal(config).endswith((".", "`."))


def test_credentials_do_not_show_in_their_representation() -> None:
    assert "canary-token" not in repr(read_kubeconfig(kubeconfig(user={"token": "canary-token"})))
    assert "canary-token" not in repr(connection(token="canary-token", key="k"))
