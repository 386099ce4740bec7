"""What the lists of the API can be asked for, by the names of the bodies."""

import django_filters  # type: ignore[import-untyped]
from django.db.models import Q, QuerySet

from releasemgr.core.lookups import by_name
from releases.models import Application, ApprovalRule, Release
from releases.selectors import search_releases
from releases.statuses import ReleaseStatus


class ApplicationFilter(django_filters.FilterSet):  # type: ignore[misc]
    team = django_filters.CharFilter(method="of_team", label="Slug or id of the team")
    slug = django_filters.CharFilter()
    q = django_filters.CharFilter(method="search", label="Part of the name, slug or repository")

    class Meta:
        model = Application
        fields: list[str] = []

    def of_team(self, queryset: QuerySet[Application], name: str, value: str) -> QuerySet[Application]:
        return queryset.filter(by_name("slug", value, relation="team"))

    def search(self, queryset: QuerySet[Application], name: str, value: str) -> QuerySet[Application]:
        return queryset.filter(Q(name__icontains=value) | Q(slug__icontains=value) | Q(repository__icontains=value))


class ReleaseFilter(django_filters.FilterSet):  # type: ignore[misc]
    application = django_filters.CharFilter(method="of_application", label="Slug or id of the application")
    status = django_filters.MultipleChoiceFilter(choices=ReleaseStatus.choices)
    version = django_filters.CharFilter()
    created_by = django_filters.CharFilter(method="by_person", label="Email address or id of the author")
    q = django_filters.CharFilter(method="search", label="Part of version, application, description, or a commit")

    class Meta:
        model = Release
        fields: list[str] = []

    def of_application(self, queryset: QuerySet[Release], name: str, value: str) -> QuerySet[Release]:
        return queryset.filter(by_name("slug", value, relation="application"))

    def by_person(self, queryset: QuerySet[Release], name: str, value: str) -> QuerySet[Release]:
        return queryset.filter(by_name("email", value.lower(), relation="created_by"))

    def search(self, queryset: QuerySet[Release], name: str, value: str) -> QuerySet[Release]:
        return search_releases(queryset, value)


class ApprovalRuleFilter(django_filters.FilterSet):  # type: ignore[misc]
    application = django_filters.CharFilter(method="of_application", label="Slug or id of the application")
    environment = django_filters.CharFilter(method="of_environment", label="Name or id of the environment")
    team = django_filters.CharFilter(method="of_team", label="Slug or id of the team")

    class Meta:
        model = ApprovalRule
        fields: list[str] = []

    def of_application(self, queryset: QuerySet[ApprovalRule], name: str, value: str) -> QuerySet[ApprovalRule]:
        return queryset.filter(by_name("slug", value, relation="application"))

    def of_environment(self, queryset: QuerySet[ApprovalRule], name: str, value: str) -> QuerySet[ApprovalRule]:
        return queryset.filter(by_name("name", value, relation="environment"))

    def of_team(self, queryset: QuerySet[ApprovalRule], name: str, value: str) -> QuerySet[ApprovalRule]:
        return queryset.filter(by_name("slug", value, relation="team"))
