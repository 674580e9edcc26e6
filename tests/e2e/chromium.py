"""Debian's Chromium without a screen, for tests and pictures."""

from __future__ import annotations

from playwright.async_api import Browser, Playwright

BROWSER_MS = 60_000
"""How long a test waits for what a page should show or do."""
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


async def launch(playwright: Playwright) -> Browser:
    return await playwright.chromium.launch(
        executable_path="/usr/bin/chromium", args=CHROMIUM_ARGUMENTS
    )
