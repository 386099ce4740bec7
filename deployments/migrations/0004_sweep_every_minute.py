"""The safety net without an observer: due deployments are looked for every minute."""

from django.db import migrations

NAME = "sweep due deployments"


def add(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.get_or_create(
        name=NAME, defaults={"func": "deployments.tasks.sweep_due_deployments", "schedule_type": "I", "minutes": 1}
    )


def remove(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [("deployments", "0003_four_eyes"), ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more")]
    operations = [migrations.RunPython(add, remove)]
