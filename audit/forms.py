"""The filter of the audit log: one reader of its parameters for page, export and API."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import is_naive

from audit import labels
from audit.selectors import EventFilter
from releasemgr.core.errors import Invalid

MOMENT = "Write a date such as 2026-11-22, or a time such as 2026-11-22T09:30:00Z."


class MomentField(forms.Field):
    """A date or an RFC 3339 time, in UTC unless it says otherwise; with `whole_day` a date means the end of it."""

    widget = forms.DateInput(attrs={"type": "date"})

    def __init__(self, *, whole_day: bool = False, **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)
        self.whole_day = whole_day

    def to_python(self, value: Any) -> datetime | None:
        # A plus sign in a query string arrives as a space.
        text = str(value or "").strip().replace(" ", "+")
        if not text:
            return None
        try:
            return self._moment(text)
        except (ValueError, OverflowError):
            raise ValidationError(MOMENT) from None

    def _moment(self, text: str) -> datetime:
        if day := parse_date(text):
            midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
            return midnight + timedelta(days=1) if self.whole_day else midnight
        moment = parse_datetime(text)
        if moment is None:
            raise ValueError(text)
        return moment.replace(tzinfo=UTC) if is_naive(moment) else moment.astimezone(UTC)


class EventFilterForm(forms.Form):
    q = forms.CharField(
        label="Search",
        required=False,
        max_length=200,
        widget=forms.TextInput(
            attrs={"type": "search", "data-search": True, "placeholder": "Name, reason, request id"}
        ),
    )
    user = forms.CharField(label="Person", required=False, max_length=200)
    # No choice fields: an action of an older version must still be found.
    action = forms.CharField(label="Action", required=False, max_length=100, widget=forms.Select)
    resource_type = forms.CharField(label="Kind", required=False, max_length=50, widget=forms.Select)
    since = MomentField(label="From")
    until = MomentField(label="To", whole_day=True)
    resource_id = forms.CharField(label="Id", required=False, max_length=64)
    application = forms.UUIDField(label="Application id", required=False)

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__(data)
        kinds = [(kind, kind.capitalize()) for kind in labels.resource_types()]
        self.fields["action"].widget.choices = [("", "All"), *_actions()]
        self.fields["resource_type"].widget.choices = [("", "All"), *kinds]
        for rare in ("resource_id", "application"):
            if not data.get(rare):
                del self.fields[rare]

    def wanted(self) -> EventFilter:
        """What the parameters ask for. Raises Invalid with the sentences by parameter."""
        if not self.is_valid():
            details = {name: [str(each) for each in errors] for name, errors in self.errors.items()}
            name, sentences = next(iter(details.items()))
            raise Invalid(f"{name}: {sentences[0]}", details=details)
        return EventFilter(**{name: value for name, value in self.cleaned_data.items() if value})


def _actions() -> list[tuple[str, list[tuple[str, str]]]]:
    """Actions with their sentences, grouped by what they are about."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for action, sentence in labels.sentences().items():
        kind = action.partition(".")[0]
        groups.setdefault(kind.replace("_", " ").capitalize(), []).append((action, sentence.capitalize()))
    return [
        (group, [(f"{choices[0][0].partition('.')[0]}.*", f"{group}: anything"), *choices])
        for group, choices in groups.items()
    ]
