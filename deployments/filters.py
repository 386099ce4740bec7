"""What the lists of the API can be asked for, by the names of the bodies."""

from typing import Any

import django_filters  # type: ignore[import-untyped]
from django.db.models import QuerySet

from deployments.models import Check, Cluster, Deployment, Environment, Target, Train
from deployments.statuses import CheckKind, DeploymentKind, DeploymentStatus
from releasemgr.core.lookups import by_name

Rows = QuerySet[Any]


class PlaceFilter(django_filters.FilterSet):  # type: ignore[misc]
    application = django_filters.CharFilter(method="of_application", label="Slug or id of the application")
    environment = django_filters.CharFilter(method="of_environment", label="Name or id of the environment")

    def of_application(self, queryset: Rows, name: str, value: str) -> Rows:
        return queryset.filter(by_name("slug", value, relation="application"))

    def of_environment(self, queryset: Rows, name: str, value: str) -> Rows:
        return queryset.filter(by_name("name", value, relation="environment"))


class DeploymentFilter(PlaceFilter):
    status = django_filters.MultipleChoiceFilter(choices=DeploymentStatus.choices)
    kind = django_filters.ChoiceFilter(choices=DeploymentKind.choices)
    version = django_filters.CharFilter(field_name="release__version")
    release = django_filters.UUIDFilter(field_name="release_id", label="Id of the release")
    train = django_filters.UUIDFilter(field_name="train_id", label="Id of the train")
    part_of = django_filters.UUIDFilter(
        field_name="part_of_id", label="Id of the deployment that leads to several targets"
    )
    parts = django_filters.BooleanFilter(
        method="with_parts", label="true: the parts of deployments to several targets too; left out otherwise"
    )

    class Meta:
        model = Deployment
        fields: list[str] = []

    def with_parts(self, queryset: Rows, name: str, value: bool) -> Rows:  # noqa: FBT001 - django-filter calls it so
        return queryset if value else queryset.filter(part_of__isnull=True)

    def filter_queryset(self, queryset: Rows) -> Rows:
        """Whoever asked for one deployment sees one."""
        found: Rows = super().filter_queryset(queryset)
        wanted = self.form.cleaned_data
        return found if wanted["part_of"] or wanted["parts"] is not None else found.filter(part_of__isnull=True)


class CheckFilter(PlaceFilter):
    kind = django_filters.ChoiceFilter(choices=CheckKind.choices)
    name = django_filters.CharFilter()

    class Meta:
        model = Check
        fields: list[str] = []


class TargetFilter(PlaceFilter):
    cluster = django_filters.CharFilter(method="of_cluster", label="Name or id of the cluster")

    class Meta:
        model = Target
        fields: list[str] = []

    def of_cluster(self, queryset: Rows, name: str, value: str) -> Rows:
        return queryset.filter(by_name("name", value, relation="cluster"))


class TrainFilter(PlaceFilter):
    application = None

    class Meta:
        model = Train
        fields: list[str] = []


class EnvironmentFilter(django_filters.FilterSet):  # type: ignore[misc]
    name = django_filters.CharFilter()
    protected = django_filters.BooleanFilter()

    class Meta:
        model = Environment
        fields: list[str] = []


class ClusterFilter(django_filters.FilterSet):  # type: ignore[misc]
    name = django_filters.CharFilter()

    class Meta:
        model = Cluster
        fields: list[str] = []
