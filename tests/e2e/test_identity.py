"""A tenant's own sign-in in real Chromium: by SAML, the way that browsers hinder most.

The button's answer leads to another site (form-action), and that site's form comes back without
our cookies (SameSite).
"""

from __future__ import annotations

from playwright.async_api import Browser, expect

from tenants.models import IdentityProvider
from tenants.services import identity
from tests.e2e.chromium import BROWSER_MS
from tests.e2e.world import World
from tests.support import saml


async def test_the_button_leads_to_the_provider_and_back(world: World, chromium: Browser) -> None:
    house = world.house()
    with saml.running() as idp:
        # By name: browsers take all ports of one address for the same site.
        idp.host, idp.who = "localhost", house.owner.email
        row = IdentityProvider(tenant=house.tenant, kind="saml", name="House account")
        identity.save_provider(provider=row, user=house.owner, metadata=idp.metadata())
        page = await chromium.new_page()
        page.set_default_timeout(BROWSER_MS)
        await page.goto(f"{house.stack.web}/sign-in/{house.tenant.slug}/")
        await page.get_by_role("button", name="Sign in with House account").click()
        await page.wait_for_url(f"{idp.web}/sso?**")
        await page.get_by_role("button", name="It is me").click()
        await page.wait_for_url(f"{house.stack.web}/t/{house.tenant.slug}/")
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
