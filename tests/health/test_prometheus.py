"""Prometheus checks against a server that answers in its real shape."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.health import prometheus
from deployments.health.base import Question, Reach, Reading
from deployments.health.promql import InvalidQuery, filled
from tests.health.conftest import SUBJECT, Listener

QUERY = 'sum(rate(errors{app="{application}",version="{version}"}[{window}]))'


def ask(listener: Listener, query: str = QUERY, **expect: Any) -> Reading:
    question = Question(check_id="c", name="errors", kind="prometheus", query=query, expect=expect)
    reading = prometheus.PrometheusCheck().ask(question, SUBJECT, Reach(prometheus_url=listener.url))
    assert isinstance(reading, Reading)
    return reading


def vector(*samples: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "vector", "result": list(samples)}}


@pytest.mark.parametrize(
    ("value", "expect", "verdict"),
    [
        ("0.01", {"below": 0.05}, "pass"),
        ("0.05", {"below": 0.05}, "fail"),
        ("0.2", {"below": 0.05}, "fail"),
        ("12", {"above": 10}, "pass"),
        ("10", {"above": 10}, "fail"),
        ("5", {"between": [5, 6]}, "pass"),
        ("+Inf", {"below": 1}, "fail"),
        ("-Inf", {"below": 1}, "pass"),
        ("1e-3", {"below": 0.05, "above": 0}, "pass"),
    ],
)
def test_a_threshold(listener: Listener, value: str, expect: dict[str, Any], verdict: str) -> None:
    listener.measures(value)
    assert ask(listener, **expect).verdict == verdict
    assert listener.seen == ["POST /api/v1/query"]
    assert listener.queries == ['sum(rate(errors{app="checkout",version="2.0.0+build"}[60s]))']


@pytest.mark.parametrize(
    ("status", "body", "words", "no_data"),
    [
        (200, vector({"metric": {}, "value": [1, "NaN"]}), "NaN", True),
        (200, vector(), "no series", True),
        (200, vector(*[{"metric": {"n": str(n)}, "value": [1, "1"]} for n in range(3)]), "3 series", False),
        (200, {"status": "success", "data": {"resultType": "matrix", "result": []}}, "gives a matrix", False),
        (200, vector({"metric": {}, "value": [1, "much"]}), "no number", False),
        (200, vector({"metric": {}}), "no number", False),
        (200, b"<html>proxy</html>", "no JSON", False),
        (400, {"status": "error", "errorType": "bad_data", "error": "parse error"}, "(bad_data): parse error", False),
        (503, {"status": "error", "errorType": "timeout", "error": "query timed out"}, "query timed out", False),
        (502, b"Bad Gateway", "status 502", False),
        (302, b"", "status 302", False),
        (200, {"status": "success", "data": "x"}, "no result", False),
        (200, b" " * 300_000, "far too many series", False),
    ],
)
def test_what_is_no_number_is_never_a_verdict(
    listener: Listener, status: int, body: Any, words: str, no_data: bool
) -> None:
    listener.says(status, body)
    reading = ask(listener, below=1)
    assert (reading.verdict, reading.no_data) == ("inconclusive", no_data)
    assert words in reading.sentence


def test_a_scalar_is_a_number_too(listener: Listener) -> None:
    listener.says(200, {"status": "success", "data": {"resultType": "scalar", "result": [1, "4"]}})
    assert ask(listener, query="scalar(up)", above=3).verdict == "pass"


def test_a_server_that_is_away_says_nothing_about_the_application(listener: Listener) -> None:
    gone = Reach(prometheus_url="http://user:hidden@127.0.0.1:1/prefix")
    question = Question(check_id="c", name="errors", kind="prometheus", query="up", expect={"above": 0})
    reading = prometheus.PrometheusCheck().ask(question, SUBJECT, gone)
    assert reading == Reading("inconclusive", "", "Prometheus can't be reached.")
    assert prometheus.PrometheusCheck().ask(question, SUBJECT, Reach()).sentence.startswith("No Prometheus is known")


@pytest.mark.parametrize(
    ("candidate", "baseline", "expect", "verdict"),
    [
        (1.1, 1.0, {"max_ratio": 1.2}, "pass"),
        (1.3, 1.0, {"max_ratio": 1.2}, "fail"),
        (1.3, 1.0, {"max_difference": 0.5}, "pass"),
        (1.6, 1.0, {"max_difference": 0.5}, "fail"),
        (0.0, 0.0, {"max_ratio": 1.2}, "pass"),
        (0.1, 0.0, {"max_ratio": 1.2}, "inconclusive"),
        (0.1, 0.0, {"max_ratio": 1.2, "max_difference": 0.5}, "pass"),
        (0.9, 0.0, {"max_ratio": 1.2, "max_difference": 0.5}, "fail"),
        (1.0, 1.0, {"max_ratio": 1.2, "below": 0.5}, "fail"),
        (float("inf"), 1.0, {"max_ratio": 1.2}, "inconclusive"),
    ],
)
def test_baseline_against_candidate(candidate: float, baseline: float, expect: dict[str, Any], verdict: str) -> None:
    assert prometheus.judge_against(expect, candidate, baseline).verdict == verdict


def test_both_queries_are_asked(listener: Listener) -> None:
    listener.measures("2")
    reading = ask(listener, query="candidate", baseline='baseline{app="{application}"}', max_ratio=1.5)
    assert reading.verdict == "pass"
    assert listener.queries == ["candidate", 'baseline{app="checkout"}']


HOSTILE = st.text(alphabet=st.characters(codec="utf-8"), max_size=30)


@given(HOSTILE, st.sampled_from(['"', "'"]))
def test_no_value_ends_the_string_that_it_stands_in(value: str, quote: str) -> None:
    query = f"up{{version={quote}{{version}}{quote}}} == 1"
    written = filled(query, replace(SUBJECT, version=value))
    inside = written.removeprefix(f"up{{version={quote}").removesuffix(f"{quote}}} == 1")
    assert len(inside) + len(f"up{{version={quote}{quote}}} == 1") == len(written)
    plain = inside.replace("\\\\", "").replace('\\"', "").replace("\\'", "")
    assert quote not in plain
    assert "\n" not in inside
    assert not plain.replace("\\n", "").replace("\\r", "").endswith("\\")


def test_in_a_pattern_a_value_means_itself() -> None:
    assert filled('up{v=~"{version}.*"}', SUBJECT) == 'up{v=~"2\\\\.0\\\\.0\\\\+build.*"}'
    assert filled('up{v="{version}"}', SUBJECT) == 'up{v="2.0.0+build"}'


def test_no_format_of_python_is_ever_applied() -> None:
    hostile = 'up{v="{version.__class__}",w="{0}",x="{application!r}"}'
    assert filled(hostile, SUBJECT) == hostile
    assert filled('up{v="{version}"}', replace(SUBJECT, version="{application}")) == 'up{v="{application}"}'


@pytest.mark.parametrize("query", ["up{application}", "up == {version}", "up{v=`{version}`}", 'up{v="a}{namespace}'])
def test_a_placeholder_out_of_place_is_refused(query: str) -> None:
    with pytest.raises(InvalidQuery):
        filled(query, SUBJECT)


@pytest.mark.parametrize(
    ("expect", "words"),
    [
        ({}, "say what the value should be"),
        ({"below": "1"}, "must be a number"),
        ({"max_ratio": 2}, "needs a “baseline”"),
        ({"baseline": "up"}, "say max_ratio"),
        ({"baseline": "", "max_ratio": 2}, "must be a query"),
        ({"blow": 1, "below": 1}, "unknown key “blow”"),
    ],
)
def test_expectations_that_say_nothing_are_refused(expect: dict[str, Any], words: str) -> None:
    question = Question(check_id="", name="", kind="prometheus", query="up", expect=expect)
    problems = prometheus.PrometheusCheck().problems(question, Reach(prometheus_url="http://p"))
    assert words in " ".join(problems["expect"])
    assert "kind" in prometheus.PrometheusCheck().problems(question, Reach())
