"""The part of the release form about a Helm chart: from a repository, or as a file, with its values."""

import base64
from collections.abc import Mapping
from typing import Any

import yaml
from django import forms

from releasemgr.core.errors import Invalid
from releases.charts import MOST_PACKED_BYTES
from releases.manifests import parse_values

MONO = {"class": "mono", "autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}


class ChartFields(forms.Form):
    """Empty fields mean no chart. A stored packaged chart stays until another one, or none, is chosen."""

    chart_repository = forms.CharField(
        label="Chart repository",
        max_length=600,
        required=False,
        help_text="https://… or oci://…, without the chart's name.",
        widget=forms.TextInput(attrs=MONO | {"placeholder": "oci://registry.example/charts"}),
    )
    chart_name = forms.CharField(label="Chart", max_length=128, required=False, widget=forms.TextInput(attrs=MONO))
    chart_version = forms.CharField(
        # One label on the page may say “version”: that of the release.
        label="Chart tag",
        max_length=128,
        required=False,
        help_text="Its exact version, such as 1.4.2.",
        widget=forms.TextInput(attrs=MONO),
    )
    chart_file = forms.FileField(
        label="Or a packaged chart",
        required=False,
        help_text=f"A .tgz of helm package, at most {MOST_PACKED_BYTES // 1024} kB. It replaces the one above.",
        widget=forms.FileInput(attrs={"accept": ".tgz,.gz"}),
    )
    without_chart = forms.BooleanField(label="Remove the packaged chart", required=False)
    values = forms.CharField(
        label="Chart values",
        required=False,
        strip=False,
        help_text="YAML. The values of a target are laid over them.",
        widget=forms.Textarea(
            attrs={"rows": 8, "class": "mono", "spellcheck": "false", "autocapitalize": "off", "wrap": "off"}
        ),
    )

    def clean_chart_file(self) -> Any:
        file = self.cleaned_data["chart_file"]
        if file is not None and file.size > MOST_PACKED_BYTES:
            raise forms.ValidationError(f"The packaged chart is larger than {MOST_PACKED_BYTES // 1024} kB.")
        return file

    def clean_values(self) -> dict[str, Any]:
        try:
            return parse_values(self.cleaned_data["values"])
        except Invalid as error:
            raise forms.ValidationError(error.message) from None

    def chart_content(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """`chart` and `values` of the artifacts. `before`: the artifacts that the form was made from."""
        return {"chart": self._chart(before.get("chart") or {}), "values": self.cleaned_data["values"]}

    def _chart(self, before: Mapping[str, Any]) -> dict[str, Any] | None:
        file = self.cleaned_data.get("chart_file")
        named = {"release_name": before["release_name"]} if before.get("release_name") else {}
        if file is not None:
            return {"archive": base64.b64encode(file.read()).decode(), **named}
        typed = {name: self.cleaned_data[f"chart_{name}"] for name in ("repository", "name", "version")}
        if not any(typed.values()):
            is_kept = before.get("archive") and not self.cleaned_data["without_chart"]
            return dict(before) if is_kept else None
        same = typed == {name: before.get(name) for name in typed}
        return dict(before) if same else typed | named


def initial_chart(artifacts: Mapping[str, Any]) -> dict[str, Any]:
    """The fields' values for stored artifacts."""
    chart, values = artifacts.get("chart") or {}, artifacts.get("values")
    shown = {} if chart.get("archive") else chart
    return {
        **{f"chart_{name}": shown.get(name, "") for name in ("repository", "name", "version")},
        "values": yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120) if values else "",
    }
