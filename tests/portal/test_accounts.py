"""Provider accounts: keys go in and never come out, and "check this key" says what came back."""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.test import Client
from django.utils import timezone

from media_worker import contract
from tenants.models import AuditEntry, ProviderAccount, TenantSettings, User, Worker
from tenants.portal import words
from tenants.services.accounts import store_check
from tenants.services.live import worker_group
from tests.portal.conftest import address

KEY = "sk-proj-THIS-IS-A-SECRET-wxyz"
NEW = {"name": "Main", "url": "wss://api.openai.com/v1/realtime", "auth": "bearer"}
HTMX = {"HX-Request": "true"}


def test_a_key_is_stored_and_never_shown(bob: User, browse: Callable[[User], Client]) -> None:
    browser = browse(bob)
    browser.post(address("account_new"), NEW | {"secret": KEY})
    account = ProviderAccount.all_tenants.get(name="Main")
    assert account.secret.reveal() == KEY
    for url in (address("account", account_id=account.public_id), address("accounts")):
        page = browser.get(url).content.decode()
        assert KEY not in page
        assert "wxyz" in page
    assert (
        account.secret_fingerprint
        in browser.get(address("account", account_id=account.public_id)).content.decode()
    )
    assert KEY not in str(list(AuditEntry.all_tenants.values()))


def test_a_form_that_is_refused_does_not_send_the_key_back(
    bob: User, browse: Callable[[User], Client]
) -> None:
    data = NEW | {"secret": KEY, "url": "https://wrong.example"}
    page = browse(bob).post(address("account_new"), data).content.decode()
    assert "The address must begin with wss://" in page
    assert KEY not in page


def test_an_empty_key_keeps_the_one_that_is_stored(
    account: ProviderAccount, bob: User, browse: Callable[[User], Client]
) -> None:
    url = address("account", account_id=account.public_id)
    data = {"name": "Renamed", "url": account.url, "auth": "bearer", "secret": ""}
    assert browse(bob).post(url, data).status_code == 302
    account = ProviderAccount.all_tenants.get(pk=account.pk)
    assert (account.name, account.secret.reveal()) == ("Renamed", "sandbox-key-0001")


def test_a_new_host_needs_the_key_once_more(
    account: ProviderAccount, bob: User, browse: Callable[[User], Client]
) -> None:
    url = address("account", account_id=account.public_id)
    data = {"name": "Main", "url": "wss://evil.example/realtime", "auth": "bearer", "secret": ""}
    page = browse(bob).post(url, data).content.decode()
    assert "The address has changed; give the key once more." in page
    stored = ProviderAccount.all_tenants.get(pk=account.pk)
    assert stored.url == account.url


def test_an_address_inside_of_our_network_is_refused_at_its_field(
    account: ProviderAccount, bob: User, browse: Callable[[User], Client], settings: Any
) -> None:
    settings.ALLOWED_NETWORKS = []
    url = address("account", account_id=account.public_id)
    data = {"name": "Main", "url": "wss://10.0.0.5/v1", "auth": "bearer", "secret": "sk-1"}
    page = browse(bob).post(url, data)
    assert list(page.context["form"].errors) == ["url"]
    assert "The operator can allow its network." in page.content.decode()


def test_the_operators_account_is_listed_and_cannot_be_opened(
    make_account: Any, bob: User, acme: Any, browse: Callable[[User], Client]
) -> None:
    house = make_account(None, name="House account")
    browser = browse(bob)
    assert "House account" in browser.get(address("accounts")).content.decode()
    url = address("account", account_id=house.public_id)
    assert browser.get(url).status_code == 404
    assert browser.post(url, NEW | {"secret": KEY}).status_code == 404
    check = address("account_check", account_id=house.public_id)
    assert browser.post(check).status_code == 404


def test_an_account_in_use_stays(
    account: ProviderAccount, bob: User, browse: Callable[[User], Client]
) -> None:
    TenantSettings.all_tenants.create(tenant=account.tenant, provider_account=account)
    url = address("account_delete", account_id=account.public_id)
    page = browse(bob).post(url, follow=True).content.decode()
    assert "“Main” stays: an agent, a published revision or the settings use it." in page
    TenantSettings.all_tenants.all().delete()
    browse(bob).post(url)
    assert not ProviderAccount.all_tenants.filter(pk=account.pk).exists()


def check_part(browser: Client, account: ProviderAccount) -> str:
    url = address("account_check", account_id=account.public_id)
    return browser.get(url, headers=HTMX).content.decode()


@pytest.mark.django_db(transaction=True)
async def test_check_this_key_asks_a_worker_and_shows_what_came_back(
    account: ProviderAccount, worker: Worker, bob: User, browse: Callable[[User], Client]
) -> None:
    await Worker.objects.filter(pk=worker.pk).aupdate(connected=True)
    layer: Any = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(worker_group(worker), channel)
    browser = await sync_to_async(browse)(bob)
    url = address("account_check", account_id=account.public_id)

    asked = await sync_to_async(browser.post)(url, headers=HTMX)
    part = asked.content.decode()
    assert 'data-check="pending"' in part
    assert f'hx-get="{url}"' in part

    command = await layer.receive(channel)
    check = contract.decode_down(command["frame"])
    assert isinstance(check, contract.CheckAccount)
    assert KEY not in command["frame"]

    came_back = contract.AccountChecked(
        check_id=check.check_id,
        ok=False,
        kind=contract.ProblemKind.KEY_REFUSED,
        message="Incorrect API key provided.",
    )
    await sync_to_async(store_check)(came_back)
    part = await sync_to_async(check_part)(browser, account)
    assert 'data-check="failed"' in part
    assert "The provider refused the key." in part
    assert "Make a new key at the provider and store it here." in part
    assert "Incorrect API key provided." in part
    assert "hx-get" not in part


def test_a_check_that_goes_well_says_so(
    account: ProviderAccount, worker: Worker, bob: User, browse: Callable[[User], Client]
) -> None:
    Worker.objects.filter(pk=worker.pk).update(connected=True)
    browser = browse(bob)
    browser.post(address("account_check", account_id=account.public_id), headers=HTMX)
    account = ProviderAccount.all_tenants.get(pk=account.pk)
    store_check(contract.AccountChecked(check_id=str(account.check_id), ok=True))
    part = check_part(browser, account)
    assert 'data-check="ok"' in part
    assert "The key works: the provider opened a session and took the settings." in part


def test_a_check_that_nobody_answers_does_not_wait_for_ever(
    account: ProviderAccount, bob: User, browse: Callable[[User], Client]
) -> None:
    account.check_state = "pending"
    account.check_requested_at = timezone.now() - timedelta(minutes=2)
    account.save()
    part = check_part(browse(bob), account)
    assert "The media worker did not answer in time." in part
    assert "hx-get" not in part
    assert "disabled" not in part


def test_a_check_without_a_worker_says_so_at_once(
    account: ProviderAccount, bob: User, browse: Callable[[User], Client]
) -> None:
    url = address("account_check", account_id=account.public_id)
    part = browse(bob).post(url, headers=HTMX).content.decode()
    assert "No media worker is connected, so the key was not tried." in part


def test_without_htmx_the_check_leads_back_to_the_page(
    account: ProviderAccount, bob: User, browse: Callable[[User], Client]
) -> None:
    answer = browse(bob).post(address("account_check", account_id=account.public_id))
    assert answer["Location"] == address("account", account_id=account.public_id)


def test_every_problem_has_a_sentence(
    account: ProviderAccount, victor: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(victor)
    for kind in contract.ProblemKind:
        account.check_state, account.check_kind = "failed", kind.value
        account.save()
        part = check_part(browser, account)
        assert words.problem_sentence(kind.value) in html.unescape(part)
        assert "A problem:" not in part
        assert "Check this key" not in part  # a viewer reads
