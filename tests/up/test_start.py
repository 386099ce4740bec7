"""What stands in the way of a start is said in one sentence."""

import io
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from releasemgr.up import cluster, database, leftovers, ports
from releasemgr.up.configuration import Configuration, read_configuration
from releasemgr.up.console import Console
from releasemgr.up.errors import StartError
from releasemgr.up.progress import Progress

ROOT = Path(__file__).resolve().parents[2]


def configuration(**environment: str) -> Configuration:
    return read_configuration(Path("/checkout"), environment)


def test_without_any_variable_it_serves_loopback_on_8000_with_the_embedded_database() -> None:
    found = configuration()

    assert found.address == "http://127.0.0.1:8000/"
    assert (found.database_url, found.kubeconfig) == (None, None)


def test_a_wildcard_address_is_reached_through_loopback() -> None:
    assert configuration(BIND="0.0.0.0", PORT="9000").address == "http://127.0.0.1:9000/"
    assert configuration(BIND="::").address == "http://[::1]:8000/"


@pytest.mark.parametrize("port", ["eight", "0", "65536", "-1", "8000.5", "²"])
def test_a_port_that_is_none_is_named(port: str) -> None:
    with pytest.raises(StartError, match="is no port number"):
        configuration(PORT=port)


def test_production_is_sent_to_the_image_and_the_chart() -> None:
    with pytest.raises(StartError, match="container image or the Helm chart"):
        configuration(ENVIRONMENT="production")


def test_a_kubeconfig_that_is_not_there_is_named() -> None:
    with pytest.raises(StartError, match="KUBECONFIG=/nowhere"):
        configuration(KUBECONFIG="/nowhere")


def test_a_port_in_use_is_named_with_the_next_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other_program:
        port = other_program.getsockname()[1]

        with pytest.raises(StartError, match=rf"Port {port} on 127.0.0.1 is in use.*PORT={port + 1} make up"):
            ports.require_free("127.0.0.1", port)


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(StartError, match=r"BIND=192\.0\.2\.1 is no address of this machine"):
        ports.require_free("192.0.2.1", 8000)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://user:hidden-word@127.0.0.1/name", "is no PostgreSQL address"),
        ("postgresql://user:hidden-word@127.0.0.1:1/name", "refused"),
        ("postgresql://user:hidden-word@[::1/name", "cannot be used"),
        ("postgresql://user:hidden-word@127.0.0.1:port/name", "cannot be used"),
    ],
)
def test_a_broken_database_url_is_one_sentence_without_the_password(url: str, sentence: str) -> None:
    with pytest.raises(StartError, match=sentence) as caught:
        database.require_answer(url)

    assert "hidden-word" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_second_make_up_is_told_where_the_first_one_runs(tmp_path: Path) -> None:
    with leftovers.only_one(tmp_path):
        leftovers.write_run(tmp_path, leftovers.Run(pid=4711, address="http://127.0.0.1:8000/"))

        second = leftovers.only_one(tmp_path)
        with pytest.raises(StartError, match=r"already running at http://127.0.0.1:8000/ \(process 4711\)"), second:
            pass

    with leftovers.only_one(tmp_path):
        pass  # free again


def test_a_stranger_with_the_number_of_a_killed_run_is_not_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "DOWN_SECONDS", 0.2)
    with subprocess.Popen(["sleep", "60"]) as stranger, leftovers.only_one(tmp_path):
        leftovers.write_run(tmp_path, leftovers.Run(pid=stranger.pid, address="http://127.0.0.1:8000/"))

        with pytest.raises(StartError, match="did not stop"):
            leftovers.stop_running(tmp_path)

        assert stranger.poll() is None
        stranger.kill()


def test_the_cluster_takes_the_name_of_the_current_context(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(json.dumps({"current-context": "Admin@Example.Cluster"}))

    assert cluster.cluster_name(kubeconfig) == "admin-example-cluster"


@pytest.mark.parametrize("content", ["{}", "- a", "current-context: ''", "a: [", "\0"])
def test_a_kubeconfig_without_a_current_context_is_one_sentence(tmp_path: Path, content: str) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(content)

    with pytest.raises(StartError, match="KUBECONFIG="):
        cluster.cluster_name(kubeconfig)


def test_the_sandbox_keeps_its_port_until_another_program_takes_it(tmp_path: Path) -> None:
    first = cluster.sandbox_port(tmp_path)
    assert cluster.sandbox_port(tmp_path) == first

    with socket.create_server(("127.0.0.1", first)):
        assert cluster.sandbox_port(tmp_path) != first


def test_a_phase_is_one_line_even_when_a_program_speaks_in_between() -> None:
    stream = io.StringIO()
    console = Console(stream)
    progress = Progress(console, phases=2)

    with progress.phase("database"):
        pass
    with progress.phase("cluster"):
        console.line_of("sandbox", "hello")

    lines = stream.getvalue().splitlines()
    assert lines[0] == "[1/2] database … ready (0.0 s)"
    assert lines[2:] == ["sandbox  | hello", "[2/2] cluster … ready (0.0 s)"]


def test_colour_is_for_terminals_only() -> None:
    plain, painted = io.StringIO(), io.StringIO()
    Console(plain).line_of("web", "hello")
    Console(painted, colour=True).line_of("web", "hello")

    assert "\033[" not in plain.getvalue()
    assert painted.getvalue() == "\033[36mweb      |\033[0m hello\n"


def test_lines_of_several_programs_are_never_mixed() -> None:
    stream = io.StringIO()
    console = Console(stream)
    threads = [
        threading.Thread(target=lambda name=name: [console.line_of(name, name * 50) for _ in range(100)])
        for name in ("web", "workers")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(stream.getvalue().splitlines()) == {f"web      | {'web' * 50}", f"workers  | {'workers' * 50}"}


def test_the_command_ends_with_a_sentence_and_an_exit_code() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "releasemgr.up"],
        cwd=ROOT, env={"PORT": "none"}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert answer.returncode == 1
    assert answer.stdout.splitlines() == [
        "PORT=none is no port number; choose one from 1 to 65535, for example `PORT=8001 make up`."
    ]
    assert answer.stderr == ""
