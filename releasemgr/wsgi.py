"""HTTP only; live pages then poll."""

import os

from django.core.wsgi import get_wsgi_application

from releasemgr.core.checks import refuse_unsafe_start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "releasemgr.settings")
application = get_wsgi_application()

refuse_unsafe_start()
