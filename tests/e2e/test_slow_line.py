"""A page that comes slowly is drawn piece by piece, and what is there already stays where it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Final

import httpx
import pytest
from django.urls import reverse
from playwright.async_api import Browser, Page

from tenants.services import members
from tests.e2e.walk import DESK, WIDTHS, window
from tests.e2e.world import World

HEAD: Final = (
    "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n\r\n"
)
CUTS: Final = ("<h1", "<p>", "<form", '<div class="field"', "<button", "<footer")
LONG: Final = "Gemeinschaftspraxis Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbau Wien"
ARRIVED: Final = """(number) => {
  const all = document.createNodeIterator(document, NodeFilter.SHOW_COMMENT);
  for (let one = all.nextNode(); one; one = all.nextNode()) {
    if (one.data === `piece ${number}`) return true;
  }
  return false;
}"""
DRAWN: Final = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def pieces_of(page: str) -> list[str]:
    start = page.index("<body")
    cuts = [at for at in range(start, len(page)) if page.startswith(CUTS, at)]
    whole = [0, *cuts, len(page)]
    return [f"{page[a:b]}<!--piece {number}-->" for number, (a, b) in enumerate(pairwise(whole))]


@asynccontextmanager
async def dripping(pieces: list[str], page: Page) -> AsyncIterator[str]:
    """An address where a piece is sent when the one before it is on the screen."""

    async def send(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD.encode())
        for number, piece in enumerate(pieces):
            writer.write(piece.encode())
            await writer.drain()
            await page.wait_for_function(ARRIVED, arg=number)
            await page.evaluate(DRAWN)
        writer.close()

    server = await asyncio.start_server(send, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize("width", [DESK, WIDTHS[0]])
async def test_the_entrance_stays_where_it_is(world: World, chromium: Browser, width: int) -> None:
    house = world.house()
    house.tenant.name = LONG[:80]
    house.tenant.save()
    _row, invited = members.invite(
        tenant=house.tenant, user=house.owner, email=f"slow-{width}@house.example", role="viewer"
    )
    web = house.stack.web
    shifted = {}
    async with (
        httpx.AsyncClient(base_url=web) as client,
        window(chromium, web, None, width) as seen,
    ):
        for path in (reverse("account_login"), reverse("portal:invitation", args=[invited])):
            body = (await client.get(path)).text.replace('"/static/', f'"{web}/static/')
            page = await seen.new_page()
            async with dripping(pieces_of(body), page) as address:
                await page.goto(address)
                shifted[path] = await page.evaluate("looks.settled().then(() => looks.shifted)")
    assert shifted == dict.fromkeys(shifted, pytest.approx(0, abs=0.005))
