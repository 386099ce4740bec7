"""What people type about health checks."""

from collections.abc import Mapping
from typing import Any

from django import forms

from deployments.forms.places import PlainJsonField
from deployments.models import Check, Environment
from deployments.policies import visible_environments
from deployments.statuses import CheckKind, NoData
from releasemgr.core.actors import Actor
from releasemgr.core.forms import RefusableForm, related_field
from releases.models import Application
from releases.policies import visible_applications

EXPECT_HELP = (
    "What a good answer is, as JSON. Empty: any 2xx status is good, and so is a Job that completes; "
    "Prometheus needs a limit."
)
QUERY_HELP = (
    'PromQL that gives one number. "{application}", "{version}", "{environment}", "{namespace}" and '
    '"{deployment}" in quotes, and {window}, are filled in.'
)
# Which field holds the question of each kind.
QUESTIONS = {CheckKind.HTTP: "url", CheckKind.PROMETHEUS: "query", CheckKind.JOB: "manifest"}
CODE = {"class": "mono", "spellcheck": "false"}


class CheckForm(RefusableForm):
    """Application and environment name the check's place, so they stay once it is there."""

    application = forms.ModelChoiceField(Application.objects.none(), to_field_name="slug", empty_label="Choose…")
    environment = forms.ModelChoiceField(Environment.objects.none(), to_field_name="name", empty_label="Choose…")
    name = forms.CharField(
        max_length=100, required=False, help_text="What it is called on the pages. Empty: made from the kind."
    )
    kind = forms.ChoiceField(choices=CheckKind.choices)
    url = forms.CharField(
        label="URL",
        max_length=2000,
        required=False,
        help_text="A public address, or one that an operator lists in CHECK_ALLOWED_HOSTS.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    query = forms.CharField(
        max_length=5000, required=False, help_text=QUERY_HELP, widget=forms.Textarea(attrs={"rows": 3, **CODE})
    )
    manifest = forms.CharField(
        label="Job",
        max_length=100_000,
        required=False,
        strip=False,
        help_text="Its manifest (YAML). It runs in the target's namespace; completing is good.",
        widget=forms.Textarea(attrs={"rows": 8, **CODE}),
    )
    expect = PlainJsonField(
        required=False, initial=dict, help_text=EXPECT_HELP, widget=forms.Textarea(attrs={"rows": 3, **CODE})
    )
    interval_seconds = forms.IntegerField(label="Ask every (seconds)", min_value=1, max_value=3_600, initial=10)
    window_seconds = forms.IntegerField(
        label="For (seconds)",
        min_value=0,
        max_value=86_400,
        initial=60,
        help_text="0: once.",
    )
    failure_limit = forms.IntegerField(
        label="Failures forgiven",
        min_value=0,
        max_value=100,
        initial=0,
        help_text="More bad answers than this within that time fail the deployment.",
    )
    on_no_data = forms.ChoiceField(
        label="Missing data",
        choices=NoData.choices,
        initial=NoData.INCONCLUSIVE,
        help_text="What it means when there is nothing to judge. Inconclusive: it is asked on; if still nobody can "
        "tell, the deployment fails, and nothing is rolled back by itself.",
    )

    def __init__(self, *args: Any, actor: Actor, check: Check | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if check is None:
            related_field(self, "application").queryset = visible_applications(actor)
            related_field(self, "environment").queryset = visible_environments(actor)
        else:
            del self.fields["application"], self.fields["environment"]

    def clean_expect(self) -> Any:
        return self.cleaned_data["expect"] or {}

    def clean(self) -> dict[str, Any]:
        """The page shows the question of the chosen kind only, so what was typed for another one is dropped."""
        cleaned = super().clean() or self.cleaned_data
        if kind := cleaned.get("kind"):
            cleaned |= {name: "" for of, name in QUESTIONS.items() if of != kind and name not in self.errors}
        return cleaned

    def changes(self) -> Mapping[str, Any]:
        """What the services take."""
        return self.cleaned_data
