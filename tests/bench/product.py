"""One deployment through the REST API, and when the database said that it succeeded."""

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psycopg

from tests.bench import scenario
from tests.bench.witness import Sighting, Witness
from tests.factories import PASSWORD
from tests.stack import Broken

# Where live pages are told what changed; here it only saves the database from being asked all the time.
LIVE_CHANNEL = "live"
STATUS = "SELECT status, error_message FROM deployments_deployment WHERE id = %s"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: dict[str, Any]


class Client:
    """One kept-alive connection to the API, as a script would have it."""

    def __init__(self, web: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(web).netloc, timeout=30)
        self._headers = {"Content-Type": "application/json"}

    def log_in(self, username: str) -> None:
        answer = self.post("/api/v1/auth/login", {"username": username, "password": PASSWORD})
        self._headers["Authorization"] = f"Token {answer.body['token']}"

    def close(self) -> None:
        """The next request opens a connection anew: the server drops one that was idle for five seconds."""
        self._connection.close()

    def post(self, path: str, body: dict[str, Any]) -> Answer:
        self._connection.request("POST", path, body=json.dumps(body), headers=self._headers)
        response = self._connection.getresponse()
        answer = Answer(response.status, json.loads(response.read() or b"null"))
        if answer.status >= 300:
            raise Broken(f"POST {path} was answered with {answer.status}: {answer.body}")
        return answer


@dataclass(frozen=True, slots=True)
class Product:
    client: Client
    database: psycopg.Connection
    witness: Witness
    stage: scenario.Scenario

    @classmethod
    def connect(cls, *, web: str, database_url: str, witness: Witness, stage: scenario.Scenario) -> "Product":
        client = Client(web)
        client.log_in(stage.deployer.username)
        database = psycopg.connect(database_url, autocommit=True)
        database.execute(f"LISTEN {LIVE_CHANNEL}")
        return cls(client, database, witness, stage)

    def round(self, number: int) -> "Round":
        release = self.stage.releases[number % len(self.stage.releases)]
        self.witness.expect(scenario.image(release.version))
        posted = time.perf_counter()
        body = {"environment": self.stage.environment.name}
        deployment = self.client.post(f"/api/v1/releases/{release.pk}/deploy", body).body
        answered = time.perf_counter()
        succeeded = self._await_success(deployment["id"])
        seen = self.witness.wait(lambda seen: bool(seen.complete and seen.settled))
        return Round(deployment["id"], posted, answered, succeeded, seen)

    def _await_success(self, deployment_id: str, seconds: float = 60.0) -> float:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status, message = self.database.execute(STATUS, [deployment_id]).fetchone() or ("", "")
            at = time.perf_counter()
            if status == "succeeded":
                return at
            if status not in ("pending", "in_progress"):
                raise Broken(f"Deployment {deployment_id} is {status or 'gone'}: {message}")
            for _ in self.database.notifies(timeout=0.25, stop_after=1):
                pass
        raise Broken(f"Deployment {deployment_id} was still open after {seconds:.0f} s.")


@dataclass(frozen=True, slots=True)
class Round:
    """One deployment: moments by `time.perf_counter`."""

    deployment_id: str
    posted: float
    answered: float
    succeeded: float
    seen: Sighting
