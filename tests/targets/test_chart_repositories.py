"""Where charts come from, and where they may not come from."""

import socket
from collections.abc import Iterator

import pytest

from deployments.targets.helm import download
from deployments.targets.helm.download import ALLOWED_HOSTS, Refused, Unavailable
from deployments.targets.helm.repositories import archive_of
from tests.targets import charts
from tests.targets.charts import digest, index, registry_pages, served

ARCHIVE = charts.packaged()
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="http://{}/token",service="registry",scope="repository:charts/web:pull"'}


@pytest.fixture
def _this_machine_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOWED_HOSTS, "127.0.0.1")


def chart(repository: str, **fields: str) -> dict[str, str]:
    return {"repository": repository, "name": "web", "version": "0.1.0", **fields}


@pytest.fixture
def repository(_this_machine_is_listed: None) -> Iterator[str]:
    pages = {"/stable/index.yaml": index(ARCHIVE), "/stable/charts/web-0.1.0.tgz": ARCHIVE}
    with served(pages) as place:
        yield f"http://{place}/stable"


@pytest.fixture
def registry(_this_machine_is_listed: None) -> Iterator[str]:
    with served(registry_pages(ARCHIVE)) as place:
        yield f"oci://{place}/charts"


def test_a_chart_comes_from_an_http_repository(repository: str) -> None:
    assert archive_of(chart(repository)) == ARCHIVE
    assert archive_of(chart(repository + "/", digest=digest(ARCHIVE))) == ARCHIVE


def test_a_chart_comes_from_a_registry(registry: str) -> None:
    assert archive_of(chart(registry)) == ARCHIVE


@pytest.mark.usefixtures("_this_machine_is_listed")
def test_a_registry_that_wants_a_token_gives_everybody_one() -> None:
    pages = registry_pages(ARCHIVE)
    answers: dict[str, tuple[int, dict[str, str]]] = {}
    with served(pages, answers) as place:
        asked = {name: text.format(place) for name, text in CHALLENGE.items()}
        answers.update({path: (401, asked) for path in pages if path.startswith("/v2/")})
        assert archive_of(chart(f"oci://{place}/charts")) == ARCHIVE


@pytest.mark.usefixtures("_this_machine_is_listed")
def test_a_chart_behind_an_account_is_told() -> None:
    answers = {path: (401, {}) for path in registry_pages(ARCHIVE)}
    with served({}, answers) as place, pytest.raises(Refused, match="asks for an account"):
        archive_of(chart(f"oci://{place}/charts"))


def test_what_is_not_there_is_told_with_what_is(repository: str, registry: str) -> None:
    with pytest.raises(Refused, match=r"no version 9.9.9 of web. Versions there: 0.1.0"):
        archive_of(chart(repository, version="9.9.9"))
    with pytest.raises(Refused, match="no chart named shop"):
        archive_of(chart(repository, name="shop"))
    with pytest.raises(Refused, match="does not exist"):
        archive_of(chart(registry, version="9.9.9"))


def test_a_chart_that_was_replaced_is_refused(repository: str) -> None:
    with pytest.raises(Refused, match="somebody replaced it"):
        archive_of(chart(repository, digest="sha256:" + "0" * 64))


@pytest.mark.usefixtures("_this_machine_is_listed")
def test_a_chart_that_is_not_the_one_of_the_index_is_refused() -> None:
    pages = {"/index.yaml": index(ARCHIVE, said="0" * 64), "/charts/web-0.1.0.tgz": ARCHIVE}
    with served(pages) as place, pytest.raises(Refused, match="digests differ"):
        archive_of(chart(f"http://{place}"))


@pytest.mark.usefixtures("_this_machine_is_listed")
def test_an_answer_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    with served({"/index.yaml": b"#" * 3_000_000}) as place, pytest.raises(Refused, match="larger than 1024 kB"):
        download.download(f"http://{place}/index.yaml", most_bytes=1024 * 1024)


@pytest.mark.parametrize(
    "repository",
    [
        "https://127.0.0.1:1",
        "https://[::1]",
        "https://[::ffff:127.0.0.1]",
        "https://10.0.0.7",
        "https://169.254.169.254",
        "https://2130706433",
        "https://localhost",
        "https://kubernetes.default.svc",
        "https://user:password@example.com",
        "file:///etc",
        "oci://127.0.0.1:1/charts",
    ],
)
def test_nothing_inside_is_asked_unless_it_is_listed(repository: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ALLOWED_HOSTS, raising=False)
    monkeypatch.setattr(socket, "create_connection", _nobody_connects)
    with pytest.raises(Refused) as caught:
        archive_of(chart(repository))
    assert "password" not in str(caught.value)


def test_a_name_that_means_an_inside_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ALLOWED_HOSTS, raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("10.1.2.3", 443))])
    with pytest.raises(Refused, match=ALLOWED_HOSTS):
        archive_of(chart("https://charts.example.com"))


@pytest.mark.usefixtures("_this_machine_is_listed")
def test_a_redirect_to_the_inside_is_refused() -> None:
    pages = {"/index.yaml": b""}
    answers = {"/index.yaml": (302, {"Location": "http://169.254.169.254/latest/meta-data"})}
    with served(pages, answers) as place, pytest.raises(Refused, match=r"169\.254\.169\.254"):
        archive_of(chart(f"http://{place}"))


def test_a_repository_that_is_away_is_asked_again(_this_machine_is_listed: None) -> None:
    with pytest.raises(Unavailable, match="did not answer"):
        archive_of(chart("http://127.0.0.1:1"))


def test_plain_http_is_for_listed_hosts_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ALLOWED_HOSTS, raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("93.184.215.14", 80))])
    with pytest.raises(Refused, match="plain HTTP"):
        archive_of(chart("http://charts.example.com"))


def _nobody_connects(*_: object, **__: object) -> None:
    raise AssertionError("connected")
