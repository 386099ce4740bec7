"""HTTP and websockets from one ASGI application."""

import os
import warnings

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "releasemgr.settings")
http = get_asgi_application()

# Only after the line above may anything import models.
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.sessions import SessionMiddlewareStack  # noqa: E402

from releasemgr.core.checks import refuse_unsafe_start  # noqa: E402
from releasemgr.core.origins import SameOriginValidator  # noqa: E402
from releasemgr.routing import websocket_urlpatterns  # noqa: E402

# WhiteNoise streams files synchronously; Django reads them in a thread and would say so at every first request.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

refuse_unsafe_start()
application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": SameOriginValidator(SessionMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)
