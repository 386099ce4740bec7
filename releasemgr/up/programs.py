"""The command lines of a development installation."""

import sys

from releasemgr.up.child import Program
from releasemgr.up.configuration import Configuration


def manage(configuration: Configuration, *arguments: str) -> Program:
    """A short-lived `manage.py` command."""
    command = [sys.executable, str(configuration.root / "manage.py"), *arguments]
    return Program(name=arguments[0], command=command)


# Where the demo's environments deploy to; the product itself never makes a namespace.
DEMO_NAMESPACES = ("development", "staging", "production", "production-us")


def sandbox(configuration: Configuration, port: int) -> Program:
    state = configuration.state / "sandbox"
    command = [sys.executable, "-m", "deployments.sandbox", "--port", str(port), "--state-dir", str(state)]
    kubeconfig = ["--kubeconfig-out", str(state / "kubeconfig.yaml")]
    namespaces = [f"--namespace={name}" for name in DEMO_NAMESPACES]
    # Helm and kubectl send their token over TLS only.
    return Program(name="sandbox", command=[*command, *kubeconfig, *namespaces, "--tls"])


def workers(configuration: Configuration) -> Program:
    # A running task is allowed to finish its step; what it cannot is resumed by the next start.
    return Program(name="workers", command=manage(configuration, "qcluster").command, grace_seconds=6.0)


def observer(configuration: Configuration) -> Program:
    return Program(name="observer", command=manage(configuration, "observe").command)


def web(configuration: Configuration) -> Program:
    command = [sys.executable, "-m", "uvicorn", "releasemgr.asgi:application"]
    listen = ["--host", configuration.bind, "--port", str(configuration.port)]
    # No proxy stands before it in development, so a forwarded address would only ever be forged.
    quiet = ["--no-proxy-headers", "--lifespan", "off", "--no-access-log", "--log-level", "warning"]
    # The live socket takes small messages only; without this uvicorn reads 16 MB before we may refuse.
    quiet += ["--ws-max-size", "65536"]
    return Program(name="web", command=[*command, *listen, *quiet, "--timeout-graceful-shutdown", "2"])
