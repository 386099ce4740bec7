"""The demo company, as `make up` loads it on the first run."""

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django import Settings

from accounts.models import Team, User
from deployments.models import Cluster, Deployment, Target
from releases.models import Application, Release
from tests import factories


@pytest.mark.django_db
def test_the_demo_is_loaded_once() -> None:
    factories.cluster(name="sandbox")
    call_command("seed_demo", cluster="sandbox", verbosity=0)
    counts = [model.objects.count() for model in (Team, User, Application, Target, Release, Deployment)]
    assert counts == [2, 4, 3, 10, 7, 12]

    call_command("seed_demo", cluster="sandbox", verbosity=0)
    assert [model.objects.count() for model in (Team, User, Application, Target, Release, Deployment)] == counts


@pytest.mark.django_db
def test_without_a_cluster_nothing_is_deployed() -> None:
    call_command("seed_demo", verbosity=0)

    assert Application.objects.count() == 3
    assert not Deployment.objects.exists()


@pytest.mark.django_db
def test_the_demo_is_refused_in_production(settings: Settings) -> None:
    settings.PRODUCTION = True

    with pytest.raises(CommandError, match="well-known passwords"):
        call_command("seed_demo", verbosity=0)
    assert not User.objects.exists()


@pytest.mark.django_db
def test_an_unknown_cluster_is_named() -> None:
    with pytest.raises(CommandError, match="no cluster “moon”"):
        call_command("seed_demo", cluster="moon", verbosity=0)
    assert not Cluster.objects.exists()
