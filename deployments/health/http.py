"""HTTP checks: does an address answer as it should?

`expect`: {"status": 200 | [200, 204], "max_ms": 500, "contains": "text",
"json": {"path": "a.b.0.c", "equals": … | "above": … | "below": … | "between": [a, b]}}. Without `status` every 2xx is
good.
"""

import json
from collections.abc import Mapping
from typing import Any

from deployments.health import addresses, expectations, fetching
from deployments.health.base import (
    Answer,
    Problems,
    Question,
    Reach,
    Reading,
    Subject,
    failed,
    no_data,
    passed,
    unclear,
)
from deployments.health.fetching import Fetched
from deployments.targets.kubernetes.wording import clean

KEYS = ("status", "max_ms", "contains", "json")
JSON_KEYS = ("path", "equals", *expectations.BOUNDS)
MOST_TEXT = 1000


class HttpCheck:
    def problems(self, question: Question, reach: Reach) -> Problems:
        return expectations.merged(
            {"url": self._url_problems(question.url, reach)}, {"expect": _expect_problems(question.expect)}
        )

    def ask(self, question: Question, subject: Subject, reach: Reach) -> Answer:
        try:
            url = addresses.parse(question.url)
            places = addresses.resolve(url, addresses.read_allow_list(reach.allowed_hosts))
        except (addresses.Refused, addresses.Unresolved) as refusal:
            return unclear(f"Not asked: {refusal}")
        try:
            fetched = fetching.fetch(url, places)
        except fetching.Unreachable as error:
            return failed("", f"{url.origin} {error}.")
        return judge(question.expect, fetched, url.origin)

    def _url_problems(self, text: str, reach: Reach) -> list[str]:
        if not text:
            return ["An HTTP check needs a URL."]
        try:
            addresses.require_plausible(addresses.parse(text), addresses.read_allow_list(reach.allowed_hosts))
        except addresses.Refused as refusal:
            return [str(refusal)]
        return []


def judge(expect: Mapping[str, Any], fetched: Fetched, origin: str) -> Reading:
    """Pure. The first thing that is not as it should be decides."""
    took = f"{fetched.status} in {fetched.milliseconds} ms"
    if not _is_good_status(fetched.status, expect.get("status")):
        return failed(took, f"{origin} answered {fetched.status}, not {_statuses(expect.get('status'))}.")
    if "max_ms" in expect and fetched.milliseconds > expect["max_ms"]:
        return failed(took, f"{origin} took {fetched.milliseconds} ms, more than {expect['max_ms']:g} ms.")
    if "contains" in expect and expect["contains"].encode() not in fetched.body:
        return failed(took, f"The answer of {origin} does not contain “{clean(expect['contains'], limit=80)}”.")
    if "json" in expect:
        return _judge_json(expect["json"], fetched, origin)
    return passed(took, f"{origin} answered {took}.")


def _judge_json(wanted: Mapping[str, Any], fetched: Fetched, origin: str) -> Reading:
    if fetched.is_cut:
        return failed(
            "", f"The answer of {origin} is larger than {fetching.MOST_BYTES // 1024} kB: its JSON is not read."
        )
    try:
        body = json.loads(fetched.body)
    except (ValueError, RecursionError):
        return failed("", f"The answer of {origin} is no JSON.")
    found, value = _at(body, wanted["path"])
    if not found:
        return no_data(f"The answer of {origin} has no field {wanted['path']}.")
    return _judge_field(wanted, value)


def _judge_field(wanted: Mapping[str, Any], value: Any) -> Reading:
    path, shown = wanted["path"], clean(json.dumps(value), limit=100)
    if "equals" in wanted:
        good = _same(value, wanted["equals"])
        words = f"is {shown}" if good else f"is {shown}, not {clean(json.dumps(wanted['equals']), limit=100)}"
        return (passed if good else failed)(shown, f"{path} {words}.")
    if not expectations.is_number(value):
        return no_data(f"{path} is {shown}, which is no number.")
    judged = expectations.judge(float(value), wanted)
    return (passed if judged.good else failed)(shown, f"{path}: {judged.words}.")


def _same(value: Any, wanted: Any) -> bool:
    """True is not 1, as it is in Python."""
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def _at(body: Any, path: str) -> tuple[bool, Any]:
    """Whether the field is there, and what it holds. A number names an item of a list."""
    for part in path.split("."):
        if isinstance(body, dict) and part in body:
            body = body[part]
        elif isinstance(body, list) and part.isascii() and part.isdigit() and int(part) < len(body):
            body = body[int(part)]
        else:
            return False, None
    return True, body


def _is_good_status(status: int, wanted: Any) -> bool:
    if wanted is None:
        return 200 <= status < 300
    return status in (wanted if isinstance(wanted, list) else [wanted])


def _statuses(wanted: Any) -> str:
    if wanted is None:
        return "2xx"
    return " or ".join(map(str, wanted if isinstance(wanted, list) else [wanted]))


def _expect_problems(expect: Mapping[str, Any]) -> list[str]:
    problems = expectations.unknown_keys(expect, KEYS)
    if "status" in expect and not _is_status(expect["status"]):
        problems.append("expect: “status” must be a status such as 200, or a list of them.")
    if "max_ms" in expect and not (expectations.is_number(expect["max_ms"]) and expect["max_ms"] > 0):
        problems.append("expect: “max_ms” must be a number of milliseconds above 0.")
    if "contains" in expect and not (isinstance(expect["contains"], str) and 0 < len(expect["contains"]) <= MOST_TEXT):
        problems.append(f"expect: “contains” must be a text of at most {MOST_TEXT} characters.")
    return problems + (_json_problems(expect["json"]) if "json" in expect else [])


def _is_status(wanted: Any) -> bool:
    each = wanted if isinstance(wanted, list) else [wanted]
    return 0 < len(each) <= 20 and all(isinstance(s, int) and not isinstance(s, bool) and 100 <= s < 600 for s in each)


def _json_problems(wanted: Any) -> list[str]:
    if not isinstance(wanted, dict):
        return ["expect: “json” must be an object with a “path” and what it should be."]
    problems = expectations.unknown_keys(wanted, JSON_KEYS, where="expect.json")
    path = wanted.get("path")
    if not (isinstance(path, str) and 0 < len(path) <= 300):
        problems.append("expect.json: “path” must name a field, such as status.database.0.ok.")
    if "equals" not in wanted and not expectations.has_bounds(wanted):
        problems.append("expect.json: say what the field should be: equals, above, below or between.")
    return problems + expectations.bound_problems(wanted, where="expect.json")
