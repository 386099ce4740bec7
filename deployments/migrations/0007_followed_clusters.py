from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("deployments", "0006_step_clock"),
    ]

    operations = [
        migrations.AddField(
            model_name="cluster",
            name="followed_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        # These rows are rewritten all the time: with room beside them no index has to be touched.
        migrations.RunSQL(
            "ALTER TABLE deployments_workload SET (fillfactor = 50)",
            "ALTER TABLE deployments_workload RESET (fillfactor)",
        ),
    ]
