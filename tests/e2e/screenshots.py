"""Pictures for the documents, taken from the running demo with a real call: `make screenshots`."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.e2e.chromium import launch
from tests.e2e.stack import ROOT, RunningStack

SAY = "What are your opening hours? | Please connect me to the sales department."
DESK = {"width": 1280, "height": 860}


async def take(stack: RunningStack, folder: Path) -> None:
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        page = await signed_in(browser, stack)
        await page.goto(f"{stack.web}/t/demo/live/")
        calling = asyncio.create_task(asyncio.to_thread(stack.run_command, "call", "--say", SAY))
        call = page.locator("[data-call]").first
        await expect(call).to_be_visible(timeout=60_000)
        address = f"{stack.web}/t/demo/calls/{await call.get_attribute('data-call')}/"
        await page.goto(address)
        caller = page.locator('#transcript [data-speaker="caller"][data-final="true"]')
        await expect(caller.first).to_be_visible(timeout=60_000)
        await expect(page.locator('#transcript [data-speaker="agent"]')).to_have_count(2)
        await page.screenshot(path=folder / "portal-live.png")
        await calling
        await expect(page.locator("#call-state")).to_have_attribute("data-state", "ended")
        await page.goto(address)
        await page.screenshot(path=folder / "portal.png")
        await page.goto(f"{stack.web}/t/demo/agents/")
        await page.get_by_role("link", name="Reception").first.click()
        await expect(page.get_by_role("tab").first).to_be_visible()
        await page.screenshot(path=folder / "portal-agent.png")
        await browser.close()


async def signed_in(browser: Browser, stack: RunningStack) -> Page:
    page = await browser.new_page(viewport=DESK)
    email, password = stack.sign_in()
    await page.goto(stack.web)
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{stack.web}/t/demo/**")
    return page


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        stack = RunningStack(Path(folder))
        stack.start()
        try:
            asyncio.run(take(stack, ROOT / "docs"))
        finally:
            stack.stop()


if __name__ == "__main__":
    main()
