"""The live socket: who may follow what. (`tests/deployments/test_consumers.py` tries the socket itself.)"""

from uuid import uuid4

import pytest

from accounts import services as account_services
from accounts.selectors import actor_for
from deployments.topics import LISTS, permitted
from releasemgr.core.actors import ANONYMOUS
from tests import factories
from tests.architecture.expectations import TEAM
from tests.architecture.world import World, build


@pytest.fixture
def world(db: None) -> World:
    return build()


def test_everybody_follows_what_they_may_read(world: World) -> None:
    deployment = world.deployment.pk
    things = {f"release.{world.release.pk}", f"deployment.{deployment}", f"workloads.{deployment}"}
    everybody = {f"user.{each.pk}" for each in world.people.values() if each}
    nonsense = {f"release.{uuid4()}", f"deployment.{world.release.pk}", "release.", "user.", "*", "release.*", "\x00"}
    for name, user in world.people.items():
        actor = factories.actor(user) if user else ANONYMOUS
        allowed = permitted(actor, things | everybody | nonsense | LISTS | {"user.None"})

        readable = things if name in TEAM else set()
        assert allowed == (readable | LISTS | {f"user.{user.pk}"} if user else frozenset()), name


def test_an_id_in_another_spelling_names_no_group(world: World) -> None:
    pk = str(world.release.pk)
    admin = world.people["admin"]
    assert admin is not None
    spellings = [f"release.{text}" for text in (pk.upper(), pk.replace("-", ""), f"{{{pk}}}", f"urn:uuid:{pk}")]
    assert permitted(factories.actor(admin), spellings) == frozenset()


def test_whoever_is_deactivated_follows_nothing(world: World) -> None:
    deployer = world.people["deployer"]
    assert deployer is not None
    account_services.update_user(
        actor=factories.actor(world.people["admin"]),
        user=deployer,
        changes={"is_active": False},  # type: ignore[arg-type]
    )
    deployer.refresh_from_db()
    assert permitted(actor_for(deployer), [f"release.{world.release.pk}", "board"]) == frozenset()
