"""Forms that show what a service refused."""

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms
from django.http import HttpRequest, HttpResponse, QueryDict

from releasemgr.core.errors import DomainError, Invalid, WrongState

T = TypeVar("T")


def posted(request: HttpRequest) -> QueryDict | None:
    """What a form is bound to: also an empty POST, which must be told what is missing."""
    return request.POST if request.method == "POST" else None


def related_field(form: forms.BaseForm, name: str) -> "forms.ModelChoiceField[Any]":
    """The form's choice of related objects, for narrowing it to what the actor sees."""
    found = form.fields[name]
    assert isinstance(found, forms.ModelChoiceField)  # noqa: S101 - a mistake of ours, not of the user
    return found


class RefusableForm(forms.Form):
    def refuse(self, error: DomainError) -> None:
        """Sentences about fields go to them; what has no field here stands above the form."""
        told = False
        for name, sentences in error.details.items():
            if name in self.fields and isinstance(sentences, list):
                self.add_error(name, sentences)
                told = True
        if not told:
            self.add_error(None, error.message)


def save_or_show(
    form: RefusableForm, save: Callable[[], T], *, show: Callable[..., HttpResponse], done: Callable[[T], HttpResponse]
) -> HttpResponse:
    """`done(what was saved)`, or the form again by `show(status=…)` with what it or the service refused."""
    if not form.is_valid():
        return show(status=422)
    try:
        saved = save()
    except (Invalid, WrongState) as error:
        form.refuse(error)
        return show(status=error.status)
    return done(saved)
