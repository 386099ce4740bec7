"""The embedded PostgreSQL: a small wrapper over the server programs of a wheel, for development and tests.

Knows nothing of Django, because settings and the test run use it before Django is set up.
"""

from releasemgr.embedded.errors import EmbeddedDatabaseError
from releasemgr.embedded.server import ensure_running, running_url, stop, stop_if_idle

__all__ = ["EmbeddedDatabaseError", "ensure_running", "running_url", "stop", "stop_if_idle"]
