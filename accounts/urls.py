"""Pages of accounts."""

from django.urls import path

from accounts.views import logins, own, people, teams

app_name = "accounts"
urlpatterns = [
    path("login", logins.log_in, name="login"),
    path("logout", logins.log_out, name="logout"),
    path("profile", own.profile, name="profile"),
    path("password", own.password_change, name="password-change"),
    path("tokens", own.token_list, name="tokens"),
    path("tokens/issue", own.token_issue, name="token-issue"),
    path("tokens/<str:token>/revoke", own.token_revoke, name="token-revoke"),
    path("people", people.person_list, name="people"),
    path("people/new", people.person_create, name="person-create"),
    path("people/<str:person>/edit", people.person_edit, name="person-edit"),
    path("people/<str:person>/password", people.person_password, name="person-password"),
    path("people/<str:person>/deactivate", people.person_deactivate, name="person-deactivate"),
    path("people/<str:person>/activate", people.person_activate, name="person-activate"),
    path("teams", teams.team_list, name="teams"),
    path("teams/new", teams.team_create, name="team-create"),
    path("teams/<str:team>", teams.team_detail, name="team-detail"),
    path("teams/<str:team>/edit", teams.team_edit, name="team-edit"),
    path("teams/<str:team>/members/add", teams.member_add, name="member-add"),
    path("teams/<str:team>/members/<str:person>/role", teams.member_role, name="member-role"),
    path("teams/<str:team>/members/<str:person>/remove", teams.member_remove, name="member-remove"),
]
