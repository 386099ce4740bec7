"""The one writer of the terminal: phases, sentences and the programs' prefixed lines."""

import sys
import threading
from typing import TextIO

COLOURS = ("36", "33", "35", "34", "32")
BOLD, RED = "1", "31"


class Console:
    def __init__(self, stream: TextIO = sys.stdout, *, colour: bool = False) -> None:
        self._stream = stream
        self._colour = colour
        self._lock = threading.Lock()
        self._names: list[str] = []
        self._phase = ""
        self._interrupted = False

    def begin(self, phase: str) -> None:
        """An unfinished line; what is written before `end` goes below it."""
        with self._lock:
            self._phase, self._interrupted = phase, False
            self._write(phase)

    def end(self, result: str) -> None:
        with self._lock:
            self._write(f"{self._phase}{result}\n" if self._interrupted else f"{result}\n")
            self._phase = ""

    def say(self, text: str) -> None:
        self._whole_line(self._painted(text, BOLD))

    def complain(self, text: str) -> None:
        self._whole_line(self._painted(text, RED))

    def line_of(self, name: str, text: str) -> None:
        """One line of a program's output."""
        if name not in self._names:
            self._names.append(name)
        colour = COLOURS[self._names.index(name) % len(COLOURS)]
        self._whole_line(f"{self._painted(f'{name:<8} |', colour)} {text}")

    def _whole_line(self, text: str) -> None:
        with self._lock:
            if self._phase and not self._interrupted:
                self._write("\n")
                self._interrupted = True
            self._write(f"{text}\n")

    def _painted(self, text: str, colour: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._colour else text

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (BrokenPipeError, ValueError):
            pass  # nobody reads any more (`make up | head`): the programs are still to be looked after
