"""Websocket addresses."""

from django.urls import path

from deployments.consumers import LiveConsumer

websocket_urlpatterns = [path("ws/live", LiveConsumer.as_asgi())]
