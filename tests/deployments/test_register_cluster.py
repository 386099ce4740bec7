"""`manage.py register_cluster`, with a kubeconfig as it lies on a disk."""

import base64
import copy
from pathlib import Path

import pytest
import yaml
from django.core.management import call_command
from django.core.management.base import CommandError

from deployments.models import Cluster
from deployments.sandbox.server import SandboxServer
from tests.sandbox.fixtures import sandbox_cluster

__all__ = ["sandbox_cluster"]
pytestmark = pytest.mark.django_db


def test_it_registers_a_cluster_and_updates_its_credentials(tmp_path: Path, sandbox_cluster: SandboxServer) -> None:
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(sandbox_cluster.kubeconfig))
    call_command("register_cluster", name="main", kubeconfig=file, verbosity=0)
    cluster = Cluster.objects.get(name="main")
    assert (cluster.server, cluster.credentials_version) == (sandbox_cluster.url, 1)

    call_command("register_cluster", name="main", kubeconfig=file, verbosity=0)
    cluster.refresh_from_db()
    assert cluster.credentials_version == 1, "the same file changes nothing"

    changed = copy.deepcopy(sandbox_cluster.kubeconfig)
    changed["preferences"] = {"colors": True}
    file.write_text(yaml.safe_dump(changed))
    call_command("register_cluster", name="main", kubeconfig=file, verbosity=0)
    cluster.refresh_from_db()
    assert cluster.credentials_version == 2


def test_files_that_the_kubeconfig_names_are_put_inline(tmp_path: Path, sandbox_cluster: SandboxServer) -> None:
    content = copy.deepcopy(sandbox_cluster.kubeconfig)
    token = content["users"][0]["user"].pop("token")
    (tmp_path / "token").write_text(f"{token}\n")
    content["users"][0]["user"]["tokenFile"] = "token"
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(content))

    call_command("register_cluster", name="main", kubeconfig=file, verbosity=0)

    stored = yaml.safe_load(Cluster.objects.get().kubeconfig)
    assert stored["users"][0]["user"] == {"token": token}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- just\n- a list\n", "no kubeconfig"),
        ("a: [", "not valid YAML"),
        (base64.b64encode(b"\x00\x01").decode(), "no kubeconfig"),
        ("clusters: [{name: a, cluster: {certificate-authority: /nowhere/ca.pem}}]", "/nowhere/ca.pem"),
    ],
)
def test_an_unusable_kubeconfig_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)

    with pytest.raises(CommandError, match=said):
        call_command("register_cluster", name="main", kubeconfig=file, verbosity=0)
    assert not Cluster.objects.exists()
