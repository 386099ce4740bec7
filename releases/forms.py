"""What people type about applications, releases and rules. The services judge it; forms read it and keep it."""

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from accounts.models import Role, Team
from accounts.policies import visible_teams
from releasemgr.core.actors import Actor
from releasemgr.core.errors import DomainError
from releasemgr.core.forms import RefusableForm, related_field
from releases.chart_form import ChartFields, initial_chart
from releases.content import MAX_IMAGES
from releases.models import VERSION_PATTERN, Application, ApprovalRule, Release
from releases.policies import visible_applications
from releases.selectors import developed_applications
from releases.statuses import ReleaseStatus


class ReleaseFilterForm(forms.Form):
    q = forms.CharField(
        label="Search",
        required=False,
        max_length=200,
        widget=forms.TextInput(
            attrs={"type": "search", "data-search": "", "placeholder": "Version, application, commit, words"}
        ),
    )
    application = forms.ModelChoiceField(
        Application.objects.none(), required=False, to_field_name="slug", empty_label="All applications"
    )
    status = forms.ChoiceField(required=False, choices=[("", "Every status"), *ReleaseStatus.choices])

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        related_field(self, "application").queryset = visible_applications(actor)


class ReleaseForm(ChartFields, RefusableForm):
    """A release's texts and content. Besides the fields it reads rows of `container` and `reference` into `images`."""

    application = forms.ModelChoiceField(Application.objects.none(), to_field_name="slug", empty_label="Choose…")
    version = forms.RegexField(
        VERSION_PATTERN,
        max_length=100,
        error_messages={"invalid": "Letters, digits and . _ + - only."},
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    commit = forms.CharField(
        max_length=64,
        required=False,
        help_text="The source commit that it was built from.",
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
    )
    description = forms.CharField(
        max_length=20_000,
        required=False,
        strip=False,
        help_text="What changes and why, for those who approve it. Markdown.",
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    manifests = forms.CharField(
        required=False,
        strip=False,
        label="Kubernetes manifests",
        help_text="YAML. The images above replace those of the containers with the same names.",
        widget=forms.Textarea(
            attrs={"rows": 18, "class": "mono", "spellcheck": "false", "autocapitalize": "off", "wrap": "off"}
        ),
    )

    # The digest that the form was made from. The template renders the present one, so a second save is a decision.
    seen = forms.CharField(required=False)

    def __init__(
        self,
        data: QueryDict | None = None,
        files: "MultiValueDict[str, UploadedFile[Any]] | None" = None,
        *,
        actor: Actor,
        release: Release | None = None,
        content: Release | None = None,
        initial: dict[str, Any] | None = None,
    ) -> None:
        """`release` is the one that is edited; `content` the one whose migrations and packaged chart are kept."""
        super().__init__(data, files, initial=initial)
        self.release = release
        self.content = content or release
        if release is not None:
            del self.fields["application"]
        else:
            related_field(self, "application").queryset = developed_applications(actor)
        self.artifact_errors: list[str] = []
        self.images = typed_images(data) if data is not None else list(self.initial.get("images", {}).items())

    def refuse(self, error: DomainError) -> None:
        problems = error.details.get("artifacts")
        if isinstance(problems, list):
            self.artifact_errors = problems
            self.fields["manifests"].widget.attrs |= {"aria-describedby": "artifact-errors id_manifests_helptext"}
            error.details.pop("artifacts")
            if not error.details:
                return
        super().refuse(error)

    def clean(self) -> dict[str, Any]:
        containers = [container for container, _ in self.images]
        twice = sorted({name for name in containers if containers.count(name) > 1})
        if twice:
            raise forms.ValidationError(f"The container {', '.join(twice)} stands in two rows. Keep the one you mean.")
        if self.release is not None and self.cleaned_data.get("seen") not in ("", self.release.digest):
            raise forms.ValidationError(
                f"{self.release.edited_by} changed the content after you opened this form. "
                "Look at it in another tab; saving again replaces it with what stands here."
            )
        return self.cleaned_data

    def clean_description(self) -> str:
        return with_line_feeds(self.cleaned_data["description"])

    def content_fields(self) -> dict[str, Any]:
        """What the services take: version, commit, description and artifacts. Only after `is_valid`."""
        return {
            **{name: self.cleaned_data[name] for name in ("version", "commit", "description")},
            "artifacts": self._artifacts(),
        }

    def _artifacts(self) -> dict[str, Any]:
        kept = dict(self.content.artifacts) if self.content else {}
        manifests = with_line_feeds(self.cleaned_data["manifests"])
        before = kept.get("manifests") or ""
        # A browser sends CRLF: an untouched text must stay the same content, or saving would void the approvals.
        if manifests == with_line_feeds(before):
            manifests = before
        chart = self.chart_content(kept)
        return kept | {"images": dict(self.images), "manifests": manifests or None} | chart


def with_line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def typed_images(data: QueryDict) -> list[tuple[str, str]]:
    """The rows as they were typed, half-filled ones too; empty ones are left out."""
    rows = zip(data.getlist("container"), data.getlist("reference"), strict=False)
    typed = [(container.strip(), reference.strip()) for container, reference in rows]
    return [row for row in typed if any(row)][: MAX_IMAGES + 1]


def initial_of(release: Release) -> dict[str, Any]:
    """The form's values for a release as it is."""
    return {
        "application": release.application,
        "version": release.version,
        "commit": release.commit,
        "description": release.description,
        "manifests": release.artifacts.get("manifests") or "",
        "images": release.images,
        **initial_chart(release.artifacts),
    }


class DecisionForm(RefusableForm):
    """`digest` is the content that the person had before their eyes."""

    comment = forms.CharField(max_length=5000, required=False, widget=forms.Textarea(attrs={"rows": 4}))
    digest = forms.CharField(widget=forms.HiddenInput)


class RejectionForm(DecisionForm):
    comment = forms.CharField(
        label="Reason",
        max_length=5000,
        error_messages={"required": "Say why, so that the author knows what to change."},
        widget=forms.Textarea(attrs={"rows": 4, "autofocus": True}),
    )


class CommentForm(RefusableForm):
    body = forms.CharField(
        label="Comment",
        max_length=10_000,
        strip=False,
        error_messages={"required": "Write something first."},
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "Ask or answer. Markdown."}),
    )


class ApplicationForm(RefusableForm):
    name = forms.CharField(max_length=100)
    slug = forms.SlugField(
        max_length=63, help_text="Its name for other programs: lower-case letters, digits and dashes. It stays."
    )
    team = forms.ModelChoiceField(
        Team.objects.none(),
        to_field_name="slug",
        empty_label="Choose…",
        help_text="Owns it: its engineers may change it.",
    )
    repository = forms.CharField(max_length=200, required=False, help_text="Source repository, as owner/name.")
    description = forms.CharField(
        max_length=2000, required=False, help_text="Markdown.", widget=forms.Textarea(attrs={"rows": 4})
    )

    def __init__(self, *args: Any, actor: Actor, application: Application | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        related_field(self, "team").queryset = visible_teams(actor)
        if application is not None:
            del self.fields["slug"]


class ApprovalRuleForm(RefusableForm):
    application = forms.ModelChoiceField(
        Application.objects.none(), required=False, to_field_name="slug", empty_label="All applications"
    )
    environment = forms.ModelChoiceField(
        Application.objects.none(),
        required=False,
        to_field_name="name",
        empty_label="The release itself",
        help_text="With an environment, deployments to it wait for these approvals.",
    )
    team = forms.ModelChoiceField(Team.objects.none(), required=False, to_field_name="slug", empty_label="Any team")
    role = forms.ChoiceField(required=False, choices=[("", "Any role"), *Role.choices])
    count = forms.IntegerField(label="Approvals needed", min_value=1, max_value=100, initial=1)
    expires_after_hours = forms.IntegerField(
        label="Lapse after (hours)",
        min_value=1,
        max_value=100_000,
        required=False,
        help_text="Empty: they never lapse.",
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        related_field(self, "application").queryset = visible_applications(actor)
        related_field(self, "environment").queryset = environments()
        related_field(self, "team").queryset = visible_teams(actor)


def environments() -> QuerySet[Any]:
    """Their model lives in the app above; only the rule's own relation knows it (decision 0002)."""
    related: Any = ApprovalRule._meta.get_field("environment").related_model
    return related._default_manager.order_by("position", "name")  # type: ignore[no-any-return]
