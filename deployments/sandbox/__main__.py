"""`python -m deployments.sandbox --port N --state-dir DIR --kubeconfig-out FILE`"""

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

from deployments.sandbox.kubeconfig import write_kubeconfig
from deployments.sandbox.server import SandboxServer


def main() -> int:
    arguments = _arguments()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    server = SandboxServer(
        port=arguments.port,
        state_dir=arguments.state_dir,
        speed=arguments.speed,
        namespaces=arguments.namespace,
        tls=arguments.tls,
    )
    try:
        server.start()
    except OSError as error:
        return _fail(
            f"The sandbox cluster cannot listen on port {arguments.port}: {error.strerror}. Choose another --port."
        )
    except ValueError as error:
        return _fail(str(error))
    write_kubeconfig(arguments.kubeconfig_out, server.kubeconfig)
    sys.stdout.write(f"Sandbox cluster ready at {server.url}, kubeconfig in {arguments.kubeconfig_out}\n")
    sys.stdout.flush()
    ended.wait()
    server.stop()
    return 0


def _fail(sentence: str) -> int:
    sys.stderr.write(sentence + "\n")
    return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="deployments.sandbox", description="A small Kubernetes API on this machine.")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--state-dir", type=Path, required=True, help="where the cluster is kept between starts")
    parser.add_argument("--kubeconfig-out", type=Path, required=True, help="the kubeconfig to write")
    parser.add_argument("--speed", type=float, default=1.0, help="how many times faster containers start and end")
    parser.add_argument("--namespace", action="append", default=[], help="a namespace to make; may stand many times")
    parser.add_argument("--tls", action="store_true", help="with a certificate of its own, as kubectl needs it")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
