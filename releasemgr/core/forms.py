"""Forms that show what a service refused."""

from django import forms

from releasemgr.core.errors import DomainError


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
