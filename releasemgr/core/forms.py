"""Forms that show what a service refused."""

from django import forms
from django.http import HttpRequest, QueryDict

from releasemgr.core.errors import DomainError


def posted(request: HttpRequest) -> QueryDict | None:
    """What a form is bound to: also an empty POST, which must be told what is missing."""
    return request.POST if request.method == "POST" else None


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
