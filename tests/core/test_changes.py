"""Saving with manners: taken values, and rows that changed under one's hands."""

from typing import Any

import pytest
from django.db.models import Model

from accounts.models import Team
from releasemgr.core import changes
from releasemgr.core.errors import Invalid, NotFound
from releases.models import Application
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_name_that_was_taken_a_moment_ago_is_refused_like_any_other(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look finds the name free; by the time of the INSERT somebody else has it."""
    judge, looks = changes.validate, []

    def validate(obj: Model, **options: Any) -> None:
        looks.append(obj)
        if len(looks) > 1:
            judge(obj, **options)

    monkeypatch.setattr(changes, "validate", validate)
    factories.application(team, slug="checkout")
    with pytest.raises(Invalid) as refused:
        changes.write(Application(slug="checkout", name="Other", team=team))
    assert "slug" in refused.value.details
    assert Application.objects.get().name == "Checkout"


def test_what_somebody_deleted_is_told_to_be_gone(team: Team) -> None:
    application = factories.application(team)
    Application.objects.filter(pk=application.pk).delete()
    with pytest.raises(NotFound, match="is gone"):
        changes.lock(Application.objects.all(), application)
