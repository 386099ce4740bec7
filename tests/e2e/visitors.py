"""A person with a browser, and everything the browser complained about."""

import re
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response

# Chromium says this of every answer from 400 on; those are judged by their status below.
ABOUT_ANSWERS = "Failed to load resource: the server responded with a status of"
# A page that is left, or a part that is asked for again, drops what is under way.
DROPPED = "net::ERR_ABORTED"


class Visitor:
    """`expected`: statuses from 400 on that belong to the test; `tolerated`: complaints that do."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.expected: set[int] = set()
        self.tolerated: re.Pattern[str] | None = None
        self.complaints: list[str] = []
        context.set_default_timeout(15_000)
        context.on("page", self._listen)
        self.page = context.new_page()

    def _listen(self, page: Page) -> None:
        page.on("pageerror", lambda error: self._complain(page, f"script: {error}"))
        page.on("console", lambda message: self._hear(page, message))
        page.on("requestfailed", lambda request: self._miss(page, request))
        page.on("response", lambda response: self._judge(page, response))

    def _complain(self, page: Page, complaint: str) -> None:
        if self.tolerated is None or not self.tolerated.search(complaint):
            self.complaints.append(f"{urlsplit(page.url).path}: {complaint}")

    def _hear(self, page: Page, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(ABOUT_ANSWERS):
            self._complain(page, f"console: {message.text}")

    def _miss(self, page: Page, request: Request) -> None:
        if request.failure != DROPPED:
            self._complain(page, f"{request.method} {request.url}: {request.failure}")

    def _judge(self, page: Page, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self._complain(page, f"{response.request.method} {response.url} was answered with {response.status}")

    def sign_in(self, username: str, password: str) -> None:
        self.page.goto("/accounts/login")
        self.page.get_by_label("Email address or short name").fill(username)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def leave(self) -> list[str]:
        self.context.close()
        return self.complaints
