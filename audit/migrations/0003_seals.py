"""Seals: append-only as the events are, and a hash that can be computed again from the row."""

import django.db.models.deletion
from django.db import migrations, models

# ROW(…)::text quotes its parts: two different events never give the same text.
# The transaction draws its id before the sequence: whoever holds a lower sequence has an id by then (see audit.seals).
FORWARD = """
CREATE FUNCTION audit_event_leaf(event audit_event) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT encode(sha256(convert_to(ROW(
        event.sequence, event.id, event.action, event.resource_type, event.resource_id, event.resource_label,
        event.user_id, event.actor, event.application_id, event.changes, event.data, event.request_id,
        host(event.ip), extract(epoch from event.created_at))::text, 'UTF8')), 'hex')
$$;

CREATE OR REPLACE FUNCTION audit_event_seal_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_current_xact_id();
    NEW.sequence := nextval('audit_event_sequence_seq');
    NEW.created_at := clock_timestamp();
    NEW.hash := audit_event_leaf(NEW);
    RETURN NEW;
END $$;

ALTER TABLE audit_event DISABLE TRIGGER audit_event_append_only;
UPDATE audit_event SET hash = audit_event_leaf(audit_event);
ALTER TABLE audit_event ENABLE TRIGGER audit_event_append_only;

CREATE TRIGGER audit_seal_append_only BEFORE UPDATE OR DELETE ON audit_seal
    FOR EACH ROW EXECUTE FUNCTION audit_event_refuse();
CREATE TRIGGER audit_seal_no_truncate BEFORE TRUNCATE ON audit_seal
    FOR EACH STATEMENT EXECUTE FUNCTION audit_event_refuse();
CREATE TRIGGER audit_sealedrange_append_only BEFORE UPDATE OR DELETE ON audit_sealedrange
    FOR EACH ROW EXECUTE FUNCTION audit_event_refuse();
CREATE TRIGGER audit_sealedrange_no_truncate BEFORE TRUNCATE ON audit_sealedrange
    FOR EACH STATEMENT EXECUTE FUNCTION audit_event_refuse();
"""
BACKWARD = """
DROP TRIGGER audit_sealedrange_no_truncate ON audit_sealedrange;
DROP TRIGGER audit_sealedrange_append_only ON audit_sealedrange;
DROP TRIGGER audit_seal_no_truncate ON audit_seal;
DROP TRIGGER audit_seal_append_only ON audit_seal;

CREATE OR REPLACE FUNCTION audit_event_seal_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.sequence := nextval('audit_event_sequence_seq');
    NEW.created_at := clock_timestamp();
    NEW.hash := encode(sha256(convert_to(concat_ws(E'\\x1f',
        NEW.sequence, NEW.id, NEW.action, NEW.resource_type, NEW.resource_id, NEW.resource_label,
        coalesce(NEW.user_id::text, ''), NEW.actor, coalesce(NEW.application_id::text, ''),
        NEW.changes::text, NEW.data::text, NEW.request_id, coalesce(host(NEW.ip), ''),
        extract(epoch from NEW.created_at)::text), 'UTF8')), 'hex');
    RETURN NEW;
END $$;
DROP FUNCTION audit_event_leaf(audit_event);
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_append_only")]
    operations = [
        migrations.CreateModel(
            name="Seal",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("root", models.CharField(max_length=64)),
                ("previous_hash", models.CharField(blank=True, max_length=64)),
                ("hash", models.CharField(max_length=64, unique=True)),
                ("gaps", models.JSONField(default=list)),
                ("settled", models.BigIntegerField(default=0)),
                ("transaction_id", models.BigIntegerField()),
                ("created_at", models.DateTimeField()),
            ],
            options={"ordering": ["-number"]},
        ),
        migrations.CreateModel(
            name="SealedRange",
            fields=[
                ("first_sequence", models.BigIntegerField(primary_key=True, serialize=False)),
                ("last_sequence", models.BigIntegerField()),
                ("leaves", models.BinaryField()),
                (
                    "seal",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="ranges", to="audit.seal"
                    ),
                ),
            ],
            options={"ordering": ["first_sequence"]},
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
