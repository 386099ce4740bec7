"""What people type about accounts. The services judge it; forms read it and keep it."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.models import Role, TeamRole, User
from accounts.scopes import AREAS, SCOPES
from accounts.services.passwords import MAX_LENGTH
from releasemgr.core.forms import RefusableForm

DEFAULT_LIFE = timedelta(days=90)


def password_field(label: str, autocomplete: str, **kwargs: Any) -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(label=label, strip=False, max_length=MAX_LENGTH, widget=widget, **kwargs)


class LoginForm(RefusableForm):
    login = forms.CharField(
        label="Email address or short name",
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autofocus": True, "autocapitalize": "none"}),
    )
    password = password_field("Password", "current-password")


class PasswordChangeForm(RefusableForm):
    current_password = password_field("Current password", "current-password")
    new_password = password_field(
        "New password", "new-password", help_text="At least 10 characters; a few words are easier than signs."
    )
    repeated = password_field("New password once more", "new-password")

    def clean_repeated(self) -> str:
        repeated = str(self.cleaned_data["repeated"])
        if repeated != self.cleaned_data.get("new_password", repeated):
            raise ValidationError("The two new passwords differ.")
        return repeated


class PasswordForm(RefusableForm):
    password = password_field(
        "New password", "new-password", help_text="Hand it over safely; the person should change it."
    )


class TokenForm(RefusableForm):
    name = forms.CharField(
        max_length=100,
        help_text="What uses it, such as “CI of the web shop”.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, help_text="Writing includes reading.")
    expires_on = forms.DateField(
        label="Last day",
        help_text="At most one year from now.",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def __init__(self, *args: Any, role: str, **kwargs: Any) -> None:
        last_day = (timezone.now() + DEFAULT_LIFE).date()
        super().__init__(*args, **{"initial": {"expires_on": last_day}, **kwargs})
        verbs = ("read",) if role == Role.VIEWER else ("read", "write")
        choices = [(f"{area}:{verb}", f"{verb.capitalize()} {area}") for area in AREAS for verb in verbs]
        scopes = self.fields["scopes"]
        assert isinstance(scopes, forms.MultipleChoiceField)  # noqa: S101 - declared above
        scopes.choices = [choice for choice in choices if choice[0] in SCOPES]

    @property
    def expires_at(self) -> datetime:
        """The end of the last day, in UTC."""
        return datetime.combine(self.cleaned_data["expires_on"], time.max, tzinfo=UTC)


class PersonForm(RefusableForm):
    email = forms.EmailField(label="Email address", max_length=254)
    username = forms.CharField(
        label="Short name",
        max_length=40,
        required=False,
        help_text=str(User._meta.get_field("username").help_text),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "autocomplete": "off"}),
    )
    name = forms.CharField(max_length=150)
    role = forms.ChoiceField(
        choices=Role.choices,
        initial=Role.ENGINEER,
        help_text="Engineers write, approve and deploy what their teams own; viewers change nothing.",
    )


class NewPersonForm(PersonForm):
    password = password_field(
        "First password",
        "new-password",
        required=False,
        help_text="Without one nobody can log in as this person until you set it.",
    )


class PeopleFilterForm(forms.Form):
    q = forms.CharField(
        label="Search",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"type": "search", "data-search": "", "placeholder": "Name or email address"}),
    )
    role = forms.ChoiceField(required=False, choices=[("", "Every role"), *Role.choices])


class TeamForm(RefusableForm):
    slug = forms.SlugField(max_length=50, help_text="Used in addresses and by the API: letters, digits and dashes.")
    name = forms.CharField(max_length=100)


class MemberForm(RefusableForm):
    user = forms.CharField(
        label="Email address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off", "placeholder": "ada@example.com"}),
    )
    role = forms.ChoiceField(choices=TeamRole.choices, initial=TeamRole.MEMBER)
