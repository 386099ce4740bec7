"""Ctrl-C and SIGTERM as flags that are looked at where stopping is safe."""

import signal
import threading
from collections.abc import Callable
from typing import TypeVar

from releasemgr.up.errors import StopRequested

POLL_SECONDS = 0.02

Answer = TypeVar("Answer")


class Interruption:
    def __init__(self) -> None:
        self._stop = threading.Event()
        self._hurry = threading.Event()

    def listen(self) -> None:
        """SIGHUP too: a closed terminal must not leave a cluster behind, unless `nohup` asked for just that."""
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        for number in numbers:
            signal.signal(number, lambda *_: self.request())

    def request(self) -> None:
        """The first request stops in order, the second one kills."""
        (self._hurry if self._stop.is_set() else self._stop).set()

    @property
    def is_hurried(self) -> bool:
        return self._hurry.is_set()

    def wait(self, seconds: float) -> bool:
        """True as soon as a stop is requested, False when the time is over."""
        return self._stop.wait(seconds)

    def pause(self, seconds: float) -> None:
        if self.wait(seconds):
            raise StopRequested

    def answer_of(self, function: Callable[[], Answer]) -> Answer:
        """Runs something slow (a database in recovery) so that Ctrl-C is still heard. Raises StopRequested."""
        answers: list[Answer] = []
        errors: list[Exception] = []

        def work() -> None:
            try:
                answers.append(function())
            except Exception as error:  # noqa: BLE001 - carried over to the caller's thread
                errors.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        while thread.is_alive():
            self.pause(POLL_SECONDS)
        if errors:
            raise errors[0]
        return answers[0]
