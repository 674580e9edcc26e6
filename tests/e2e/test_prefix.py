"""The product below a path: a real daphne, pages, cookies, sockets and a worker."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie

import httpx
import pytest
from playwright.async_api import Browser, Page, Request, Response, expect
from websockets.sync.client import connect

from media_worker import contract
from media_worker.config import read_config
from pbxai.prefix import whole_path
from tests.e2e.chromium import BROWSER_MS
from tests.support.installation import WAIT_SECONDS, Installation, bearer

PREFIX = "/phones/ai"
LINKS = re.compile(r'(?:href|src|action|data-feed)="(/[^"]*)"')
A_CALL = """
from django.utils import timezone
from tenants.models import Call, Tenant
tenant = Tenant.objects.get()
Call.all_tenants.create(tenant=tenant, called="100", state="running", started_at=timezone.now())
"""


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("prefix"), PREFIX)
    installation.manage("shell", "--no-imports", "-c", A_CALL)
    with installation.serving():
        yield installation


@contextmanager
def sign_in(web: Installation, who: str = "owner") -> Iterator[httpx.Client]:
    """A browser after sign-in; it began at the prefix without a slash."""
    account = json.loads((web.data / "keys" / "demo.json").read_text())[who]
    with httpx.Client(
        base_url=f"http://{web.web}", follow_redirects=True, timeout=WAIT_SECONDS
    ) as browser:
        fill_in(browser, web, account)
        yield browser


def fill_in(browser: httpx.Client, web: Installation, account: dict[str, str]) -> None:
    page = browser.get(PREFIX)
    assert page.url.path == f"{PREFIX}/accounts/login/"
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token is not None
    form = {"login": account["email"], "password": account["password"]}
    answer = browser.post(
        page.url,
        data={**form, "csrfmiddlewaretoken": token[1]},
        headers={"Referer": str(page.url), "Origin": f"http://{web.web}"},
    )
    assert answer.status_code == 200


def test_signing_in_stays_below_and_so_do_the_cookies(web: Installation) -> None:
    with sign_in(web) as browser:
        assert browser.get(f"{PREFIX}/").url.path == f"{PREFIX}/t/demo/"
        assert {(cookie.name, cookie.path) for cookie in browser.cookies.jar} >= {
            ("pbxai_session", f"{PREFIX}/"),
            ("pbxai_csrf", f"{PREFIX}/"),
        }
    with sign_in(web, "operator") as browser:
        assert browser.get(f"{PREFIX}/").url.path == f"{PREFIX}/console/"


def test_every_link_of_a_page_leads_below_and_static_files_are_there(web: Installation) -> None:
    with sign_in(web, "operator") as browser:
        pages = [browser.get(f"{PREFIX}{path}") for path in ("/console/", "/admin/")]
    with sign_in(web) as browser:
        pages += [browser.get(f"{PREFIX}/t/demo/{path}") for path in ("", "agents/", "calls/")]
        for page in pages:
            assert page.status_code == 200
            links = LINKS.findall(page.text)
            assert links
            assert [link for link in links if not link.startswith(f"{PREFIX}/")] == []
        for link in LINKS.findall(pages[-1].text):
            if "/static/" in link:
                assert browser.get(link).status_code == 200, link


def test_choices_are_kept_below_and_lead_back(web: Installation) -> None:
    with sign_in(web) as browser:
        browser.get(f"{PREFIX}/t/demo/")
        form = {"theme": "dark", "csrfmiddlewaretoken": browser.cookies["pbxai_csrf"]}
        answer = browser.post(
            f"{PREFIX}/preferences/",
            data={**form, "next": f"{PREFIX}/t/demo/agents/"},
            headers={"Origin": f"http://{web.web}"},
            follow_redirects=False,
        )
        assert answer.headers["Location"] == f"{PREFIX}/t/demo/agents/"
        kept = SimpleCookie(answer.headers["Set-Cookie"])["pbxai_theme"]
        assert (kept.value, kept["path"]) == ("dark", f"{PREFIX}/")


class Watched:
    """What a page of the browser asked for outside of the path, or was refused."""

    def __init__(self, page: Page, web: Installation) -> None:
        self.found: list[str] = []
        self.below = tuple(f"{scheme}://{web.web}{PREFIX}" for scheme in ("http", "ws"))
        page.on("request", self._request)
        page.on("response", self._response)
        page.on("websocket", lambda socket: self._asked(socket.url))
        page.on("pageerror", lambda error: self.found.append(str(error)))

    def _request(self, request: Request) -> None:
        if request.url.startswith("http"):  # else a picture in the page itself
            self._asked(request.url)

    def _asked(self, url: str) -> None:
        if not url.startswith(self.below):
            self.found.append(url)

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.found.append(f"{response.status} {response.url}")


async def test_a_browser_never_leaves_it(web: Installation, chromium: Browser) -> None:
    account = json.loads((web.data / "keys" / "demo.json").read_text())["owner"]
    page = await chromium.new_page()
    page.set_default_timeout(BROWSER_MS)
    watched = Watched(page, web)
    await page.goto(f"http://{web.web}{PREFIX}")
    await page.get_by_label("E-mail").fill(account["email"])
    await page.get_by_label("Password", exact=True).fill(account["password"])
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.wait_for_url(f"**{PREFIX}/t/demo/")
    rail = page.get_by_role("navigation", name="Main")
    for name in ("Calls", "Agents", "Numbers", "Usage", "Settings", "Live"):
        await rail.get_by_role("link", name=name).click()
        await expect(page.locator("html")).to_have_attribute("data-feed", "open")
    await page.locator("#live-calls [data-call]").get_by_role("link").first.click()
    await page.wait_for_url(f"**{PREFIX}/t/demo/calls/*/")
    await expect(page.locator("html")).to_have_attribute("data-feed", "open")
    assert watched.found == []


def test_a_page_feeds_itself_and_its_parts_lead_below(web: Installation) -> None:
    with sign_in(web) as browser:
        page = browser.get(f"{PREFIX}/t/demo/live/")
        feed = re.search(r'data-feed="([^"]+)"', page.text)
        assert feed is not None
        address = feed[1].replace("&amp;", "&")
        cookie = f"pbxai_session={browser.cookies['pbxai_session']}"
    with connect(
        f"ws://{web.web}{address}",
        origin=f"http://{web.web}",  # type: ignore[arg-type]
        additional_headers={"Cookie": cookie},
    ) as socket:
        parts = json.loads(socket.recv(WAIT_SECONDS))["parts"]
    [call] = [part["html"] for part in parts if part.get("into") == "live-calls"]
    assert f'href="{PREFIX}/t/demo/calls/' in call


def test_a_proxy_may_strip_the_prefix(web: Installation) -> None:
    answer = httpx.get(f"http://{web.web}/t/demo/agents/", timeout=WAIT_SECONDS)
    assert answer.headers["Location"] == f"{PREFIX}/accounts/login/?next={PREFIX}/t/demo/agents/"
    assert httpx.get(f"http://{web.web}/healthz", timeout=WAIT_SECONDS).status_code == 200
    assert httpx.get(f"http://{web.web}{PREFIX}/healthz", timeout=WAIT_SECONDS).status_code == 200


@pytest.mark.parametrize("path", [PREFIX, ""])
def test_a_worker_finds_the_web_side(web: Installation, path: str) -> None:
    told = {"PBXAI_WORKER_TOKEN": web.token, "PBXAI_WEB_URL": f"http://{web.web}{path}/"}
    address = read_config(told).web_url
    socket = "ws" + address.removeprefix("http") + contract.LINK_PATH
    with connect(socket, additional_headers=bearer(web.token)) as link:
        hello = contract.Hello(
            stream=str(uuid.uuid4()),
            boot_id="b",
            host="h",
            version="1",
            sip_build="2.15.1",
            capacity=4,
        )
        link.send(contract.encode(hello).decode())
        assert isinstance(contract.decode_down(link.recv(WAIT_SECONDS)), contract.Welcome)
        request = contract.AdmissionRequest(
            call_key=str(uuid.uuid4()), called="100", calling="1", sip_call_id="x"
        )
        answer = httpx.post(
            address + contract.ADMISSION_PATH,
            content=contract.encode(request),
            headers=bearer(web.token),
            timeout=WAIT_SECONDS,
        )
        assert isinstance(contract.decode_admission(answer.content), contract.CallPlan)


@pytest.mark.parametrize(
    ("path", "whole"),
    [
        ("/", "/pbx/"),
        ("/pbx", "/pbx/"),
        ("/pbx/", "/pbx/"),
        ("/pbx/t/a/", "/pbx/t/a/"),
        ("/t/a/", "/pbx/t/a/"),
        ("/pbxai/", "/pbx/pbxai/"),
    ],
)
def test_a_path_is_made_whole_once(path: str, whole: str) -> None:
    assert whole_path("/pbx", path) == whole
