"""Why a start ended early."""


class StartError(RuntimeError):
    """The start cannot go on; the message is one sentence for the person at the terminal."""


class StopRequested(Exception):
    """Ctrl-C or SIGTERM arrived while something was being waited for."""
