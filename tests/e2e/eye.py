"""An eye of our own on the cluster: when a rollout was done, by the clock of this machine."""

import json
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import yaml

DEPLOYMENTS = "/apis/apps/v1/namespaces/development/deployments?watch=true&timeoutSeconds=120"


class Eye:
    """Follows the Deployments of the development namespace; `done` holds the moment for each image."""

    def __init__(self, kubeconfig: Path) -> None:
        content = yaml.safe_load(kubeconfig.read_text())
        token = content["users"][0]["user"]["token"]
        address = content["clusters"][0]["cluster"]["server"] + DEPLOYMENTS
        self._request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
        self.done: dict[str, float] = {}
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        with urllib.request.urlopen(self._request, timeout=120) as answer:
            for line in answer:
                self._note(json.loads(line)["object"], time.time())

    def _note(self, item: dict[str, Any], at: float) -> None:
        status, wanted = item.get("status") or {}, item["spec"]["replicas"]
        is_current = status.get("observedGeneration", 0) >= item["metadata"]["generation"]
        if is_current and all(status.get(f"{name}eplicas") == wanted for name in ("r", "updatedR", "availableR")):
            self.done.setdefault(item["spec"]["template"]["spec"]["containers"][0]["image"], at)
