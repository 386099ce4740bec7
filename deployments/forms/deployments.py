"""Finding, starting, rolling back and deciding."""

from typing import Any

from django import forms

from deployments.models import Deployment, Environment
from deployments.policies import visible_environments
from deployments.statuses import DeploymentKind, DeploymentStatus
from releasemgr.core.actors import Actor
from releasemgr.core.forms import RefusableForm, related_field
from releasemgr.core.values import is_storable
from releases.models import Application, Release
from releases.policies import visible_applications

REASON_HELP = "Stays on record, for those who ask later."


class BoardFilterForm(forms.Form):
    q = forms.CharField(
        label="Search",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"type": "search", "data-search": "", "placeholder": "Application or team"}),
    )
    # Its choices are the teams on the board, which are known only once it has been read.
    team = forms.CharField(required=False, max_length=100, widget=forms.Select)

    def offer(self, teams: list[tuple[str, str]]) -> None:
        widget = self.fields["team"].widget
        assert isinstance(widget, forms.Select)  # noqa: S101 - declared four lines above
        widget.choices = [("", "All teams"), *teams]


class DeploymentFilterForm(forms.Form):
    q = forms.CharField(
        label="Search",
        required=False,
        max_length=200,
        widget=forms.TextInput(
            attrs={"type": "search", "data-search": "", "placeholder": "Version, application, reason, error"}
        ),
    )
    application = forms.ModelChoiceField(
        Application.objects.none(), required=False, to_field_name="slug", empty_label="All applications"
    )
    environment = forms.ModelChoiceField(
        Environment.objects.none(), required=False, to_field_name="name", empty_label="All environments"
    )
    status = forms.ChoiceField(required=False, choices=[("", "Every status"), *DeploymentStatus.choices])
    kind = forms.ChoiceField(required=False, choices=[("", "Every kind"), *DeploymentKind.choices])

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        related_field(self, "application").queryset = visible_applications(actor)
        related_field(self, "environment").queryset = visible_environments(actor)


class MomentField(forms.DateTimeField):
    """A time in UTC, as `<input type=datetime-local>` sends it."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(required=False, widget=widget, **kwargs)


class ManagersField(forms.MultipleChoiceField):
    """Field managers by name: what the cluster calls them, so any name will do."""

    MOST, LENGTH = 20, 128

    def validate(self, value: Any) -> None:
        if len(value) > self.MOST or any(len(each) > self.LENGTH or not is_storable(each) for each in value):
            raise forms.ValidationError(
                f"At most {self.MOST} field managers, each named in at most {self.LENGTH} characters."
            )


class SeenField(forms.MultipleChoiceField):
    """The objects that a person was shown: `apiVersion kind name` each."""

    MOST, LENGTH = 100, 600

    def validate(self, value: Any) -> None:
        if len(value) > self.MOST or not all(map(self._is_identity, value)):
            raise forms.ValidationError("The list of objects to remove is not what was shown. Look again.")

    def _is_identity(self, text: str) -> bool:
        return len(text) <= self.LENGTH and len(text.split(" ")) == 3 and is_storable(text)

    def clean(self, value: Any) -> list[dict[str, str]]:
        found = super().clean(value)
        return [dict(zip(("apiVersion", "kind", "name"), each.split(" "), strict=True)) for each in found]


class StartForm(RefusableForm):
    """`take_over` and `prune` are offered by the comparison with the cluster, which knows what there is to choose."""

    reason = forms.CharField(
        max_length=2000, required=False, help_text=REASON_HELP, widget=forms.Textarea(attrs={"rows": 2})
    )
    not_before = MomentField(label="Start not before", help_text="UTC. Empty: as soon as nothing holds it.")
    not_after = MomentField(label="Start not after", help_text="UTC. Later than that it is given up.")
    take_over = ManagersField(required=False)
    prune = forms.BooleanField(required=False)
    prune_seen = SeenField(required=False)

    def clean(self) -> dict[str, Any]:
        """`prune` becomes the objects to remove: those that were shown, if that was chosen."""
        cleaned = super().clean() or self.cleaned_data
        seen = cleaned.pop("prune_seen", [])
        cleaned["prune"] = seen if cleaned.get("prune") else False
        return cleaned


class RollbackForm(RefusableForm):
    to = forms.ModelChoiceField(Release.objects.none(), label="Bring back", empty_label=None, widget=forms.RadioSelect)
    reason = forms.CharField(
        max_length=2000,
        error_messages={"required": "Say why you roll back: it stays on record."},
        widget=forms.Textarea(attrs={"rows": 2, "autofocus": True}),
    )
    # Offered once a rollback has met others in the cluster.
    take_over = ManagersField(required=False)

    def __init__(self, *args: Any, earlier: list[Deployment], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        releases = related_field(self, "to")
        releases.queryset = Release.objects.filter(pk__in=[each.release_id for each in earlier])
        releases.choices = [(each.release_id, _ran(each)) for each in earlier]


def _ran(earlier: Deployment) -> str:
    if earlier.completed_at is None:
        return earlier.release.version
    return f"{earlier.release.version}, ran well from {earlier.completed_at:%Y-%m-%d %H:%M} UTC"


class DecisionForm(RefusableForm):
    """`digest` is the content that the person had before their eyes."""

    comment = forms.CharField(max_length=5000, required=False, widget=forms.Textarea(attrs={"rows": 3}))
    digest = forms.CharField(max_length=71, widget=forms.HiddenInput)


class RejectionForm(DecisionForm):
    comment = forms.CharField(
        label="Reason",
        max_length=5000,
        error_messages={"required": "Say why: it stays on record."},
        widget=forms.Textarea(attrs={"rows": 3, "autofocus": True}),
    )
