"""The database itself refuses an approval by an author, or of any content but the present one."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION releases_approval_four_eyes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    subject releases_release%ROWTYPE;
BEGIN
    -- Locks out an edit between the check and the commit.
    SELECT * INTO subject FROM releases_release WHERE id = NEW.release_id FOR SHARE;
    IF NEW.decision = 'approved' AND NEW.user_id IN (subject.created_by_id, subject.edited_by_id) THEN
        RAISE EXCEPTION 'An author of a release cannot approve it.'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'approval_four_eyes';
    END IF;
    IF NEW.voided_at IS NULL AND NEW.digest <> subject.digest THEN
        RAISE EXCEPTION 'The approval is about another content than the present one.'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'approval_of_present_content';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER releases_approval_four_eyes BEFORE INSERT OR UPDATE ON releases_approval
    FOR EACH ROW EXECUTE FUNCTION releases_approval_four_eyes();

CREATE FUNCTION releases_release_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.created_by_id <> OLD.created_by_id THEN
        RAISE EXCEPTION 'The author of a release cannot be changed.' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.digest <> OLD.digest AND NEW.status NOT IN ('draft', 'in_review') THEN
        RAISE EXCEPTION 'The content of a release cannot change once it is approved.'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'release_content_fixed';
    END IF;
    IF NEW.digest <> OLD.digest AND EXISTS (
        SELECT 1 FROM releases_approval WHERE release_id = NEW.id AND voided_at IS NULL
    ) THEN
        RAISE EXCEPTION 'The content of a release cannot change while approvals of it are valid.'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'release_approvals_voided_first';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER releases_release_guard BEFORE UPDATE ON releases_release
    FOR EACH ROW EXECUTE FUNCTION releases_release_guard();
"""
BACKWARD = """
DROP TRIGGER releases_release_guard ON releases_release;
DROP FUNCTION releases_release_guard();
DROP TRIGGER releases_approval_four_eyes ON releases_approval;
DROP FUNCTION releases_approval_four_eyes();
"""


class Migration(migrations.Migration):
    dependencies = [("releases", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
