"""Prometheus checks: an instant query against a bound, or against a second query (baseline against candidate).

`expect`: {"below": 0.05}, {"above": …} or {"between": [a, b]}; or {"baseline": "<query>", "max_ratio": 1.2,
"max_difference": …}, where the check's own query is the candidate. Both may stand together.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlencode

import urllib3

from deployments.health import expectations
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
from deployments.health.expectations import shown
from deployments.health.promql import InvalidQuery, filled
from deployments.targets.kubernetes.wording import clean

KEYS = (*expectations.BOUNDS, "baseline", "max_ratio", "max_difference")
TIMEOUT = urllib3.Timeout(connect=4.0, read=8.0, total=10.0)
MOST_BYTES = 256 * 1024
# The server ends the query before we stop waiting for it.
QUERY_SECONDS = "8s"


class NoNumber(Exception):
    """The server did not give one number. `reading` says why."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading.sentence)
        self.reading = reading


class PrometheusCheck:
    def problems(self, question: Question, reach: Reach) -> Problems:
        found: Problems = {"query": _query_problems(question.query, "A Prometheus check needs a query.")}
        found["expect"] = _expect_problems(question.expect)
        if not reach.prometheus_url:
            found["kind"] = ["No Prometheus is known here: an operator must set PROMETHEUS_URL."]
        return expectations.merged(found)

    def ask(self, question: Question, subject: Subject, reach: Reach) -> Answer:
        try:
            server = Server.at(reach.prometheus_url)
            value = server.number(filled(question.query, subject))
            if "baseline" not in question.expect:
                return judge(question.expect, value)
            return judge_against(question.expect, value, server.number(filled(question.expect["baseline"], subject)))
        except NoNumber as error:
            return error.reading
        except InvalidQuery as error:
            return unclear(f"The query can't be filled in: {error}")


def judge(expect: Mapping[str, Any], value: float) -> Reading:
    judged = expectations.judge(value, expect)
    return (passed if judged.good else failed)(shown(value), f"{judged.words}.")


def judge_against(expect: Mapping[str, Any], candidate: float, baseline: float) -> Reading:
    """Every rule that is given must hold. A ratio to nothing is none: then the difference decides, or nobody."""
    told = f"{shown(candidate)} against a baseline of {shown(baseline)}"
    if not (math.isfinite(candidate) and math.isfinite(baseline)):
        return no_data(f"{told} can't be compared.")
    if expectations.has_bounds(expect) and not expectations.judge(candidate, expect).good:
        return judge(expect, candidate)
    difference = candidate - baseline
    if "max_difference" in expect and difference > expect["max_difference"]:
        return failed(shown(candidate), f"{told}: more than {shown(expect['max_difference'])} above it.")
    if "max_ratio" in expect and baseline <= 0 < candidate and "max_difference" not in expect:
        return no_data(f"{told} has no ratio. Add max_difference to judge such cases.")
    if "max_ratio" in expect and baseline > 0 and candidate / baseline > expect["max_ratio"]:
        ratio = shown(candidate / baseline)
        return failed(shown(candidate), f"{told}: {ratio} times as much, more than {shown(expect['max_ratio'])}.")
    return passed(shown(candidate), f"{told}.")


@dataclass(frozen=True)
class Server:
    """The operator's own Prometheus, so its address is not judged."""

    url: str
    headers: Mapping[str, str]

    @classmethod
    def at(cls, url: str) -> "Server":
        if not url:
            raise NoNumber(unclear("No Prometheus is known here: an operator must set PROMETHEUS_URL."))
        try:
            parsed = urllib3.util.parse_url(url)
        except urllib3.exceptions.LocationParseError:
            raise NoNumber(unclear("PROMETHEUS_URL is no URL. An operator must correct it.")) from None
        # A user name and password in the URL go into a header and into no message.
        headers = urllib3.make_headers(basic_auth=unquote(parsed.auth)) if parsed.auth else {}
        return cls(parsed._replace(auth=None, query=None, fragment=None).url.rstrip("/"), headers)

    def number(self, query: str) -> float:
        """The one number that the query gives. Raises NoNumber."""
        body = self._answer(query)
        data = body.get("data")
        if body.get("status") != "success" or not isinstance(data, dict):
            raise NoNumber(unclear("Prometheus gave no result."))
        return one_number(data.get("resultType"), data.get("result"))

    def _answer(self, query: str) -> Mapping[str, Any]:
        status, data = self._post(query)
        try:
            body = json.loads(data)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            words = "with something that is no JSON" if status == 200 else f"with status {status}"
            raise NoNumber(unclear(f"Prometheus answered {words}."))
        if status != 200 or body.get("status") == "error":
            kind, words = clean(body.get("errorType"), limit=40), clean(body.get("error"), limit=300)
            raise NoNumber(unclear(f"Prometheus could not answer ({kind or status}): {words or 'no reason given'}"))
        return body

    def _post(self, query: str) -> tuple[int, bytes]:
        try:
            status, data = self._exchange(urlencode({"query": query, "timeout": QUERY_SECONDS}))
        except urllib3.exceptions.NewConnectionError:
            # Before the time-outs: the library derives it from one.
            raise NoNumber(unclear("Prometheus can't be reached.")) from None
        except urllib3.exceptions.TimeoutError:
            raise NoNumber(unclear("Prometheus did not answer in time.")) from None
        except (urllib3.exceptions.HTTPError, OSError):
            raise NoNumber(unclear("Prometheus can't be reached.")) from None
        if len(data) > MOST_BYTES:
            raise NoNumber(unclear("The query answers with far too many series. Wrap it in sum(), max() or avg()."))
        return status, data

    def _exchange(self, form: str) -> tuple[int, bytes]:
        headers = {**self.headers, "Content-Type": "application/x-www-form-urlencoded"}
        url = f"{self.url}/api/v1/query"
        with urllib3.PoolManager(retries=False, timeout=TIMEOUT) as pool:
            response = pool.request("POST", url, body=form, headers=headers, redirect=False, preload_content=False)
            data = response.read(MOST_BYTES + 1)
            response.close()
        return int(response.status), data


def one_number(kind: Any, result: Any) -> float:
    """Of a vector with one series, or a scalar. Raises NoNumber; NaN and an empty answer are no data."""
    if kind == "vector" and isinstance(result, list):
        if not result:
            raise NoNumber(no_data("The query answers with no series: nothing was measured."))
        if len(result) > 1:
            told = f"The query answers with {len(result)} series. Wrap it in sum(), max() or avg()."
            raise NoNumber(unclear(told))
        sample = result[0].get("value") if isinstance(result[0], dict) else None
    elif kind == "scalar":
        sample = result
    else:
        raise NoNumber(unclear(f"The query gives a {clean(kind, limit=20) or 'nothing'}, not one number."))
    try:
        value = float(sample[1])  # type: ignore[index]
    except (TypeError, ValueError, IndexError, KeyError):
        raise NoNumber(unclear("Prometheus gave something that is no number.")) from None
    if math.isnan(value):
        raise NoNumber(no_data("The query answers NaN: nothing was measured that could be divided."))
    return value


def _query_problems(query: Any, missing: str) -> list[str]:
    if not (isinstance(query, str) and query.strip()):
        return [missing]
    try:
        filled(query, _NOBODY)
    except InvalidQuery as error:
        return [str(error)]
    return []


def _expect_problems(expect: Mapping[str, Any]) -> list[str]:
    problems = [*expectations.unknown_keys(expect, KEYS), *expectations.bound_problems(expect)]
    limits = [name for name in ("max_ratio", "max_difference") if name in expect]
    problems += [f"expect: “{name}” must be a number." for name in limits if not expectations.is_number(expect[name])]
    if "baseline" in expect:
        problems += _query_problems(expect["baseline"], "expect: “baseline” must be a query.")
        if not limits:
            problems.append("expect: with a baseline, say max_ratio or max_difference.")
    elif limits:
        problems.append(f"expect: “{limits[0]}” needs a “baseline” query to compare with.")
    elif not expectations.has_bounds(expect):
        problems.append("expect: say what the value should be: below, above, between, or a baseline.")
    return problems


_NOBODY = Subject(
    application="a", version="1", environment="e", namespace="n", deployment_id="d", sequence=0, target_id="t",
    window_seconds=60,
)  # fmt: skip
