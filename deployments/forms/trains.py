"""Choosing what leaves together, and taking it back."""

from collections.abc import Iterable
from typing import Any

from django import forms

from deployments.forms.deployments import REASON_HELP
from deployments.selectors.trains import Departure
from releasemgr.core.forms import RefusableForm


class TrainForm(RefusableForm):
    """The page draws the choice itself, as a table: `chosen` says which boxes are ticked."""

    releases = forms.MultipleChoiceField(error_messages={"required": "Choose at least one application."})
    reason = forms.CharField(
        max_length=2000, required=False, help_text=REASON_HELP, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *args: Any, departures: Iterable[Departure], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        free = [each for each in departures if not each.blocked]
        choice = self.fields["releases"]
        assert isinstance(choice, forms.MultipleChoiceField)  # noqa: S101 - declared a few lines above
        choice.choices = [(str(each.release.pk), str(each.release)) for each in free]
        choice.initial = [str(each.release.pk) for each in free if not each.doubt]

    @property
    def chosen(self) -> list[str]:
        value = self["releases"].value()
        return [str(each) for each in value] if isinstance(value, list | tuple) else []


class TrainRollbackForm(RefusableForm):
    reason = forms.CharField(
        max_length=2000,
        error_messages={"required": "Say why you roll back: it stays on record."},
        widget=forms.Textarea(attrs={"rows": 2, "autofocus": True}),
    )
