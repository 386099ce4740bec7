"""Environments, clusters and targets. What is secret is typed here and never said back."""

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput

from deployments.models import Cluster, Environment, Target
from deployments.policies import visible_clusters, visible_environments
from deployments.services.targets import SUPPORTED_KINDS
from releasemgr.core.actors import Actor
from releasemgr.core.forms import RefusableForm, related_field
from releasemgr.core.values import is_plain
from releases.models import Application
from releases.policies import visible_applications


class EnvironmentForm(RefusableForm):
    name = forms.CharField(
        max_length=63,
        help_text="Lower-case letters, digits and dashes.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    position = forms.IntegerField(
        label="Order", min_value=0, max_value=32_767, initial=0, help_text="Of the board's columns, lowest first."
    )
    requires = forms.ModelChoiceField(
        Environment.objects.none(),
        required=False,
        to_field_name="name",
        empty_label="Nothing",
        help_text="A release must have succeeded there before it may come here.",
    )
    soak_minutes = forms.IntegerField(
        label="Soak time (minutes)",
        min_value=0,
        max_value=1_000_000,
        initial=0,
        help_text="How long it must have run in the environment that is required.",
    )
    verify_seconds = forms.IntegerField(
        label="Watch for (seconds)",
        min_value=0,
        max_value=86_400,
        initial=0,
        help_text="The pods must stay healthy that long after a rollout before the deployment succeeds.",
    )
    bake_seconds = forms.IntegerField(
        label="Bake for (seconds)",
        min_value=0,
        max_value=604_800,
        initial=0,
        help_text="How long it is watched on after its success. A failing check or an alert then rolls it back.",
    )
    wave_pause_seconds = forms.IntegerField(
        label="Pause between waves (seconds)",
        min_value=0,
        max_value=86_400,
        initial=0,
        help_text="How long to wait after one wave has succeeded before the next begins.",
    )
    auto_rollback = forms.BooleanField(
        label="Roll back by itself",
        required=False,
        initial=True,
        help_text="Bring back the last good release when a deployment fails.",
    )
    bring_back_waves = forms.BooleanField(
        label="Bring back earlier waves",
        required=False,
        initial=True,
        help_text="When one target fails, take back those that were already done. Needs “Roll back by itself”.",
    )
    protected = forms.BooleanField(
        required=False, help_text="What runs here counts as live: a release that succeeds here is released."
    )

    def __init__(self, *args: Any, actor: Actor, environment: Environment | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = visible_environments(actor)
        related_field(self, "requires").queryset = others.exclude(pk=environment.pk) if environment else others


KUBECONFIG_HELP = (
    "With the data inside it: kubectl config view --raw --flatten --minify. It is tried, then kept encrypted, "
    "and never shown again."
)


class KubeconfigWidget(forms.Textarea):
    """Never says back what was typed: not even in the answer to a mistake."""

    def format_value(self, value: Any) -> str | None:
        return None


class ClusterForm(RefusableForm):
    name = forms.CharField(
        max_length=63,
        help_text="Lower-case letters, digits and dashes.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    kubeconfig = forms.CharField(
        strip=False,
        help_text=KUBECONFIG_HELP,
        widget=KubeconfigWidget(attrs={"rows": 12, "autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, cluster: Cluster | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if cluster is not None:
            kubeconfig = self.fields["kubeconfig"]
            kubeconfig.required = False
            kubeconfig.help_text = f"Leave it empty to keep the present credentials. {KUBECONFIG_HELP}"

    def changes(self) -> dict[str, str]:
        """What `update_cluster` takes; empty credentials are no change."""
        return {name: value for name, value in self.cleaned_data.items() if value}


class PlainJsonField(forms.JSONField):
    """JSON that the database can hold, however hostile; a mistake is shown as it was typed."""

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, InvalidJSONInput):
            return value
        return json.dumps(value, indent=2, ensure_ascii=False) if value else ""

    def bound_data(self, data: Any, initial: Any) -> Any:
        return InvalidJSONInput(data or "")

    def to_python(self, value: Any) -> Any:
        try:
            found = super().to_python(value)
        except (RecursionError, ValueError):
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None
        if not is_plain(found):
            raise ValidationError("It holds a value that cannot be stored: NUL, NaN, or too deeply nested.")
        return found


class TargetForm(RefusableForm):
    """Application and environment name the target, so they stay once it is there."""

    application = forms.ModelChoiceField(Application.objects.none(), to_field_name="slug", empty_label="Choose…")
    environment = forms.ModelChoiceField(Environment.objects.none(), to_field_name="name", empty_label="Choose…")
    cluster = forms.ModelChoiceField(Cluster.objects.none(), to_field_name="name", empty_label="Choose…")
    namespace = forms.CharField(
        max_length=63,
        help_text="It must exist there already.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    kind = forms.ChoiceField(choices=SUPPORTED_KINDS, help_text="What a release is made of here.")
    timeout_seconds = forms.IntegerField(
        label="Time-out (seconds)",
        min_value=1,
        max_value=86_400,
        initial=600,
        help_text="How long a step may take before the deployment fails.",
    )
    overrides = PlainJsonField(
        required=False,
        initial=dict,
        help_text="As JSON: replicas, env, values of a chart, patches, grace_seconds. Empty: as the release says.",
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"}),
    )
    strategy = PlainJsonField(
        required=False,
        initial=dict,
        help_text="How a release replaces the one before, as JSON. Empty: pod by pod.",
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono", "spellcheck": "false"}),
    )
    guardrails = PlainJsonField(
        required=False,
        initial=dict,
        help_text="What a release may hold here beyond the usual, as JSON: kinds, service_accounts, "
        "service_account_tokens, external_ips, pod_security, prune. Empty: only what is known to be harmless.",
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"}),
    )
    wave = forms.IntegerField(
        min_value=1,
        max_value=1_000,
        initial=1,
        help_text="Where it has several targets in this environment: lower waves go first.",
    )
    database_url = forms.CharField(
        label="Database URL",
        max_length=2000,
        required=False,
        help_text="For migrations. Kept encrypted, and never shown again.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    forget_database_url = forms.BooleanField(label="Forget the stored database URL", required=False)

    def __init__(self, *args: Any, actor: Actor, target: Target | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        related_field(self, "cluster").queryset = visible_clusters(actor).defer("kubeconfig")
        if target is None:
            del self.fields["forget_database_url"]
            related_field(self, "application").queryset = visible_applications(actor)
            related_field(self, "environment").queryset = visible_environments(actor)
            return
        del self.fields["application"], self.fields["environment"]
        if target.database_url:
            self.fields["database_url"].help_text = "One is stored. Leave this empty to keep it. Never shown."
        else:
            del self.fields["forget_database_url"]

    def clean_overrides(self) -> Any:
        return self.cleaned_data["overrides"] or {}

    def clean_strategy(self) -> Any:
        return self.cleaned_data["strategy"] or {}

    def clean_guardrails(self) -> Any:
        return self.cleaned_data["guardrails"] or {}

    def changes(self) -> Mapping[str, Any]:
        """What the services take; an empty database URL is no change, unless it is to be forgotten."""
        found = dict(self.cleaned_data)
        forget = found.pop("forget_database_url", False)
        if not found["database_url"] and not forget:
            del found["database_url"]
        return found | ({"database_url": ""} if forget else {})
