"""Two tenants with running calls: neither sees, edits, hears or subscribes to the other's."""

from __future__ import annotations

import http.cookies
import json
import re

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.e2e.world import PASSWORD, House, World
from tests.support.raw_phone import RawPhone


def browser_of(house: House) -> httpx.Client:
    """A signed-in browser without a screen."""
    browser = httpx.Client(base_url=house.stack.web, follow_redirects=False, timeout=60)
    page = browser.get("/accounts/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token is not None
    form = {"login": house.owner.email, "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
    referer = f"{house.stack.web}/accounts/login/"
    assert browser.post("/accounts/login/", data=form, headers={"Referer": referer}).is_redirect
    return browser


def cookie_of(browser: httpx.Client) -> str:
    jar = http.cookies.SimpleCookie({each.name: each.value or "" for each in browser.cookies.jar})
    return "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())


async def frames_of(house: House, browser: httpx.Client, path: str, *, count: int = 1) -> list[str]:
    """The first frames of a socket of the portal, as this browser gets them."""
    address = house.stack.web.replace("http://", "ws://") + path
    headers = {"Cookie": cookie_of(browser)}
    async with connect(
        address, additional_headers=headers, origin=house.stack.web, open_timeout=60
    ) as socket:
        return [str(await socket.recv()) for _ in range(count)]


async def test_pages_and_sockets_of_another_tenant_do_not_exist(world: World) -> None:
    ours, theirs = world.house(), world.house()
    server = ("127.0.0.1", ours.stack.sip_port)
    async with RawPhone(server) as phone:
        await phone.call(theirs.number.number)
        await phone.speech()
        call = await theirs.call()
        me, them = browser_of(ours), browser_of(theirs)
        slug = theirs.tenant.slug
        pages = [
            f"/t/{slug}/",
            f"/t/{slug}/live/",
            f"/t/{slug}/calls/",
            f"/t/{slug}/calls/{call.public_id}/",
            f"/t/{slug}/agents/",
            f"/t/{slug}/agents/{theirs.agent.public_id}/",
            f"/t/{slug}/numbers/",
            f"/t/{slug}/settings/",
            f"/t/{slug}/settings/accounts/",
        ]
        for page in pages:
            assert them.get(page).status_code == 200, page
            assert me.get(page).status_code == 404, page
        borrowed = [
            f"/t/{ours.tenant.slug}/calls/{call.public_id}/",
            f"/t/{ours.tenant.slug}/agents/{theirs.agent.public_id}/",
        ]
        for page in borrowed:
            assert me.get(page).status_code == 404, page

        for path in (f"/ws/t/{slug}/calls", f"/ws/t/{slug}/calls/{call.public_id}"):
            assert await frames_of(theirs, them, path)
            with pytest.raises((ConnectionClosed, InvalidStatus)) as refused:
                await frames_of(ours, me, path)
            if isinstance(refused.value, ConnectionClosed):
                assert refused.value.rcvd is not None
                assert refused.value.rcvd.code == 4404
        await phone.hang_up()
    await theirs.ended_call()
    assert theirs.number.number not in me.get(f"/t/{ours.tenant.slug}/calls/").text


async def test_a_feed_brings_only_the_own_tenants_calls(world: World) -> None:
    ours, theirs = world.house(), world.house()
    server = ("127.0.0.1", ours.stack.sip_port)
    me = browser_of(ours)
    address = ours.stack.web.replace("http://", "ws://") + f"/ws/t/{ours.tenant.slug}/calls"
    seen = []
    async with (
        connect(
            address,
            additional_headers={"Cookie": cookie_of(me)},
            origin=ours.stack.web,
            open_timeout=60,
        ) as feed,
        RawPhone(server) as their_phone,
        RawPhone(server) as our_phone,
    ):
        await their_phone.call(theirs.number.number)
        await their_phone.speech()
        await our_phone.call(ours.number.number)
        our_call = await ours.call()
        while str(our_call.public_id) not in (frame := str(await feed.recv())):
            seen.append(frame)
        seen.append(frame)
        await their_phone.hang_up()
        await our_phone.hang_up()
    their_call = await theirs.ended_call()
    await ours.ended_call()
    assert not any(str(their_call.public_id) in frame for frame in seen)
    assert not any(theirs.number.number in frame for frame in seen)


async def test_a_member_cannot_use_the_workers_api(world: World) -> None:
    house = world.house()
    me = browser_of(house)
    body = json.dumps({"call_key": "x", "called": "1", "calling": "2", "sip_call_id": "3"})
    answer = me.post("/api/worker/v1/calls", content=body)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_anonymous_visitor_is_sent_to_the_door(world: World) -> None:
    house = world.house()
    with httpx.Client(base_url=house.stack.web, timeout=60) as nobody:
        answer = nobody.get(f"/t/{house.tenant.slug}/calls/")
        assert answer.status_code == 302
        assert "/accounts/login/" in answer.headers["location"]
    address = house.stack.web.replace("http://", "ws://") + f"/ws/t/{house.tenant.slug}/calls"
    with pytest.raises((ConnectionClosed, InvalidStatus)):
        async with connect(address, origin=house.stack.web, open_timeout=60) as socket:
            await socket.recv()
