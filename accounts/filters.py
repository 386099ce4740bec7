"""What the lists of the API can be asked for, by the names of the bodies."""

import django_filters  # type: ignore[import-untyped]
from django.db.models import Q, QuerySet

from accounts.models import Role, Team, User


class UserFilter(django_filters.FilterSet):  # type: ignore[misc]
    email = django_filters.CharFilter(lookup_expr="iexact")
    role = django_filters.ChoiceFilter(choices=Role.choices)
    is_active = django_filters.BooleanFilter()
    team = django_filters.CharFilter(field_name="memberships__team__slug", label="Slug of a team")
    q = django_filters.CharFilter(method="search", label="Part of the name, short name or email address")

    class Meta:
        model = User
        fields: list[str] = []

    def search(self, queryset: QuerySet[User], name: str, value: str) -> QuerySet[User]:
        return queryset.filter(Q(name__icontains=value) | Q(email__icontains=value) | Q(username__icontains=value))


class TeamFilter(django_filters.FilterSet):  # type: ignore[misc]
    slug = django_filters.CharFilter()
    q = django_filters.CharFilter(method="search", label="Part of the name or slug")

    class Meta:
        model = Team
        fields: list[str] = []

    def search(self, queryset: QuerySet[Team], name: str, value: str) -> QuerySet[Team]:
        return queryset.filter(Q(name__icontains=value) | Q(slug__icontains=value))
