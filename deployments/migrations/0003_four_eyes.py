"""The database itself refuses the approval of a deployment by the person who asked for it."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION deployments_approval_four_eyes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    subject deployments_deployment%ROWTYPE;
BEGIN
    SELECT * INTO subject FROM deployments_deployment WHERE id = NEW.deployment_id FOR SHARE;
    IF NEW.decision = 'approved' AND NEW.user_id = subject.deployed_by_id THEN
        RAISE EXCEPTION 'The person who asked for a deployment cannot approve it.'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'deployment_approval_four_eyes';
    END IF;
    IF NEW.digest <> subject.release_digest THEN
        RAISE EXCEPTION 'The approval is about another content than the deployment''s.'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'deployment_approval_of_its_content';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER deployments_approval_four_eyes BEFORE INSERT OR UPDATE ON deployments_deploymentapproval
    FOR EACH ROW EXECUTE FUNCTION deployments_approval_four_eyes();
"""
BACKWARD = """
DROP TRIGGER deployments_approval_four_eyes ON deployments_deploymentapproval;
DROP FUNCTION deployments_approval_four_eyes();
"""


class Migration(migrations.Migration):
    dependencies = [("deployments", "0002_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
