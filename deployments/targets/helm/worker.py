"""Helm itself: `python -m deployments.targets.helm.worker`, requests as lines of JSON in, answers as lines of JSON out.

The library is a Go runtime, which a forked process must never inherit: it may be imported here and nowhere else. The
kubeconfig comes with the request and stays in memory. Standard input stays open as long as the caller lives; when it
ends, so does this process, whatever Helm is doing: nobody would hear of its end. Unless it was asked to stay: then Helm
finishes what it does, and others read its end in the release's record.
"""

import base64
import contextlib
import json
import os
import re
import resource
import sys
import threading
from collections.abc import Iterator, Mapping
from queue import SimpleQueue
from typing import Any, NoReturn

import helm_python as helm

from deployments.targets.helm.keyhole import narrowed

# As Helm itself cuts what templates wrote into documents.
_DOCUMENTS = re.compile(r"(?:^|\s*\n)---\s*")
_NOTES = "NOTES.txt"
HOOK = "helm.sh/hook"
KEPT_REVISIONS = 10
# A template is a program of somebody else's: `until` and `repeat` alone can ask for all the memory there is.
MOST_MEMORY_BYTES = 2 * 1024**3


class _Task:
    """One request, which ends either with its answer or with the word that Helm stays: never with both."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.request = request
        self.stays = False
        self.is_answered = False
        self._lock = threading.Lock()

    def answer(self, answer: Mapping[str, Any]) -> None:
        with self._lock:
            if self.stays:
                os._exit(0)
            self.is_answered = True
            _say(answer)

    def stay(self) -> None:
        with self._lock:
            if not self.is_answered and not self.stays:
                self.stays = True
                _say({"stays": True})


def main() -> NoReturn:
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    tasks: SimpleQueue[_Task] = SimpleQueue()
    threading.Thread(target=_read, args=[tasks], daemon=True).start()
    while True:
        task = tasks.get()
        try:
            task.answer({"ok": _ACTIONS[task.request["action"]](task.request)})
        except helm.HelmError as error:
            task.answer({"error": {"kind": type(error).__name__, "message": str(error)}})


def _read(tasks: "SimpleQueue[_Task]") -> None:
    """In a thread of its own, for the end of the input must be seen while Helm is busy."""
    task: _Task | None = None
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if request["action"] != "stay":
            task = _Task(request)
            tasks.put(task)
        elif task is not None:
            threading.Thread(target=_stay, args=[task], daemon=True).start()
    if task is None or not task.stays:
        os._exit(1)


def _stay(task: _Task) -> None:
    # The Kubernetes client costs half a second, which most requests need not pay.
    from deployments.targets.helm.staying import signs_of_life  # noqa: PLC0415

    for _ in signs_of_life(task.request):
        task.stay()
        if task.is_answered:
            return


def _say(answer: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


@contextlib.contextmanager
def _config(request: Mapping[str, Any]) -> Iterator[helm.Config]:
    text = json.dumps(request["kubeconfig"])
    if not hasattr(os, "memfd_create"):
        # Helm's own temporary file, in the private directory that the caller made and removes.
        with helm.Config(kubeconfig_content=text, namespace=request["namespace"]) as config:
            yield config
        return
    with os.fdopen(os.memfd_create("kubeconfig"), "wb") as file:
        file.write(text.encode())
        file.flush()
        path = f"/proc/self/fd/{file.fileno()}"
        with helm.Config(kubeconfig_path=path, namespace=request["namespace"]) as config:
            yield config


def _render(request: Mapping[str, Any]) -> dict[str, Any]:
    """What the chart comes to in this cluster now; nothing is changed. Hooks stand beside the other objects."""
    with narrowed(request["kubeconfig"], request["namespace"]) as kubeconfig:
        return _rendered({**request, "kubeconfig": kubeconfig})


def _rendered(request: Mapping[str, Any]) -> dict[str, Any]:
    name, values, is_upgrade = request["release"], request["values"], request["is_upgrade"]
    with helm.Chart.load_archive(base64.b64decode(request["chart"])) as chart, _config(request) as config:
        if is_upgrade:
            release = config.upgrade(chart, name, values, dry_run="server", reset_values=True)
        else:
            release = config.install(chart, name, values, dry_run="server")
        # The summary of a dry run leaves the hooks out.
        files = config.render(
            chart,
            values,
            name=name,
            namespace=request["namespace"],
            revision=release["revision"],
            is_install=not is_upgrade,
            is_upgrade=is_upgrade,
        )
        every = [item for path, text in files.items() if not path.endswith(_NOTES) for item in _objects(text)]
        return {
            "name": chart.name,
            "version": chart.version,
            "objects": _objects(release["manifest"]),
            "hooks": [item for item in every if HOOK in _annotations(item)],
            "crds": [item for found in chart.crds for item in _objects(found["data"])] if not is_upgrade else [],
        }


def _objects(text: str) -> list[dict[str, Any]]:
    """Parsed by Go's YAML, as Helm will parse it: Python's reads a bare `on` or `1e3` differently."""
    documents = (document for document in _DOCUMENTS.split(text) if document.strip())
    return [found for document in documents if (found := helm.values_from_yaml(document))]


def _annotations(item: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = item.get("metadata")
    found = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _apply(request: Mapping[str, Any]) -> dict[str, Any]:
    """Installs or upgrades, waiting for hooks only: the engine watches the rollout itself."""
    options = {
        "wait": "hookOnly",
        "timeout": request["timeout_seconds"],
        "description": request["description"],
        "labels": request["labels"],
    }
    with helm.Chart.load_archive(base64.b64decode(request["chart"])) as chart, _config(request) as config:
        if request["is_upgrade"]:
            options |= {"reset_values": True, "max_history": KEPT_REVISIONS}
            release = config.upgrade(chart, request["release"], request["values"], **options)
        else:
            release = config.install(chart, request["release"], request["values"], **options)
    return {"revision": release["revision"], "status": release["status"]}


_ACTIONS = {"render": _render, "apply": _apply}


if __name__ == "__main__":
    main()
