"""Clients: one for each cluster and process, patient but not for ever, and silent about credentials."""

import base64
import copy
import datetime as dt
import os
import ssl
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deployments.targets.base import Connection
from deployments.targets.kubernetes.wire import connections
from deployments.targets.kubernetes.wire.cluster import Cluster, ClusterVersion, check_cluster
from deployments.targets.kubernetes.wire.connections import forget_client, get_client
from deployments.targets.kubernetes.wire.errors import NotFound, Unauthenticated, Unavailable, UnknownKind
from deployments.targets.kubernetes.wire.kubeconfig import InvalidKubeconfig
from tests.targets.conftest import Place
from tests.targets.scripted import Asked, serving
from tests.targets.works import connection


def nothing(asked: Asked) -> tuple[int, Any]:
    return 404, {"kind": "Status", "code": 404, "message": f"{asked.path} not found"}


def test_a_client_is_made_once_for_each_key() -> None:
    with serving(nothing) as server:
        one, same = connection(server.url, key="k1"), connection(server.url, key="k1")
        assert get_client(one) is get_client(same)
        assert get_client(connection(server.url, "other", key="k2")) is not get_client(one)
        forgotten = get_client(one)
        forget_client(one)
        assert get_client(one) is not forgotten


def test_only_so_many_clients_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_CLIENTS", 2)
    with serving(nothing) as server:
        first = get_client(connection(server.url, key="first"))
        for number in range(2):
            get_client(connection(server.url, key=f"more-{number}"))
        assert get_client(connection(server.url, key="first")) is not first


def test_a_forked_child_makes_a_client_of_its_own() -> None:
    with serving(nothing) as server:
        here = connection(server.url, key="forked")
        inherited = get_client(here)
        connections._clients.lock.acquire()
        try:
            pid = os.fork()
            if pid == 0:
                # The lock was held at the fork: a child that keeps it would hang here.
                good = get_client(here) is not inherited and check_cluster(here).version == "v1.36"
                os._exit(0 if good else 1)
        finally:
            connections._clients.lock.release()
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert get_client(here) is inherited


def test_discovery_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with serving(nothing) as server:
        Cluster(connection(server.url, key="no-file")).resource("apps/v1", "Deployment")
    assert list(tmp_path.iterdir()) == []


def test_a_kind_costs_one_request_for_its_group_only() -> None:
    with serving(nothing) as server:
        cluster = Cluster(connection(server.url, key="cheap"))
        cluster.resource("v1", "Pod")
        cluster.resource("v1", "Secret")
        cluster.resource("apps/v1", "Deployment")
        assert server.asked == []
        with pytest.raises(UnknownKind):
            cluster.resource("space.example/v1", "Rocket")


def test_many_threads_may_look_up_kinds_while_one_asks_for_unknown_ones() -> None:
    def look_up(number: int) -> str:
        if number % 4 == 0:
            with pytest.raises(UnknownKind):
                cluster.resource("space.example/v1", "Rocket")
            return "deployments"
        return str(cluster.resource("apps/v1", "Deployment").name)

    with serving(nothing) as server, ThreadPoolExecutor(8) as pool:
        cluster = Cluster(connection(server.url, key="threads"))
        assert set(pool.map(look_up, range(40))) == {"deployments"}


def test_the_version_of_a_cluster_is_told() -> None:
    with serving(nothing) as server:
        assert check_cluster(connection(server.url)) == ClusterVersion(server.url, "v1.36")


def test_a_server_that_hangs_is_given_up_after_the_time_out_and_not_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "READ_TIMEOUT_SECONDS", 0.2)

    def hang(asked: Asked) -> None:
        time.sleep(1.0)

    with serving(hang) as server:
        cluster = Cluster(connection(server.url, key="hangs"))
        began = time.monotonic()
        with pytest.raises(Unavailable, match="did not answer in time"):
            cluster.get("apps/v1", "Deployment", "shop", "web")
        assert time.monotonic() - began < 0.8
        assert len(server.asked) == 1


def test_a_throttled_read_is_not_silently_repeated() -> None:
    with serving(lambda asked: (429, {"kind": "Status", "message": "slow down"})) as server:
        cluster = Cluster(connection(server.url, key="throttled"))
        with pytest.raises(Unavailable, match="slow down"):
            cluster.get("apps/v1", "Deployment", "shop", "web")
        assert len(server.asked) == 1


def test_a_redirect_is_not_followed_with_our_credentials() -> None:
    with serving(nothing) as elsewhere, serving(lambda asked: (302, {"location": elsewhere.url})) as server:
        cluster = Cluster(connection(server.url, key="redirects"))
        with pytest.raises(Unavailable, match="not the Kubernetes API answered 302"):
            cluster.get("apps/v1", "Deployment", "shop", "web")
        assert elsewhere.asked == []


@pytest.mark.parametrize("body", [b"<html>welcome</html>", b"[]", b"null", b""])
def test_something_else_than_kubernetes_is_recognised(body: bytes) -> None:
    with serving(lambda asked: (200, body)) as server:
        cluster = Cluster(connection(server.url, key=f"html {body!r}"))
        with pytest.raises(Unavailable, match="does not speak the Kubernetes API"):
            cluster.get("apps/v1", "Deployment", "shop", "web")


def test_a_web_server_is_no_cluster() -> None:
    with serving(nothing) as server:
        wrong = connection(f"{server.url}/some/page", key="web server")
        with pytest.raises(NotFound, match="reach the cluster"):
            check_cluster(wrong)


def test_refused_credentials_are_forgotten(place: Place) -> None:
    wrong = connection(place.server.url, "no-such-token", key="refused")
    with pytest.raises(Unauthenticated):
        check_cluster(wrong)
    assert (os.getpid(), "refused") not in connections._clients.by_key


def test_names_cannot_leave_their_path() -> None:
    with serving(nothing) as server:
        assert Cluster(connection(server.url, key="path")).get("v1", "Pod", "shop", "../../secrets/x") is None
        assert server.asked[0].path == "/api/v1/namespaces/shop/pods/..%2F..%2Fsecrets%2Fx"


def test_long_lists_are_read_page_by_page() -> None:
    def script(asked: Asked) -> tuple[int, Any]:
        second = asked.query.get("continue") == "more"
        name, token = ("b", "") if second else ("a", "more")
        return 200, {"kind": "PodList", "metadata": {"continue": token}, "items": [{"metadata": {"name": name}}]}

    with serving(script) as server:
        pods = Cluster(connection(server.url, key="pages")).list("v1", "Pod", "shop", labels="app=web")
        assert [pod["metadata"]["name"] for pod in pods] == ["a", "b"]
        assert {asked.query["labelSelector"] for asked in server.asked} == {"app=web"}


class Authority:
    """A certificate authority for one test."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self.certificate = self._sign("test authority", self.key, is_authority=True)

    def issue(self, name: str) -> tuple[bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        return _pem(self._sign(name, key)), _key_pem(key)

    def _sign(self, name: str, key: ec.EllipticCurvePrivateKey, *, is_authority: bool = False) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(self.key, hashes.SHA256())
        )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def secure_server(authority: Authority, tmp_path: Path) -> Iterator[str]:
    """Speaks TLS and wants a client certificate of the authority."""
    certificate, key = authority.issue("localhost")
    (tmp_path / "server.pem").write_bytes(certificate + key)
    (tmp_path / "ca.pem").write_bytes(_pem(authority.certificate))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tmp_path / "ca.pem"))
    context.load_cert_chain(tmp_path / "server.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    with serving(nothing, context=context) as server:
        yield server.url.replace("http://127.0.0.1", "https://localhost")


def secured(url: str, key: str, *, trusted: bytes, certificate: bytes, private: bytes) -> Connection:
    made = copy.deepcopy(connection(url, key=key))
    encoded = {name: base64.b64encode(data).decode() for name, data in (("cert", certificate), ("key", private))}
    ca = base64.b64encode(trusted).decode()
    made.kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"] = ca
    user = {"client-certificate-data": encoded["cert"], "client-key-data": encoded["key"]}
    made.kubeconfig["users"][0]["user"] = user
    return made


def test_client_certificates_work_and_leave_no_file(
    authority: Authority, secure_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    certificate, key = authority.issue("deployer")
    trusted = _pem(authority.certificate)
    here = secured(secure_server, "mtls", trusted=trusted, certificate=certificate, private=key)
    assert check_cluster(here).version == "v1.36"
    assert list(scratch.iterdir()) == []


def test_a_server_of_another_authority_is_not_trusted(authority: Authority, secure_server: str) -> None:
    certificate, key = authority.issue("deployer")
    trusted = _pem(Authority().certificate)
    here = secured(secure_server, "foreign", trusted=trusted, certificate=certificate, private=key)
    with pytest.raises(Unavailable, match=r"no safe connection|no certificate"):
        check_cluster(here)


def test_a_key_that_does_not_fit_its_certificate_is_refused(authority: Authority, secure_server: str) -> None:
    certificate, _ = authority.issue("deployer")
    _, other = authority.issue("deployer")
    trusted = _pem(authority.certificate)
    here = secured(secure_server, "misfit", trusted=trusted, certificate=certificate, private=other)
    with pytest.raises(InvalidKubeconfig, match="do not fit together"):
        check_cluster(here)
