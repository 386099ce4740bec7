"""What events make of a followed workload, and which of them wake its deployment."""

from collections.abc import Iterable
from uuid import UUID

import msgspec
import pytest

from deployments.engine.following.phases import Followed
from deployments.engine.following.picture import Picture
from deployments.statuses import WorkloadPhase
from deployments.targets.kubernetes.following.changes import Change
from deployments.targets.kubernetes.following.sightings import PodSight, WorkloadSight

OURS, KEY = UUID(int=1), ("shop", "Deployment", "web")
WAITING, MOVING, SETTLED, TROUBLED, GONE = WorkloadPhase
Told = list[tuple[WorkloadPhase, bool]]


def web(version: int, *, event: str = "MODIFIED", updated: int = 1, **shown: object) -> Change:
    fields = {"deployment": str(OURS), "is_observed": True, "is_complete": False, "troubles": ()} | shown
    sight = WorkloadSight(wanted=3, updated=updated, ready=3, **fields)  # type: ignore[arg-type]
    return Change("Deployment", "shop", "web", str(version), event, KEY[1:], sight)


def pod(version: int, *troubles: str, name: str = "p", leaving: bool = False, event: str = "MODIFIED") -> Change:
    return Change("Pod", "shop", name, str(version), event, KEY[1:], PodSight(leaving, troubles))


def odd(version: int) -> Change:
    return Change("Deployment", "shop", "web", str(version), "MODIFIED", KEY[1:], None)


@pytest.fixture
def picture() -> Picture:
    """Everything was listed, nothing is there, one workload is followed."""
    made = Picture()
    made.replace("Deployment", None, ())
    made.replace("Pod", None, ())
    made.follow([Followed(1, OURS, KEY, WAITING)])
    assert told(made) == []
    return made


def told(picture: Picture, *changes: Change) -> Told:
    """What each change (or what waits) makes of the row, and whether it wakes."""
    found: Told = []
    for change in changes or (None,):
        if change is not None:
            picture.take(change)
        findings = picture.findings()
        found += [(finding.phase, finding.wakes) for _, finding in findings]
        picture.wrote(findings)
    return found


def test_progress_wakes_nobody_and_the_end_does_once(picture: Picture) -> None:
    unseen, complete = web(1, is_observed=False), web(4, updated=3, is_complete=True)
    assert told(picture, unseen, web(2), web(3, updated=2), complete) == [
        (WAITING, False),
        (MOVING, False),
        (MOVING, False),
        (SETTLED, True),
    ]
    assert told(picture, web(5, updated=3, is_complete=True)) == []


def test_it_has_settled_when_the_last_old_pod_is_gone(picture: Picture) -> None:
    leaving = [pod(number, name=f"old-{number}", leaving=True) for number in (1, 2)]
    gone = [pod(number + 10, name=f"old-{number}", event="DELETED") for number in (1, 2)]
    told(picture, *leaving)
    assert told(picture, web(5, updated=3, is_complete=True)) == [(MOVING, False)]
    assert told(picture, *gone) == [(SETTLED, True)]


def test_what_has_settled_wakes_when_it_moves_again(picture: Picture) -> None:
    told(picture, web(1, is_complete=True))
    assert told(picture, web(2)) == [(MOVING, True)]


def test_a_trouble_wakes_when_it_is_new(picture: Picture) -> None:
    told(picture, web(1))
    assert told(picture, pod(2, "ErrImagePull")) == [(TROUBLED, True)]
    assert told(picture, pod(3, "ImagePullBackOff")) == [(TROUBLED, True)]
    assert told(picture, pod(4, "ErrImagePull"), pod(5, "ImagePullBackOff")) == []
    assert told(picture, pod(6, "ErrImagePull", name="another")) == []
    assert told(picture, web(7, troubles=("ProgressDeadlineExceeded",))) == [(TROUBLED, True)]
    assert told(picture, pod(8), pod(9, name="another"), web(10)) == [(MOVING, False)]
    assert told(picture, pod(11, "ErrImagePull")) == [(TROUBLED, True)]


def test_what_others_applied_is_not_ours_yet(picture: Picture) -> None:
    assert told(picture, web(1, deployment="another", is_complete=True)) == [(WAITING, False)]
    assert told(picture, web(2, deployment="", is_complete=True)) == [(SETTLED, True)]


def test_a_workload_that_disappears_is_gone(picture: Picture) -> None:
    told(picture, web(1))
    assert told(picture, web(2, event="DELETED")) == [(GONE, True)]
    assert told(picture, web(3, event="ADDED")) == [(MOVING, False)]


def test_old_and_repeated_events_change_nothing(picture: Picture) -> None:
    told(picture, web(10, is_complete=True), pod(11, leaving=True), pod(12, event="DELETED"))
    assert told(picture, web(9), web(10), pod(11, leaving=True)) == []
    # Versions that are no numbers cannot be compared, so the last word counts.
    assert told(picture, msgspec.structs.replace(web(1), version="a")) == [(MOVING, True)]


def test_a_row_that_comes_late_finds_what_has_settled_before(picture: Picture) -> None:
    told(picture, web(1, is_complete=True))
    later = Followed(2, UUID(int=2), KEY, WAITING)
    picture.follow([later])
    assert told(picture) == [(WAITING, False)]
    picture.forget([1])
    assert told(picture, web(2, deployment=str(UUID(int=2)), is_complete=True)) == [(SETTLED, True)]
    picture.forget([2])
    assert told(picture, web(3)) == []


def test_nothing_is_judged_before_everything_was_listed() -> None:
    picture = Picture()
    picture.follow([Followed(1, OURS, KEY, MOVING)])
    assert told(picture) == []
    picture.replace("Pod", None, ())
    assert told(picture) == []
    picture.replace("Deployment", "elsewhere", ())
    assert told(picture) == []
    picture.replace("Deployment", "shop", (web(1, is_complete=True),))
    assert told(picture) == [(SETTLED, True)]


def test_a_list_replaces_what_was_known(picture: Picture) -> None:
    told(picture, web(50), pod(51, "CrashLoopBackOff"))
    picture.replace("Pod", None, ())
    assert told(picture) == [(MOVING, False)]
    picture.replace("Deployment", "another", ())
    assert told(picture) == []
    # Versions may begin anew after a restored backup.
    picture.replace("Deployment", None, (web(3, is_complete=True),))
    assert told(picture) == [(SETTLED, True)]
    picture.replace("Deployment", None, ())
    assert told(picture) == [(GONE, True)]


def test_pods_that_we_may_not_see_hold_up_no_judgement() -> None:
    picture = Picture()
    picture.follow([Followed(1, OURS, KEY, WAITING)])
    picture.replace("Deployment", None, (web(1, is_complete=True),))
    picture.do_without("Pod", None)
    assert told(picture) == [(SETTLED, True)]


def test_an_object_that_cannot_be_read_wakes_each_time_it_changes(picture: Picture) -> None:
    told(picture, web(1))
    assert told(picture, odd(2), odd(3)) == [(MOVING, True), (MOVING, True)]
    assert told(picture, pod(4, "CrashLoopBackOff")) == []


def test_what_could_not_be_written_stays_due(picture: Picture) -> None:
    events: Iterable[Change] = (web(1), web(2, updated=2), web(3, updated=3, is_complete=True))
    for change in events:
        picture.take(change)
        picture.findings()
    assert told(picture) == [(SETTLED, True)]
