from django.urls import path

from releases.views import applications, decisions, discussion, drafts, pages, rules

app_name = "releases"
urlpatterns = [
    path("releases", pages.release_list, name="list"),
    path("releases/new", drafts.release_create, name="create"),
    path("releases/new/version", drafts.version_field, name="version-field"),
    path("releases/new/image", drafts.image_row, name="image-row"),
    path("releases/new/preview", drafts.text_preview, name="text-preview"),
    path("releases/<uuid:pk>", pages.release_detail, name="detail"),
    path("releases/<uuid:pk>/edit", drafts.release_edit, name="edit"),
    path("releases/<uuid:pk>/delete", drafts.release_delete, name="delete"),
    path("releases/<uuid:pk>/submit", decisions.submit, name="submit"),
    path("releases/<uuid:pk>/approve", decisions.approve, name="approve"),
    path("releases/<uuid:pk>/reject", decisions.reject, name="reject"),
    path("releases/<uuid:pk>/cancel", decisions.cancel, name="cancel"),
    path("releases/<uuid:pk>/comments", discussion.comments, name="comment"),
    path("applications", applications.application_list, name="applications"),
    path("applications/new", applications.application_create, name="application-create"),
    path("applications/<str:reference>", applications.application_detail, name="application-detail"),
    path("applications/<str:reference>/edit", applications.application_edit, name="application-edit"),
    path("approval-rules", rules.rule_list, name="approval-rules"),
    path("approval-rules/new", rules.rule_create, name="approval-rule-create"),
    path("approval-rules/<uuid:pk>", rules.rule_edit, name="approval-rule-edit"),
    path("approval-rules/<uuid:pk>/delete", rules.rule_delete, name="approval-rule-delete"),
]
