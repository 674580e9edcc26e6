"""Pictures for the documents, taken of the running demo and a real call: `make screenshots`.

Before it there are a fortnight's made-up calls (tests/e2e/past.py), so that charts have something
to show. Pictures are of a desk in English and light unless their name says otherwise.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.e2e.chromium import launch
from tests.e2e.stack import ROOT, RunningStack

if TYPE_CHECKING:
    from playwright.async_api import ViewportSize

PICTURES: Final = ROOT / "docs" / "pictures"
SAY: Final = "What are your opening hours? | Please connect me to the sales department."
CALL: Final = ("call", "--number", "100", "--say", SAY)
DESK: Final[ViewportSize] = {"width": 1440, "height": 900}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
WAIT_MS: Final = 60_000


@dataclass(frozen=True)
class Visit:
    """A page to be taken as it is."""

    picture: str
    path: str


PORTAL: Final = (
    Visit("start", "/t/demo/"),
    Visit("calls", "/t/demo/calls/"),
    Visit("usage", "/t/demo/usage/"),
    Visit("settings", "/t/demo/settings/members/"),
    Visit("agent", "/t/demo/agents/{agent}/"),
    Visit("agent-turns", "/t/demo/agents/{agent}/#turns"),
    Visit("compare", "/t/demo/agents/{agent}/compare/"),
    Visit("try", "/t/demo/agents/{agent}/try/"),
)
CONSOLE: Final = (
    Visit("console", "/console/"),
    Visit("console-tenants", "/console/tenants/"),
    Visit("console-workers", "/console/workers/"),
    Visit("console-models", "/console/models/"),
)


async def take(stack: RunningStack, agent: str) -> None:
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        page = await signed_in(browser, stack, "Portal")
        call = await _a_call(stack, page)
        for visit in PORTAL:
            await _visit(page, f"{stack.web}{visit.path.format(agent=agent)}", visit.picture)
        await page.emulate_media(color_scheme="dark")
        await _visit(page, call, "call-dark")
        await page.emulate_media(color_scheme="light")
        await page.set_viewport_size(PHONE)
        await _visit(page, f"{stack.web}/t/demo/", "start-phone")
        await _visit(page, call, "call-phone")
        await page.set_viewport_size(DESK)
        await page.locator(".person-menu summary").click()
        await page.get_by_role("button", name="German").click()
        await expect(page.locator("html")).to_have_attribute("lang", "de")
        await _visit(page, f"{stack.web}/t/demo/usage/", "usage-german")
        operator = await signed_in(browser, stack, "Console")
        for visit in CONSOLE:
            await _visit(operator, f"{stack.web}{visit.path}", visit.picture)
        await browser.close()


async def _a_call(stack: RunningStack, page: Page) -> str:
    """A call while it runs and when it is over; gives its page's address."""
    await page.goto(f"{stack.web}/t/demo/live/")
    calling = asyncio.create_task(asyncio.to_thread(stack.run_command, *CALL))
    call = page.locator("[data-call]").first
    await expect(call).to_be_visible(timeout=WAIT_MS)
    address = f"{stack.web}/t/demo/calls/{await call.get_attribute('data-call')}/"
    await page.goto(address)
    caller = page.locator('#transcript [data-speaker="caller"][data-final="true"]')
    await expect(caller.first).to_be_visible(timeout=WAIT_MS)
    agent = page.locator('#transcript [data-speaker="agent"]')
    await expect(agent).to_have_count(2, timeout=WAIT_MS)
    await page.screenshot(path=PICTURES / "live-call.png")
    await calling
    await expect(page.locator("#call-state")).to_have_attribute("data-state", "ended")
    await _visit(page, address, "call")
    return address


async def _visit(page: Page, address: str, picture: str) -> None:
    await page.goto(address)
    await page.evaluate("document.fonts.ready")
    await page.wait_for_load_state("networkidle")
    await page.screenshot(path=PICTURES / f"{picture}.png", animations="disabled")


async def signed_in(browser: Browser, stack: RunningStack, door: str) -> Page:
    context = await browser.new_context(viewport=DESK, reduced_motion="reduce", locale="en")
    page = await context.new_page()
    page.set_default_timeout(WAIT_MS)
    email, password = stack.sign_in(door)
    await page.goto(stack.web)
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.wait_for_url(lambda url: "/accounts/" not in url)
    return page


def _prepare(stack: RunningStack) -> str:
    """What is there before the call; gives the key of the agent that is shown."""
    os.environ |= stack.environment
    os.environ |= {"DJANGO_SETTINGS_MODULE": "pbxai.settings", "DJANGO_ALLOW_ASYNC_UNSAFE": "1"}
    import django

    django.setup()
    from tenants.models import Agent, Tenant
    from tenants.services.publishing import save_draft
    from tests.e2e.past import make_neighbours, make_past

    tenant = Tenant.objects.get()
    tenant.budget_month = 150
    tenant.save()
    make_past(tenant)
    make_neighbours()
    agent = Agent.all_tenants.get(tenant=tenant, name="Reception")
    agent.instructions = (agent.instructions or "").replace(
        "goodbye and hang up.", "goodbye by name, {{caller_name}}, and hang up."
    )
    save_draft(agent=agent, user=None)
    return str(agent.public_id)


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        stack = RunningStack(Path(folder))
        stack.start()
        try:
            asyncio.run(take(stack, _prepare(stack)))
        finally:
            stack.stop()


if __name__ == "__main__":
    main()
