"""The admin site: for administrators only, and no way around the services."""

import pytest
from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.http import HttpRequest
from django.test import Client, RequestFactory

from audit.models import Event, Seal, SealedRange
from deployments.models import Deployment, DeploymentApproval, LogLine, Step
from releases.models import Approval, Release
from tests.architecture.addresses import every_address
from tests.architecture.test_addresses import unchanged
from tests.architecture.world import World, build

HISTORY = (Event, Seal, SealedRange, Release, Approval, Deployment, DeploymentApproval, Step, LogLine)
# Written by services and transitions, never typed.
NEVER_EDITED = {
    "status", "digest", "release_digest", "sequence", "hash", "decision", "voided_at", "approvals", "created_by",
    "edited_by", "deployed_by", "password", "is_superuser", "is_staff", "kubeconfig", "database_url",
    "user_permissions", "groups",
}  # fmt: skip
ADMIN_ADDRESSES = [each for each in every_address() if each.is_admin]
# Theirs is an answer, not an object: the login form, the way to the page of passwords, and what logs out.
OPEN = {"/admin/login/", "admin:login", "/admin/password_change/", "admin:password_change"}
OPEN |= {"/admin/logout/", "admin:logout"}


@pytest.fixture
def world(db: None) -> World:
    return build()


def client_of(world: World, person: str) -> Client:
    client = Client()
    if user := world.people[person]:
        client.force_login(user)
    return client


@pytest.mark.parametrize("person", ["anonymous", "outsider", "viewer", "deployer"])
def test_only_administrators_come_in(world: World, person: str) -> None:
    client, wrong = client_of(world, person), []
    for address in ADMIN_ADDRESSES:
        if address.name in OPEN:
            continue
        path = address.filled(world.values_for(address))
        for method in (client.get, client.post):
            with unchanged() as changes:
                response = method(path)
            to_login = response.status_code == 302 and "login" in response["Location"]
            if not (to_login or response.status_code in (403, 404)) or changes:
                wrong.append(f"{path}: {response.status_code} {changes}")
    assert not wrong, "\n" + "\n".join(wrong)


def test_every_page_of_the_admin_opens_for_an_administrator(world: World) -> None:
    client, wrong = client_of(world, "admin"), []
    for address in ADMIN_ADDRESSES:
        if address.name in OPEN:
            continue
        path = address.filled(world.values_for(address))
        status = client.get(path).status_code
        if status >= 500 or status not in (200, 302, 403, 404):
            wrong.append(f"{path}: {status}")
    assert not wrong


def asked_by_an_administrator(world: World) -> HttpRequest:
    request = RequestFactory().get("/admin/")
    request.user = world.people["admin"]  # type: ignore[assignment]
    return request


def test_nothing_that_services_write_can_be_typed(world: World) -> None:
    request = asked_by_an_administrator(world)
    for model_admin in admin.site._registry.values():
        if not (model_admin.has_change_permission(request) or model_admin.has_add_permission(request)):
            continue
        row = model_admin.model._default_manager.first() or model_admin.model()
        fields = flatten_fieldsets(model_admin.get_fieldsets(request, row))
        typed = set(fields) - set(model_admin.get_readonly_fields(request, row))
        assert not typed & NEVER_EDITED, model_admin


def test_history_is_neither_added_changed_nor_deleted(world: World) -> None:
    request = asked_by_an_administrator(world)
    for model_admin in [admin.site._registry[model] for model in HISTORY if admin.site.is_registered(model)]:
        may = (model_admin.has_add_permission, model_admin.has_change_permission, model_admin.has_delete_permission)
        assert not any(ask(request) for ask in may), model_admin
        assert "delete_selected" not in model_admin.get_actions(request)
        for inline in model_admin.get_inline_instances(request):
            assert not inline.has_add_permission(request, None)
            assert not inline.has_change_permission(request)
            assert not inline.can_delete


def test_posting_to_the_history_changes_nothing(world: World) -> None:
    client = client_of(world, "admin")
    names = {f"admin:{model._meta.app_label}_{model._meta.model_name}" for model in HISTORY}
    wrong = []
    for address in ADMIN_ADDRESSES:
        if address.name.rpartition("_")[0] not in names:
            continue
        path = address.filled(world.values_for(address))
        form = {
            "status": "released",
            "digest": "x",
            "action": "delete_selected",
            "post": "yes",
            "_selected_action": "1",
        }
        with unchanged() as changes:
            client.post(path, form)
        wrong += [f"{path} changed {table}" for table in changes]
    assert not wrong


def test_no_task_can_be_typed_into_the_queue() -> None:
    """A schedule names a Python function and its arguments: whoever may write one runs anything as the server."""
    request = RequestFactory().get("/admin/")
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label == "django_q":
            request.user = AlmightyUser()  # type: ignore[assignment]
            assert not model_admin.has_add_permission(request), model
            if model._meta.model_name in ("schedule", "ormq"):
                assert not model_admin.has_change_permission(request), model


class AlmightyUser:
    is_active = is_staff = is_superuser = True

    def has_perm(self, *_: object) -> bool:
        return True
