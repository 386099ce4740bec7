"""The database numbers, dates and hashes each event, and refuses to change or remove one."""

from django.db import migrations

FORWARD = """
CREATE SEQUENCE audit_event_sequence_seq OWNED BY audit_event.sequence;

CREATE FUNCTION audit_event_seal_row() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE TRIGGER audit_event_seal_row BEFORE INSERT ON audit_event
    FOR EACH ROW EXECUTE FUNCTION audit_event_seal_row();

CREATE FUNCTION audit_event_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The audit log is append-only: % is refused.', TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION audit_event_refuse();
CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION audit_event_refuse();
"""
BACKWARD = """
DROP TRIGGER audit_event_no_truncate ON audit_event;
DROP TRIGGER audit_event_append_only ON audit_event;
DROP TRIGGER audit_event_seal_row ON audit_event;
DROP FUNCTION audit_event_refuse();
DROP FUNCTION audit_event_seal_row();
DROP SEQUENCE audit_event_sequence_seq;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
