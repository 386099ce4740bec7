"""The REST API as a program uses it: to set the stage, and to compare what the pages say."""

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

PATIENCE_SECONDS = 30.0
OPEN = ("pending", "in_progress")


@dataclass(frozen=True, slots=True)
class Rest:
    web: str
    token: str = ""

    @classmethod
    def log_in(cls, web: str, username: str, password: str) -> "Rest":
        answer = cls(web).post("/auth/login", {"username": username, "password": password})
        return cls(web, answer["token"])

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and body of an answer, whatever they are."""
        connection = http.client.HTTPConnection(urlsplit(self.web).netloc, timeout=30)
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Token {self.token}"} if self.token else {}
        )
        try:
            connection.request(
                method, f"/api/v1{path}", body=json.dumps(body) if body is not None else None, headers=headers
            )
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        return self._must("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self._must("POST", path, {} if body is None else body)

    def _must(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = self.ask(method, path, body)
        assert status < 300, f"{method} {path} was answered with {status}: {answer}"
        return answer

    def ended(self, deployment_id: str) -> Any:
        """The deployment once it has ended."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (deployment := self.get(f"/deployments/{deployment_id}"))["status"] in OPEN:
            assert time.monotonic() < deadline, f"It is still {deployment['status']}: {deployment['steps']}"
            time.sleep(0.1)
        return deployment
