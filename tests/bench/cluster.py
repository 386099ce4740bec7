"""The sandbox cluster as a process, open to requests without credentials.

kubectl sends no credentials over plain HTTP, whatever its kubeconfig says, so the sandbox's token cannot reach it.
"""

import argparse
import signal
import threading
from pathlib import Path

from deployments.sandbox.api import Api
from deployments.sandbox.http import Connection, Request, Response
from deployments.sandbox.kubeconfig import write_kubeconfig
from deployments.sandbox.server import SandboxServer


class OpenSandbox(SandboxServer):
    """Who says nothing is the administrator. For a loopback port and a cluster without secrets only."""

    def _connection(self, api: Api) -> Connection:
        administrator = f"Bearer {self.identities[0].token}"

        async def answer(request: Request) -> Response:
            request.headers.setdefault("authorization", administrator)
            return await api.handle(request)

        return Connection(answer, self._connections)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kubeconfig-out", type=Path, required=True)
    arguments = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with OpenSandbox() as server:
        write_kubeconfig(arguments.kubeconfig_out, server.kubeconfig)
        ended.wait()


if __name__ == "__main__":
    main()
