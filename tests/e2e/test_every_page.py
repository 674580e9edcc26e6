"""Every page of both doors in the browser: axe in light and dark, Tab alone, desk and telephone.

Names are as long as they may be. The desk reads English, the telephone German. Pages come from the
tables of addresses, so a new one is walked as soon as it has its row.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import pytest
from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone
from playwright.async_api import Browser, Route, expect

from tenants.models import Call, IdentityProvider, ProviderAccount, ProviderModel, User, Worker
from tenants.services import members
from tests.console import addresses as console
from tests.e2e import looks
from tests.e2e.walk import DESK, WIDTHS, at_a_desk, both, on_a_telephone, walk, window
from tests.e2e.world import PASSWORD, House, World
from tests.portal import addresses as portal
from tests.portal.conftest import talk
from tests.portal.gallery import gallery

LONG: Final = "Gemeinschaftspraxis Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbau Wien"
SIGNED_OUT: Final = (
    "account_login",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key_done",
)
SIGNED_IN: Final = (
    "account_change_password",
    "account_reauthenticate",
    "account_logout",
    "mfa_index",
    "mfa_activate_totp",
    "mfa_list_webauthn",
    "mfa_add_webauthn",
    "usersessions_list",
)
RECORDS: Final = ("index", "tenants_call_changelist", "tenants_tenant_add")
FAULTS: Final = ("400", "403", "403_csrf", "404", "429", "500")


@dataclass(frozen=True)
class Place:
    house: House
    things: dict[str, Any]
    english: User
    """Owns the tenant, and is one of the operator's people too; so is the one who reads German."""
    german: User

    def portal(self) -> list[str]:
        slug = self.house.tenant.slug
        rows = [row for row in portal.PAGES if row.get and row.is_html]
        return [portal.url_of(row, self.things, slug) for row in rows]

    def console(self) -> list[str]:
        return [console.url_of(row, self.things) for row in console.PAGES if row.get]


@pytest.fixture
def place(world: World) -> Place:
    return furnish(world)


def furnish(world: World) -> Place:
    """A tenant in which everything has a long name, and a call in which everything happened."""
    house = world.house()
    for row in (house.tenant, house.agent):
        row.name = LONG[:80]
        row.save()
    house.publish("A note about what changed since the last time, and why it was changed at all.")
    house.account.name = LONG[:64]
    house.account.save()
    past = _call(house, "ended", ended_at=timezone.now(), duration_ms=60_000)
    talk(past)
    _call(house, "running")
    model = ProviderModel.objects.first()
    assert model is not None
    provider = IdentityProvider.all_tenants.create(
        tenant=house.tenant, name=LONG[:64], issuer="https://login.example.com"
    )
    things = {
        "call_id": past.public_id,
        "agent_id": house.agent.public_id,
        "number": 1,
        "number_id": house.number.public_id,
        "account_id": house.account.public_id,
        "tenant_id": house.tenant.public_id,
        "worker_id": Worker.objects.get(name="local").public_id,
        "model_id": model.pk,
        "platform_account_id": _platform_account().public_id,
        "provider_id": provider.public_id,
    }
    return Place(house, things, _walker(world, house, "en"), _walker(world, house, "de"))


def _platform_account() -> ProviderAccount:
    return ProviderAccount.all_tenants.filter(tenant=None).earliest("pk")


def _call(house: House, state: str, **fields: Any) -> Call:
    now = timezone.now()
    return Call.all_tenants.create(
        public_id=uuid.uuid4(),
        tenant=house.tenant,
        number=house.number,
        agent=house.agent,
        revision=house.agent.published,
        worker=Worker.objects.get(name="local"),
        called=house.number.number,
        calling="+4930123456",
        calling_name=LONG[:64],
        state=state,
        started_at=now - timedelta(minutes=2),
        answered_at=now - timedelta(minutes=1),
        **fields,
    )


def _walker(world: World, house: House, language: str) -> User:
    user = world.person(f"{language}-{house.tenant.slug}@house.example", house.tenant, "owner")
    user.language = language
    user.is_staff = user.is_superuser = True
    user.save()
    return user


def assert_none(found: list[str]) -> None:
    assert not found, "\n".join(["", *found])


async def test_the_portal(place: Place, chromium: Browser) -> None:
    web = place.house.stack.web
    assert_none(await both(chromium, web, place.english, place.german, place.portal()))


async def test_the_console(place: Place, chromium: Browser) -> None:
    web = place.house.stack.web
    assert_none(await both(chromium, web, place.english, place.german, place.console()))


async def test_the_entrance(place: Place, chromium: Browser) -> None:
    house = place.house
    _row, invited = members.invite(
        tenant=house.tenant,
        user=house.owner,
        email=f"new@{house.tenant.slug}.example",
        role="viewer",
    )
    key = default_token_generator.make_token(house.owner)
    paths = [
        *(reverse(name) for name in SIGNED_OUT),
        reverse("account_reset_password_from_key", args=[user_pk_to_url_str(house.owner), key]),
        reverse("account_reset_password_from_key", args=["x", "y"]),
        reverse("portal:sign_in", args=[house.tenant.slug]),
        reverse("portal:invitation", args=[invited]),
        reverse("api-v1:docs"),
    ]
    assert_none(await both(chromium, house.stack.web, None, None, paths))


async def test_what_is_a_persons_own(place: Place, chromium: Browser) -> None:
    paths = [reverse(name) for name in SIGNED_IN]
    web = place.house.stack.web
    assert_none(await both(chromium, web, place.english, place.german, paths))


async def test_the_second_step(place: Place, chromium: Browser) -> None:
    owner = place.house.owner
    TOTP.activate(owner, generate_totp_secret())
    async with window(chromium, place.house.stack.web, None, DESK) as desk:
        page = await desk.new_page()
        await page.goto(reverse("account_login"))
        await page.get_by_label("E-mail").fill(owner.email)
        await page.get_by_label("Password", exact=True).fill(PASSWORD)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await page.wait_for_url("**/2fa/authenticate/**")
        assert_none(await at_a_desk(page) + await on_a_telephone(page))


async def test_menus_open(place: Place, chromium: Browser) -> None:
    web = place.house.stack.web
    found = []
    for user, width in ((place.english, DESK), (place.german, WIDTHS[0])):
        async with window(chromium, web, user, width) as shown:
            page = await shown.new_page()
            await page.goto("/")
            for menu in await page.locator("details.menu summary:visible").all():
                await menu.click()
                found += await looks.rules(page, "details[open]")
                found += await looks.width(page)
                await page.keyboard.press("Escape")
                await expect(page.locator("details.menu[open]")).to_have_count(0)
    assert_none(found)


async def test_every_record(place: Place, chromium: Browser) -> None:
    """Django's own pages: its house, our content policy."""
    async with window(chromium, place.house.stack.web, place.english, DESK) as desk:
        paths = [reverse(f"admin:{name}") for name in RECORDS]
        assert_none(await walk(desk, paths, looks.refused))


async def test_pages_that_say_no(place: Place, chromium: Browser) -> None:
    web = place.house.stack.web
    nowhere = ["/nowhere/", f"/t/{place.house.tenant.slug}/nowhere/", "/t/nowhere/"]
    assert_none(await both(chromium, web, place.english, place.german, nowhere, status=404))
    request = RequestFactory().get("/")
    pages = {f"/shown/{name}": render_to_string(f"{name}.html", request=request) for name in FAULTS}
    pages["/shown/bare"] = render_to_string("500.html")
    assert_none(await _shown(chromium, web, pages))


async def _shown(chromium: Browser, web: str, pages: dict[str, str]) -> list[str]:
    """Walks pages that the tests themselves have made, with the product's own files."""

    async def answer(route: Route) -> None:
        page = pages[route.request.url.removeprefix(web)]
        await route.fulfill(body=page, content_type="text/html; charset=utf-8")

    async with window(chromium, web, None, DESK) as desk:
        await desk.route("**/shown/*", answer)
        return await walk(desk, list(pages), _everywhere)


async def _everywhere(page: Any) -> list[str]:
    found = await at_a_desk(page) + await on_a_telephone(page)
    await page.set_viewport_size({"width": DESK, "height": 900})
    return found


async def test_components_that_no_page_shows(world: World, chromium: Browser) -> None:
    assert_none(await _shown(chromium, world.stack.web, {"/shown/gallery": str(gallery())}))


async def test_a_drawer_opens_and_shuts_by_keys(world: World, chromium: Browser) -> None:
    async with window(chromium, world.stack.web, None, DESK) as desk:
        page = await desk.new_page()
        body = str(gallery())
        await page.route(
            "**/gallery", lambda route: route.fulfill(body=body, content_type="text/html")
        )
        await page.goto("/gallery")
        opener = page.get_by_role("button", name="Say something")
        await opener.press("Enter")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(opener).to_be_focused()
