"""The API's description and its two readers, served from our own files."""

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_update
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularRedocView, SpectacularSwaggerSplitView

openapi = SpectacularJSONAPIView.as_view()

# Both set styles from their scripts; ReDoc also searches in a worker that it makes from a blob.
swagger = csp_update({"style-src": [SELF, UNSAFE_INLINE]})(
    SpectacularSwaggerSplitView.as_view(url_name="openapi", template_name="api/swagger.html")
)
redoc = csp_update({"style-src": [SELF, UNSAFE_INLINE], "worker-src": [SELF, "blob:"]})(
    SpectacularRedocView.as_view(url_name="openapi", template_name="api/redoc.html")
)
