"""Passkeys in real Chromium, with its virtual authenticator in the place of a security chip."""

from __future__ import annotations

from playwright.async_api import Browser, Page, expect

from tests.e2e.world import PASSWORD, World

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


async def with_authenticator(page: Page) -> None:
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})


async def test_a_passkey_is_made_and_signs_in_without_a_password(
    world: World, chromium: Browser
) -> None:
    house = world.house()
    # Browsers know passkeys for names, not for bare addresses.
    web = house.stack.web.replace("127.0.0.1", "localhost")
    page = await chromium.new_page()
    await with_authenticator(page)
    await page.goto(f"{web}/accounts/login/")
    await page.get_by_label("E-mail").fill(house.owner.email)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.wait_for_url(f"{web}/t/{house.tenant.slug}/**")

    await page.goto(f"{web}/accounts/2fa/webauthn/add/")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Continue").click()
    await page.get_by_label("Name").fill("My laptop")
    await page.get_by_label("Passwordless").check()
    await page.locator("#mfa_webauthn_add").click()
    await page.wait_for_url(f"{web}/accounts/2fa/recovery-codes/**")
    await page.goto(f"{web}/accounts/2fa/webauthn/")
    await expect(page.get_by_text("My laptop")).to_be_visible()

    await page.goto(f"{web}/accounts/logout/")
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url(f"{web}/accounts/login/**")
    await page.locator("#passkey_login").click()
    await page.wait_for_url(f"{web}/t/{house.tenant.slug}/**")
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
