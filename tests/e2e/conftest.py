"""Fixtures of the end-to-end tests: one running product, its database, phones, a browser.

Nothing stands in for anything: the product is started by `manage.py run`, phones speak SIP and
RTP, the browser is Chromium. Tests reach the product's own database to set up and to read records.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest
from django.conf import settings
from django.db import connections
from playwright.async_api import Browser, async_playwright, expect

from pbxai.crypto import KeyRingSource
from tests.e2e.chromium import BROWSER_MS, launch
from tests.e2e.stack import RunningStack
from tests.e2e.world import World

# The tests are coroutines and look things up in the database between two awaits.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
expect.set_options(timeout=BROWSER_MS)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    running = RunningStack(tmp_path_factory.mktemp("pbxai"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def django_db_setup(stack: RunningStack, django_db_blocker) -> Iterator[None]:
    """No test database: these tests look at the running product's own."""
    connection = connections["default"]
    with django_db_blocker.unblock():
        connection.close()
        connection.settings_dict["NAME"] = stack.data / "pbxai.sqlite3"
        settings.SECRET_KEY = (stack.data / "keys" / "secret_key").read_text().strip()
        settings.KEYRING = KeyRingSource(path=stack.data / "keys" / "keyring")
        yield
        connection.close()


@pytest.fixture
def world(stack: RunningStack, django_db_setup, django_db_blocker) -> Iterator[World]:
    """Makes tenants, agents and numbers of a test's own in the running product."""
    with django_db_blocker.unblock():
        yield World(stack)


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        yield browser
        await browser.close()
