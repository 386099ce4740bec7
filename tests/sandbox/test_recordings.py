"""The sandbox cluster answers as the recorded real API server did: status, body, and what watches tell."""

import json
from collections.abc import Iterator

import pytest

from deployments.sandbox.server import SandboxServer
from tests.sandbox.normal_form import Names, courses, differences, normal
from tests.sandbox.replay import Client, Replay, Storybook, recorded

ROLLOUTS = ("rollout-success", "rollout-crash-loop", "rollout-image-pull-back-off", "rollout-never-ready")
OTHERS = ("jobs", "statefulset-daemonset-service-configmap")


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    with SandboxServer(speed=5) as started:
        yield started


def prepare(server: SandboxServer, scenario: str) -> None:
    body = {"metadata": {"name": f"rec-{scenario}"}}
    answer = Client(server).ask({"method": "POST", "path": "/api/v1/namespaces", "body": body})
    assert answer.status == 201


@pytest.mark.parametrize("scenario", [*ROLLOUTS, *OTHERS])
def test_a_recorded_scenario_is_answered_and_told_alike(server: SandboxServer, scenario: str) -> None:
    prepare(server, scenario)
    replay = Replay(scenario, server)

    replay.play()

    assert not replay.unreached
    assert not wrong_answers(replay)
    assert not wrong_stories(recorded_story(scenario), replay.story)


def wrong_answers(replay: Replay) -> list[str]:
    lines: list[str] = []
    for line, answer in replay.answers:
        request = line["request"]
        subject = f"{request['method']} {request['path']} {request.get('params')}"
        if answer.status != line["response"]["status"]:
            lines.append(f"{subject}: recorded {line['response']['status']}, answered {answer.status} {answer.body}")
            continue
        wanted, found = normal(line["response"]["body"], Names()), normal(answer.body, Names())
        lines += [f"{subject}: {text}" for text in differences(wanted, found)]
    return lines


def recorded_story(scenario: str) -> Storybook:
    return Storybook(line for line in recorded(scenario) if "event" in line)


def wrong_stories(wanted: Storybook, found: Storybook) -> list[str]:
    known = wanted.events.keys() ^ found.events.keys()
    lines = [f"{key} is {'missing' if key in wanted.events else 'extra'}" for key in known]
    for key in wanted.events.keys() & found.events.keys():
        left, right = wanted.sequences(key), found.sequences(key)
        if len(left) != len(right):
            lines.append(f"{key}: {len(left)} objects recorded, {len(right)} found")
        compare = told_otherwise if key[0] in ("Pod", "Event") else gone_otherwise
        for before, after in zip(left, right, strict=False):
            lines += [f"{key}: {text}" for text in compare(before, after)]
    return lines


def gone_otherwise(wanted: list[tuple[str, str]], found: list[tuple[str, str]]) -> list[str]:
    """For what controllers write: each field goes through the same values."""
    left, right = (courses([json.loads(plain) for _, plain in events]) for events in (wanted, found))
    kinds = [[kind for kind, _ in events if kind != "MODIFIED"] for events in (wanted, found)]
    return differences(left, right) + differences(*kinds, "types of events")


def told_otherwise(wanted: list[tuple[str, str]], found: list[tuple[str, str]]) -> Iterator[str]:
    if len(wanted) != len(found):
        yield f"{len(wanted)} events recorded, {len(found)} told"
    for number, (before, after) in enumerate(zip(wanted, found, strict=False)):
        if before[0] != after[0]:
            yield f"event {number}: recorded {before[0]}, told {after[0]}"
        for text in differences(json.loads(before[1]), json.loads(after[1])):
            yield f"event {number}: {text}"


def test_errors_are_answered_alike(server: SandboxServer) -> None:
    """Each refusal of `errors.jsonl`; the watch among them is asked for one second instead of two."""
    prepare(server, "errors")
    client = Client(server)
    seen = {"method": "POST", "path": "/api/v1/namespaces/rec-errors/configmaps", "body": {"metadata": {"name": "x"}}}
    assert client.ask(seen).status == 201  # the recording's quota found two
    replay = Replay("errors", server)
    lines = [line for line in recorded("errors") if (line["request"].get("params") or {}).get("watch") != "1"]

    replay.play(lines)

    assert not [text for text in wrong_answers(replay) if not hangs_on_milliseconds(text)]


def hangs_on_milliseconds(text: str) -> bool:
    """How far the rollout was when the second manager forced its way: 10 ms after the first, in the recording."""
    return "'force': 'true'}: .status" in text or "'force': 'true'}: .metadata.managedFields[0]" in text


def test_a_watch_from_an_old_version_tells_the_past_and_goes_on(server: SandboxServer) -> None:
    prepare(server, "errors")
    client = Client(server)
    lines = recorded("errors")
    for line in lines[:3]:
        client.ask(line["request"])
    watch = next(line for line in lines if (line["request"].get("params") or {}).get("watch") == "1")
    told = Storybook({"event": json.loads(text)} for text in watch["response"]["body"].splitlines())

    events = client.watch(watch["request"]["path"], {**watch["request"]["params"], "timeoutSeconds": "1"})
    found = Storybook({"event": event} for event in events)

    # The pods of the second rollout become ready one by one or together: its middle is no fixed story.
    key = ("Deployment", "web")
    assert [event[2] for event in found.events[key][:3]] == [event[2] for event in told.events[key][:3]]
    assert found.final_states() == told.final_states()


def test_a_watch_from_a_forgotten_version_is_told_so(server: SandboxServer) -> None:
    prepare(server, "watch-expired")
    client = Client(server)
    created, expired = recorded("watch-expired")
    version = client.ask(created["request"]).body["metadata"]["resourceVersion"]
    client.ask({"method": "POST", "path": "/api/v1/namespaces", "body": {"metadata": {"name": "later"}}})
    server.forget_changes()

    params = {**expired["request"]["params"], "resourceVersion": version}
    found = list(client.watch(expired["request"]["path"], params))

    assert normal(found, Names()) == normal(expired["response"]["body_lines"], Names())


def test_discovery_describes_what_is_served_as_recorded(server: SandboxServer) -> None:
    client = Client(server)
    for line in recorded("discovery"):
        path, wanted = line["request"]["path"], line["response"]["body"]
        found = client.ask(line["request"]).body
        if path == "/version":
            assert found.keys() == wanted.keys()
            assert (found["major"], found["minor"]) == ("1", "36")
        elif path == "/apis":
            known = {group["name"]: group["preferredVersion"] for group in wanted["groups"]}
            # A real cluster learns this group from a CustomResourceDefinition.
            built_in = [group for group in found["groups"] if group["name"] != "gateway.networking.k8s.io"]
            assert {group["name"]: group["preferredVersion"] for group in built_in}.items() <= known.items()
        elif "resources" in (wanted if isinstance(wanted, dict) else {}):
            known = {entry["name"]: entry for entry in wanted["resources"]}
            for entry in found["resources"]:
                known[entry["name"]].pop("storageVersionHash", None)
                assert entry == known[entry["name"]]
        else:
            assert normal(found, Names()) == normal(wanted, Names())
