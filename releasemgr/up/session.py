"""One run of `make up` from the lock to the last stop."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace

from releasemgr import embedded
from releasemgr.up import database, leftovers, ports
from releasemgr.up.configuration import Configuration
from releasemgr.up.console import Console
from releasemgr.up.errors import StartError
from releasemgr.up.interruption import Interruption
from releasemgr.up.progress import Progress
from releasemgr.up.startup import start_everything
from releasemgr.up.supervisor import Supervisor

PHASES = 7
DATABASE_CHECK_SECONDS = 2.0


class Session:
    def __init__(
        self,
        configuration: Configuration,
        *,
        environment: Mapping[str, str],
        console: Console,
        interruption: Interruption,
    ) -> None:
        self._configuration = configuration
        self._environment = environment
        self._console = console
        self._interruption = interruption
        self._database_state = configuration.state / "pg18"

    def run(self) -> None:
        """Stays until a stop is requested. Raises StartError or StopRequested, with nothing left running."""
        with leftovers.only_one(self._configuration.state), self._recorded_run() as run:
            ports.require_free(self._configuration.bind, self._configuration.port)
            progress = Progress(self._console, phases=PHASES)
            with self._database(run, progress) as (url, is_ours), self._supervisor(run, url) as supervisor:
                if is_ours:
                    supervisor.owns_database()
                start_everything(self._configuration, supervisor, progress)
                self._announce()
                supervisor.look_after(lambda: self._keep_database_up(url), every_seconds=DATABASE_CHECK_SECONDS)

    @contextlib.contextmanager
    def _recorded_run(self) -> Iterator[leftovers.Run]:
        state = self._configuration.state
        killed_run = leftovers.read_run(state)
        if killed_run and (ended := leftovers.end_leftovers(killed_run.token)):
            self._console.say(f"Ended {ended} processes that an earlier, killed `make up` had left.")
        # A database that the killed run had started is stopped by this one in its place.
        inherited = killed_run is not None and killed_run.owns_database
        run = leftovers.Run(pid=os.getpid(), address=self._configuration.address, owns_database=inherited)
        leftovers.write_run(state, run)
        try:
            yield run
        finally:
            (state / "up.json").unlink(missing_ok=True)

    @contextlib.contextmanager
    def _database(self, run: leftovers.Run, progress: Progress) -> Iterator[tuple[str, bool]]:
        given = self._configuration.database_url
        if given:
            with progress.phase("database of DATABASE_URL"):
                self._interruption.answer_of(lambda: database.require_answer(given))
            yield given, False
            return
        is_ours = run.owns_database or embedded.running_url(self._database_state) is None
        with progress.phase("database"):
            url = self._interruption.answer_of(lambda: database.start_embedded(self._database_state))
        leftovers.write_run(self._configuration.state, replace(run, owns_database=is_ours))
        try:
            yield url, is_ours
        finally:
            if is_ours and not embedded.stop_if_idle(self._database_state):
                self._console.say("The database was left running, because other programs are using it.")

    @contextlib.contextmanager
    def _supervisor(self, run: leftovers.Run, url: str) -> Iterator[Supervisor]:
        supervisor = Supervisor(
            root=self._configuration.root,
            environment={**self._environment, "DATABASE_URL": url, leftovers.TOKEN_VARIABLE: run.token},
            console=self._console,
            interruption=self._interruption,
        )
        try:
            yield supervisor
        finally:
            self._console.say("Stopping …")
            supervisor.stop_all()
            supervisor.dismiss_undertaker()
            leftovers.end_leftovers(run.token)

    def _keep_database_up(self, url: str) -> None:
        if self._configuration.database_url or embedded.running_url(self._database_state):
            return
        self._console.complain("The database stopped; starting it again.")
        again = self._interruption.answer_of(lambda: database.start_embedded(self._database_state))
        if again != url:
            raise StartError(
                "The database's port was taken meanwhile, so it came back on another. Run `make up` again."
            )

    def _announce(self) -> None:
        address = self._configuration.address
        self._console.say(
            f"\nRelease Manager is running at {address}\n"
            "Log in as admin with the password admin123 (development only). Ctrl-C stops everything.\n"
        )
