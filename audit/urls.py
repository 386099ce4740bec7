from django.urls import path, re_path

from audit import views

app_name = "audit"
urlpatterns = [
    path("", views.event_list, name="list"),
    path("newer", views.newer, name="newer"),
    re_path(r"^export\.(?P<file_format>csv|jsonl)$", views.export_events, name="export"),
    path("for/<slug:resource_type>/<str:resource_id>", views.for_resource, name="for-resource"),
]
