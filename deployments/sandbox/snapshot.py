"""The cluster on disk: one JSON file, written a moment after the last change."""

import asyncio
import json
import secrets
from pathlib import Path

from deployments.sandbox.kubeconfig import write_private
from deployments.sandbox.store import Change, Store

# Changes within this time go into one write.
_QUIET_SECONDS = 0.5


class Snapshot:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file = directory / "cluster.json"
        self._timer: asyncio.TimerHandle | None = None

    def token(self) -> str:
        """The administrator's token; the same at every start."""
        file = self._directory / "token"
        if not file.exists():
            write_private(file, secrets.token_urlsafe(24))
        return file.read_text()

    def load(self, store: Store) -> None:
        """Raises ValueError when the file is no snapshot."""
        if not self._file.exists():
            return
        try:
            store.load(json.loads(self._file.read_text()))
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(
                f"The sandbox cluster cannot read its state in {self._file} ({error}). "
                "Remove the file to start with an empty cluster."
            ) from error

    def follow(self, store: Store) -> None:
        def changed(change: Change) -> None:
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(_QUIET_SECONDS, self.write, store)

        store.listeners.append(changed)

    def write(self, store: Store) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        write_private(self._file, json.dumps(store.dump(), separators=(",", ":")))
