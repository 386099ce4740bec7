"""How the text of an image reference decides what becomes of its container. See README.md for the words."""

import hashlib
from dataclasses import dataclass, replace

# Seconds between a pod's binding and its container being ready, and between that and what happens next.
READY = 0.3
NEXT = 0.5
SLOW_READY = 3.0
FLAP_CRASH = 2.0


@dataclass(frozen=True, slots=True)
class State:
    """A container at one moment: running, waiting (with a reason) or terminated (with an exit code)."""

    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    ready: bool = False
    restarts: int = 0
    last_reason: str = ""
    last_exit_code: int = 0

    @property
    def is_waiting(self) -> bool:
        return bool(self.reason) and self.exit_code is None

    @property
    def is_running(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True)
class Moment:
    """From so many seconds after binding on, the container is in this state."""

    at: float
    state: State


_RUNNING = State(ready=True)
_BACK_OFF = "back-off 10s restarting failed container"
_CRASHED = State(reason="CrashLoopBackOff", message=_BACK_OFF, restarts=3)
_OUT_OF_MEMORY = replace(_CRASHED, last_reason="OOMKilled", last_exit_code=137)


def image_id(image: str) -> str:
    """What the node says it runs: the digest of the reference, or one made from a reference by tag."""
    name, _, digest = image.partition("@")
    directory, slash, last = name.rpartition("/")
    repository = f"{directory}{slash}{last.partition(':')[0]}"
    return f"{repository}@{digest or 'sha256:' + hashlib.sha256(image.encode()).hexdigest()}"


def does_not_fit(image: str) -> bool:
    return "nospace" in image


def timeline(image: str, restart_policy: str, *, is_job: bool) -> list[Moment]:
    """What a container goes through, in order. Containers of a Job's pod end; others run on."""
    if "nopull" in image:
        return [Moment(0, State(reason="ImagePullBackOff", message=f'Back-off pulling image "{image}"'))]
    if "noconfig" in image:
        return [Moment(0, State(reason="CreateContainerConfigError", message='configmap "noconfig" not found'))]
    if "unready" in image:
        return [Moment(READY, State())]
    ready = SLOW_READY if "slow" in image else READY
    if is_job:
        return _run_to_end(image, restart_policy, ready)
    if "oom" in image:
        return _broken(restart_policy, "OOMKilled", 137, _OUT_OF_MEMORY)
    if "crash" in image:
        return _broken(restart_policy, "Error", 1, _CRASHED)
    if "flap" in image:
        crashed = replace(_CRASHED, restarts=1, last_reason="Error", last_exit_code=1)
        return [Moment(ready, _RUNNING), Moment(ready + FLAP_CRASH, crashed)]
    return [Moment(ready, _RUNNING)]


def _broken(restart_policy: str, reason: str, code: int, waiting: State) -> list[Moment]:
    if restart_policy == "Never":
        waiting = State(reason=reason, exit_code=code)
    return [Moment(READY, State()), Moment(READY + NEXT, waiting)]


def _run_to_end(image: str, restart_policy: str, ready: float) -> list[Moment]:
    reason, code = _end_of_job(image)
    start = Moment(ready, _RUNNING)
    if code and restart_policy == "OnFailure":
        return [start, *(Moment(ready + NEXT * n, _restarted(n, reason, code)) for n in range(1, 8))]
    return [start, Moment(ready + NEXT, State(reason=reason, exit_code=code))]


def _restarted(count: int, reason: str, code: int) -> State:
    return replace(_CRASHED, restarts=count, last_reason=reason, last_exit_code=code)


def _end_of_job(image: str) -> tuple[str, int]:
    if "oom" in image:
        return "OOMKilled", 137
    return ("Error", 1) if "fail" in image or "crash" in image else ("Completed", 0)
