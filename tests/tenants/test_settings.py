"""What the settings promise: logs without secrets, pages in the reader's language."""

from __future__ import annotations

import io
import logging

import pytest
import structlog
from django.conf import settings as django_settings
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from pbxai import logs
from pbxai.preferences import preferences_middleware
from tenants.models import User
from tests.conftest import PASSWORD


@pytest.mark.parametrize(
    "name", ["api_key", "token", "password", "secret", "Authorization", "worker_token"]
)
def test_a_secret_by_its_name_is_not_logged(name: str):
    handler = logging.getLogger().handlers[0]
    stream = io.StringIO()
    spy = logging.StreamHandler(stream)
    spy.setFormatter(handler.formatter)
    logger = logging.getLogger("tenants.spied")
    logger.addHandler(spy)
    try:
        structlog.get_logger("tenants.spied").warning("something", **{name: "hush-hush", "n": 1})
    finally:
        logger.removeHandler(spy)
    assert "something" in stream.getvalue()
    assert "hush-hush" not in stream.getvalue()
    assert logs.HIDDEN in stream.getvalue()


def test_pages_speak_the_readers_language(client: Client, olga: User):
    client.force_login(olga)
    index = reverse("admin:index")
    assert client.get(index, headers={"Accept-Language": "de"}).headers["Content-Language"] == "de"
    olga.language = "en"
    olga.save()
    assert client.get(index, headers={"Accept-Language": "de"}).headers["Content-Language"] == "en"


def test_times_are_the_readers(olga: User, rf: RequestFactory):
    olga.time_zone = "Asia/Tokyo"
    request = rf.get("/")
    request.user = olga
    seen = []
    preferences_middleware(lambda _request: seen.append(timezone.get_current_timezone_name()))(
        request
    )
    assert seen == ["Asia/Tokyo"]
    assert timezone.get_current_timezone_name() == "UTC"


def test_the_session_is_out_of_reach_of_scripts(client: Client, olga: User):
    client.post("/accounts/login/", {"login": olga.email, "password": PASSWORD})
    cookie = client.cookies[django_settings.SESSION_COOKIE_NAME]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
