"""Asks about ports before anything is started."""

import errno
import socket

from releasemgr.up.errors import StartError


def require_free(bind: str, port: int) -> None:
    """Raises StartError when the web server could not listen there."""
    try:
        family, _, _, _, address = socket.getaddrinfo(bind or None, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As the web server does: a port in TIME_WAIT is free, one that somebody listens on is not.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise StartError(_sentence(bind, port, error)) from error


def is_listening(port: int, host: str = "127.0.0.1") -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def choose(preferred: int | None) -> int:
    """The preferred loopback port if it is still free, else any free one."""
    for port in (preferred or 0, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StartError("No free port was found on 127.0.0.1.")


def _sentence(bind: str, port: int, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            other = port + 1 if port < 65535 else 8001
            return (
                f"Port {port} on {bind} is in use by another program; stop that program, "
                f"or choose another port: `PORT={other} make up`."
            )
        case errno.EACCES:
            return f"Port {port} may only be opened by root; choose one above 1023: `PORT=8001 make up`."
        case _:
            return f"BIND={bind} is no address of this machine ({error.strerror}); unset BIND to use 127.0.0.1."
