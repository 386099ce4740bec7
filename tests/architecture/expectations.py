"""Who may do what at which address: written down, so that a new address without an expectation fails.

Whoever does not see the object of an address gets 404, who sees it but may not do this 403, who has not logged in the
login page (302) or 401.
"""

from dataclasses import dataclass, field
from typing import Any

People = frozenset[str]

PUBLIC: People = frozenset({"anonymous", "outsider", "viewer", "deployer", "approver", "admin"})
LOGGED_IN = PUBLIC - {"anonymous"}
TEAM = LOGGED_IN - {"outsider"}
ENGINEERS = TEAM - {"viewer"}
ANY_ENGINEER = LOGGED_IN - {"viewer"}
# The content is the deployer's, and so is the deployment: four eyes.
REVIEWERS = ENGINEERS - {"deployer"}
ADMIN: People = frozenset({"admin"})
OWNER: People = frozenset({"deployer"})


@dataclass(frozen=True)
class Expectation:
    """`allowed` by method; `seen` is who sees the object of the address; `bodies` are valid where that matters."""

    allowed: dict[str, People]
    seen: People = LOGGED_IN
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)


def on(seen: People = LOGGED_IN, /, bodies: dict[str, dict[str, Any]] | None = None, **allowed: People) -> Expectation:
    return Expectation(allowed, seen, bodies or {})


ARTIFACTS = {"images": {"app": "registry.example/web:9.9.9"}, "manifests": None}
NEW_RELEASE = {"application": "checkout", "version": "9.9.9", "artifacts": ARTIFACTS}

PAGES = {
    "board": on(GET=LOGGED_IN),
    "accounts:login": on(PUBLIC, GET=PUBLIC, POST=PUBLIC),
    "accounts:logout": on(POST=LOGGED_IN),
    "accounts:profile": on(GET=LOGGED_IN),
    "accounts:password-change": on(GET=LOGGED_IN, POST=LOGGED_IN),
    "accounts:tokens": on(GET=LOGGED_IN),
    "accounts:token-issue": on(POST=LOGGED_IN),
    "accounts:token-revoke": on(OWNER, POST=OWNER),
    "accounts:people": on(GET=LOGGED_IN),
    "accounts:person-create": on(GET=ADMIN, POST=ADMIN),
    "accounts:person-edit": on(TEAM, GET=ADMIN, POST=ADMIN),
    "accounts:person-password": on(TEAM, GET=ADMIN, POST=ADMIN),
    "accounts:person-deactivate": on(TEAM, POST=ADMIN),
    "accounts:person-activate": on(TEAM, POST=ADMIN),
    "accounts:teams": on(GET=LOGGED_IN),
    "accounts:team-create": on(GET=ADMIN, POST=ADMIN),
    "accounts:team-detail": on(TEAM, GET=TEAM),
    "accounts:team-edit": on(TEAM, GET=ADMIN, POST=ADMIN),
    "accounts:member-add": on(TEAM, POST=ADMIN),
    "accounts:member-role": on(TEAM, POST=ADMIN, bodies={"POST": {"role": "maintainer"}}),
    "accounts:member-remove": on(TEAM, POST=ADMIN),
    "audit:list": on(GET=LOGGED_IN),
    "audit:newer": on(GET=LOGGED_IN),
    "audit:export": on(GET=LOGGED_IN),
    "audit:for-resource": on(GET=LOGGED_IN),
    "releases:list": on(GET=LOGGED_IN),
    "releases:create": on(GET=ENGINEERS, POST=ENGINEERS),
    "releases:version-field": on(GET=LOGGED_IN),
    "releases:image-row": on(GET=LOGGED_IN),
    "releases:text-preview": on(POST=LOGGED_IN),
    "releases:detail": on(TEAM, GET=TEAM),
    "releases:edit": on(TEAM, GET=ENGINEERS, POST=ENGINEERS),
    "releases:delete": on(TEAM, POST=ENGINEERS),
    "releases:submit": on(TEAM, POST=ENGINEERS),
    "releases:approve": on(TEAM, GET=REVIEWERS, POST=REVIEWERS),
    "releases:reject": on(TEAM, GET=REVIEWERS, POST=REVIEWERS),
    "releases:cancel": on(TEAM, POST=ENGINEERS),
    "releases:comment": on(TEAM, GET=TEAM, POST=ENGINEERS, bodies={"POST": {"body": "A remark."}}),
    "releases:applications": on(GET=LOGGED_IN),
    "releases:application-create": on(GET=ADMIN, POST=ADMIN),
    "releases:application-detail": on(TEAM, GET=TEAM),
    "releases:application-edit": on(TEAM, GET=ADMIN, POST=ADMIN),
    "releases:approval-rules": on(GET=LOGGED_IN),
    "releases:approval-rule-create": on(GET=ADMIN, POST=ADMIN),
    "releases:approval-rule-edit": on(TEAM, GET=ADMIN, POST=ADMIN),
    "releases:approval-rule-delete": on(TEAM, POST=ADMIN),
    "deployments:list": on(GET=LOGGED_IN),
    "deployments:start": on(TEAM, GET=ENGINEERS, POST=ENGINEERS),
    "deployments:start-diff": on(TEAM, GET=TEAM),
    "deployments:for-release": on(TEAM, GET=TEAM),
    "deployments:for-application": on(TEAM, GET=TEAM),
    "deployments:detail": on(TEAM, GET=TEAM),
    "deployments:log": on(TEAM, GET=TEAM),
    "deployments:manifests": on(TEAM, GET=TEAM),
    "deployments:cancel": on(TEAM, POST=ENGINEERS),
    "deployments:retry": on(TEAM, POST=ENGINEERS),
    "deployments:pause": on(TEAM, POST=ENGINEERS),
    "deployments:resume": on(TEAM, POST=ENGINEERS),
    "deployments:promote": on(TEAM, POST=ENGINEERS),
    "deployments:abort": on(TEAM, POST=ENGINEERS),
    "deployments:rollback": on(TEAM, GET=ENGINEERS, POST=ENGINEERS),
    "deployments:approve": on(TEAM, GET=REVIEWERS, POST=REVIEWERS),
    "deployments:reject": on(TEAM, GET=REVIEWERS, POST=REVIEWERS),
    "deployments:environments": on(GET=LOGGED_IN),
    "deployments:environment-create": on(GET=ADMIN, POST=ADMIN),
    "deployments:environment-detail": on(GET=LOGGED_IN),
    "deployments:environment-edit": on(GET=ADMIN, POST=ADMIN),
    "deployments:environment-delete": on(POST=ADMIN),
    "deployments:clusters": on(GET=LOGGED_IN),
    "deployments:cluster-create": on(GET=ADMIN, POST=ADMIN),
    "deployments:cluster-edit": on(TEAM, GET=ADMIN, POST=ADMIN),
    "deployments:cluster-delete": on(TEAM, POST=ADMIN),
    "deployments:target-create": on(GET=ADMIN, POST=ADMIN),
    "deployments:target-drift": on(TEAM, GET=TEAM),
    "deployments:target-edit": on(TEAM, GET=ADMIN, POST=ADMIN),
    "deployments:target-delete": on(TEAM, POST=ADMIN),
    "openapi": on(PUBLIC, GET=PUBLIC),
    "swagger": on(PUBLIC, GET=PUBLIC),
    "redoc": on(PUBLIC, GET=PUBLIC),
}
REASON = {"reason": "Carts are empty"}
API = {
    "health": on(PUBLIC, GET=PUBLIC),
    "ready": on(PUBLIC, GET=PUBLIC),
    # Open to the network that the test comes from; `tests/core/test_api_probes.py` tries the others.
    "metrics": on(PUBLIC, GET=PUBLIC),
    "auth-login": on(PUBLIC, POST=PUBLIC),
    "auth-logout": on(POST=LOGGED_IN),
    "user-list": on(GET=LOGGED_IN, POST=ADMIN),
    "user-me": on(GET=LOGGED_IN),
    "user-change-password": on(POST=LOGGED_IN),
    "user-detail": on(TEAM, GET=TEAM, PATCH=ADMIN),
    "user-set-password": on(TEAM, POST=ADMIN),
    "team-list": on(GET=LOGGED_IN, POST=ADMIN),
    "team-detail": on(TEAM, GET=TEAM, PATCH=ADMIN),
    "team-members": on(TEAM, GET=TEAM, POST=ADMIN),
    "team-remove-member": on(TEAM, DELETE=ADMIN, PATCH=ADMIN),
    "token-list": on(GET=LOGGED_IN, POST=LOGGED_IN),
    "token-detail": on(OWNER, DELETE=OWNER),
    "audit-log-list": on(GET=LOGGED_IN),
    "audit-log-detail": on(TEAM, GET=TEAM),
    "application-list": on(GET=LOGGED_IN, POST=ADMIN),
    "application-detail": on(TEAM, GET=TEAM, PATCH=ADMIN, DELETE=ADMIN),
    "release-list": on(TEAM, GET=LOGGED_IN, POST=ENGINEERS, bodies={"POST": NEW_RELEASE}),
    "release-detail": on(TEAM, GET=TEAM, PATCH=ENGINEERS, DELETE=ENGINEERS),
    "release-approve": on(TEAM, POST=REVIEWERS),
    "release-cancel": on(TEAM, POST=ENGINEERS),
    "release-comments": on(TEAM, GET=TEAM, POST=ENGINEERS, bodies={"POST": {"body": "A remark."}}),
    "release-notes": on(TEAM, GET=TEAM, POST=ENGINEERS, bodies={"POST": {"notes": "New."}}),
    "release-reject": on(TEAM, POST=REVIEWERS, bodies={"POST": {"comment": "No."}}),
    "release-submit": on(TEAM, POST=ENGINEERS),
    "release-deploy": on(TEAM, POST=ENGINEERS, bodies={"POST": {"environment": "staging"}}),
    "release-preview": on(TEAM, GET=TEAM),
    "release-diff": on(TEAM, GET=TEAM),
    "approval-rule-list": on(GET=LOGGED_IN, POST=ADMIN),
    "approval-rule-detail": on(TEAM, GET=TEAM, PATCH=ADMIN, DELETE=ADMIN),
    "environment-list": on(GET=LOGGED_IN, POST=ADMIN),
    "environment-detail": on(GET=LOGGED_IN, PATCH=ADMIN, DELETE=ADMIN),
    "cluster-list": on(GET=LOGGED_IN, POST=ADMIN),
    "cluster-detail": on(TEAM, GET=TEAM, PATCH=ADMIN, DELETE=ADMIN),
    "target-list": on(GET=LOGGED_IN, POST=ADMIN),
    "target-drift": on(TEAM, GET=TEAM),
    "target-detail": on(TEAM, GET=TEAM, PATCH=ADMIN, DELETE=ADMIN),
    "deployment-list": on(GET=LOGGED_IN),
    "deployment-detail": on(TEAM, GET=TEAM),
    "deployment-approve": on(TEAM, POST=REVIEWERS),
    "deployment-cancel": on(TEAM, POST=ENGINEERS),
    "deployment-gates": on(TEAM, GET=TEAM),
    "deployment-log": on(TEAM, GET=TEAM),
    "deployment-reject": on(TEAM, POST=REVIEWERS, bodies={"POST": {"comment": "No."}}),
    "deployment-retry": on(TEAM, POST=ENGINEERS),
    "deployment-pause": on(TEAM, POST=ENGINEERS),
    "deployment-resume": on(TEAM, POST=ENGINEERS),
    "deployment-promote": on(TEAM, POST=ENGINEERS),
    "deployment-abort": on(TEAM, POST=ENGINEERS),
    "deployment-rollback": on(TEAM, POST=ENGINEERS, bodies={"POST": REASON}),
    "deployment-steps": on(TEAM, GET=TEAM),
}
# The same intention by page and by API: whoever may do the one may do the other.
SAME_INTENTION = (
    ("accounts:person-create", "POST", "user-list", "POST"),
    ("accounts:person-edit", "POST", "user-detail", "PATCH"),
    ("accounts:person-password", "POST", "user-set-password", "POST"),
    ("accounts:team-create", "POST", "team-list", "POST"),
    ("accounts:team-detail", "GET", "team-detail", "GET"),
    ("accounts:team-edit", "POST", "team-detail", "PATCH"),
    ("accounts:member-add", "POST", "team-members", "POST"),
    ("accounts:member-role", "POST", "team-remove-member", "PATCH"),
    ("accounts:member-remove", "POST", "team-remove-member", "DELETE"),
    ("accounts:token-revoke", "POST", "token-detail", "DELETE"),
    ("accounts:token-issue", "POST", "token-list", "POST"),
    ("accounts:password-change", "POST", "user-change-password", "POST"),
    ("releases:detail", "GET", "release-detail", "GET"),
    ("releases:create", "POST", "release-list", "POST"),
    ("releases:edit", "POST", "release-detail", "PATCH"),
    ("releases:delete", "POST", "release-detail", "DELETE"),
    ("releases:submit", "POST", "release-submit", "POST"),
    ("releases:approve", "POST", "release-approve", "POST"),
    ("releases:reject", "POST", "release-reject", "POST"),
    ("releases:cancel", "POST", "release-cancel", "POST"),
    ("releases:comment", "POST", "release-comments", "POST"),
    ("releases:application-create", "POST", "application-list", "POST"),
    ("releases:application-detail", "GET", "application-detail", "GET"),
    ("releases:application-edit", "POST", "application-detail", "PATCH"),
    ("releases:approval-rule-create", "POST", "approval-rule-list", "POST"),
    ("releases:approval-rule-edit", "POST", "approval-rule-detail", "PATCH"),
    ("releases:approval-rule-delete", "POST", "approval-rule-detail", "DELETE"),
    ("deployments:start", "POST", "release-deploy", "POST"),
    ("deployments:start", "POST", "deployment-retry", "POST"),
    ("deployments:detail", "GET", "deployment-detail", "GET"),
    ("deployments:log", "GET", "deployment-log", "GET"),
    ("deployments:cancel", "POST", "deployment-cancel", "POST"),
    ("deployments:retry", "POST", "deployment-retry", "POST"),
    ("deployments:rollback", "POST", "deployment-rollback", "POST"),
    ("deployments:pause", "POST", "deployment-pause", "POST"),
    ("deployments:resume", "POST", "deployment-resume", "POST"),
    ("deployments:promote", "POST", "deployment-promote", "POST"),
    ("deployments:abort", "POST", "deployment-abort", "POST"),
    ("deployments:approve", "POST", "deployment-approve", "POST"),
    ("deployments:reject", "POST", "deployment-reject", "POST"),
    ("deployments:environment-create", "POST", "environment-list", "POST"),
    ("deployments:environment-edit", "POST", "environment-detail", "PATCH"),
    ("deployments:environment-delete", "POST", "environment-detail", "DELETE"),
    ("deployments:cluster-create", "POST", "cluster-list", "POST"),
    ("deployments:cluster-edit", "POST", "cluster-detail", "PATCH"),
    ("deployments:cluster-delete", "POST", "cluster-detail", "DELETE"),
    ("deployments:target-create", "POST", "target-list", "POST"),
    ("deployments:target-edit", "POST", "target-detail", "PATCH"),
    ("deployments:target-delete", "POST", "target-detail", "DELETE"),
)
