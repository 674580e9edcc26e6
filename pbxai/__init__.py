"""How the web side is put together: settings, urls, asgi, celery."""

from pbxai.celery import app as celery_app

__all__ = ["celery_app"]
