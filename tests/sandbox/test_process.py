"""The sandbox cluster as a process, and what it keeps."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deployments.sandbox.kubeconfig import write_kubeconfig
from deployments.sandbox.server import SandboxServer
from tests.sandbox.manifests import deployment
from tests.sandbox.replay import Client
from tests.sandbox.waiting import eventually

ROOT = Path(__file__).parents[2]
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def ready_replicas(client: Client) -> int:
    return int(client.ask({"method": "GET", "path": f"{DEPLOYMENTS}/web"}).body["status"].get("readyReplicas", 0))


def test_a_restart_finds_the_cluster_as_it_was(tmp_path: Path) -> None:
    with SandboxServer(state_dir=tmp_path, speed=10) as first:
        client = Client(first)
        client.ask({"method": "POST", "path": DEPLOYMENTS, "body": deployment("registry.example/web:1")})
        assert eventually(lambda: ready_replicas(client) == 2)
        before = client.ask({"method": "GET", "path": "/api/v1/namespaces/default/pods"}).body["items"]

    with SandboxServer(state_dir=tmp_path, speed=10) as second:
        after = Client(second).ask({"method": "GET", "path": "/api/v1/namespaces/default/pods"}).body["items"]

    assert after == before
    assert first.kubeconfig["users"] == second.kubeconfig["users"]


def test_a_rollout_cut_off_by_a_stop_goes_on_afterwards(tmp_path: Path) -> None:
    with SandboxServer(state_dir=tmp_path) as first:
        Client(first).ask({"method": "POST", "path": DEPLOYMENTS, "body": deployment("registry.example/web:1")})

    with SandboxServer(state_dir=tmp_path, speed=10) as second:
        client = Client(second)
        assert eventually(lambda: ready_replicas(client) == 2)


def test_an_unreadable_state_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "cluster.json").write_text("{")

    with pytest.raises(ValueError, match="Remove the file to start with an empty cluster"):
        SandboxServer(state_dir=tmp_path).start()


def test_the_process_says_where_it_is_and_ends_on_sigterm(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    command = [sys.executable, "-m", "deployments.sandbox", "--state-dir", str(tmp_path / "state")]
    process = subprocess.Popen(
        [*command, "--kubeconfig-out", str(kubeconfig)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        server = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
        process.send_signal(signal.SIGTERM)
        code = process.wait(5)
    finally:
        process.kill()
        process.communicate()

    assert line.startswith(f"Sandbox cluster ready at {server}")
    assert code == 0
    assert kubeconfig.stat().st_mode & 0o777 == 0o600


def test_a_taken_port_is_one_clear_sentence(tmp_path: Path) -> None:
    with SandboxServer() as taken:
        port = taken.url.rpartition(":")[2]
        command = [sys.executable, "-m", "deployments.sandbox", "--port", port, "--state-dir", str(tmp_path)]
        done = subprocess.run(
            [*command, "--kubeconfig-out", str(tmp_path / "k")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )

    assert done.returncode == 1
    assert f"cannot listen on port {port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_kubectl_applies_and_waits_for_the_rollout(tmp_path: Path) -> None:
    manifest, kubeconfig = tmp_path / "web.yaml", tmp_path / "kubeconfig"
    manifest.write_text(yaml.safe_dump(deployment("registry.example/web:1")))
    kubectl = Path(sys.executable).parent / "kubectl"

    def run(*arguments: str) -> str:
        environment = {"KUBECONFIG": str(kubeconfig), "HOME": str(tmp_path)}
        command = [str(kubectl), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
        return done.stdout + done.stderr

    with SandboxServer(tls=True, speed=10) as server:
        write_kubeconfig(kubeconfig, server.kubeconfig)
        applied = run("apply", "-f", str(manifest))
        rolled_out = run("rollout", "status", "deployment/web", "--timeout=10s")

    assert applied == "deployment.apps/web created\n"
    assert "successfully rolled out" in rolled_out
