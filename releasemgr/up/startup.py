"""What follows the database: migrations, cluster, demo, workers, observer and web server, a phase each."""

import http.client
from pathlib import Path

from releasemgr.up import cluster, ports, programs
from releasemgr.up.child import Program
from releasemgr.up.configuration import Configuration
from releasemgr.up.errors import StartError
from releasemgr.up.progress import Progress
from releasemgr.up.supervisor import Supervisor

SANDBOX = "sandbox"
SANDBOX_SECONDS = 30.0
READY_SECONDS = 60.0
OUTPUT_LINES = 12


def start_everything(configuration: Configuration, supervisor: Supervisor, progress: Progress) -> None:
    """Raises StartError with one sentence, or StopRequested."""
    with progress.phase("migrations"):
        _run(supervisor, programs.manage(configuration, "migrate", "--no-input"))
    with progress.phase("cluster"):
        _register_cluster(configuration, supervisor)
    with progress.phase("demo data"):
        # A person's own cluster gets the demo's people and places, but nothing is deployed to it unasked.
        onto = () if configuration.kubeconfig else ("--cluster", SANDBOX)
        _run(supervisor, programs.manage(configuration, "seed_demo", *onto))
    with progress.phase("workers", done="started"):
        supervisor.start(programs.workers(configuration))
    with progress.phase("observer", done="started"):
        supervisor.start(programs.observer(configuration))
    with progress.phase("web server"):
        supervisor.start(programs.web(configuration))
        _wait_until_ready(configuration, supervisor)


def _register_cluster(configuration: Configuration, supervisor: Supervisor) -> None:
    if configuration.kubeconfig:
        name, kubeconfig = cluster.cluster_name(configuration.kubeconfig), configuration.kubeconfig
    else:
        name, kubeconfig = SANDBOX, _start_sandbox(configuration, supervisor)
    arguments = ("register_cluster", "--name", name, "--kubeconfig", str(kubeconfig))
    _run(supervisor, programs.manage(configuration, *arguments))


def _start_sandbox(configuration: Configuration, supervisor: Supervisor) -> Path:
    state = configuration.state / "sandbox"
    port = cluster.sandbox_port(state)
    kubeconfig = state / "kubeconfig.yaml"
    kubeconfig.unlink(missing_ok=True)
    supervisor.start(programs.sandbox(configuration, port))
    is_up = supervisor.wait_for(lambda: kubeconfig.exists() and ports.is_listening(port), seconds=SANDBOX_SECONDS)
    if not is_up:
        raise StartError(f"The sandbox cluster did not answer within {SANDBOX_SECONDS:.0f} s; its output is above.")
    return kubeconfig


def _run(supervisor: Supervisor, program: Program) -> None:
    code, output = supervisor.run_once(program)
    if code != 0:
        last_lines = "\n".join(output.strip().splitlines()[-OUTPUT_LINES:])
        raise StartError(f"`manage.py {program.name}` failed (exit code {code}). Its last words:\n{last_lines}")


def _wait_until_ready(configuration: Configuration, supervisor: Supervisor) -> None:
    answer = "no answer"

    def is_ready() -> bool:
        nonlocal answer
        status, answer = _ask_ready(configuration)
        return status == http.HTTPStatus.OK

    if not supervisor.wait_for(is_ready, seconds=READY_SECONDS):
        raise StartError(
            f"The web server was not ready after {READY_SECONDS:.0f} s ({answer}); "
            "the reason should be in the output above."
        )


def _ask_ready(configuration: Configuration) -> tuple[int, str]:
    """Status (0: no answer) and text of `/api/v1/ready`."""
    connection = http.client.HTTPConnection(configuration.reachable_host.strip("[]"), configuration.port, timeout=2)
    try:
        # The name that development always allows, whatever BIND is.
        connection.request("GET", "/api/v1/ready", headers={"Host": "localhost"})
        response = connection.getresponse()
        return response.status, response.read(500).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()
