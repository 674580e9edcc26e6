"""The demo installation: what `make run` shows to a newcomer."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, Final

from django.db import transaction

from pbxai import keyfiles
from tenants.models import Agent, Member, Number, ProviderAccount, Tenant, User, Worker
from tenants.models.choices import Role
from tenants.services import workers
from tenants.services.accounts import save_account
from tenants.services.effective import platform_settings
from tenants.services.publishing import CONTENT, publish, save_draft

OPERATOR_EMAIL: Final = "operator@demo.example"
OWNER_EMAIL: Final = "owner@demo.example"
NUMBER: Final = "100"
WORKER: Final = "local"
ACCOUNT: Final = "Sandbox"
SANDBOX_KEY: Final = "sandbox-demo"
INSTRUCTIONS: Final = """\
You are the telephone reception of Demo Clinic. Be friendly and brief.
Opening hours: Monday to Friday from nine to five, Saturday from nine to twelve, closed on Sunday.
When the caller wants to buy or asks for prices, transfer the call to sales.
When the caller has a technical problem, transfer the call to support.
When the caller says goodbye, say goodbye and hang up."""
GREETINGS: Final = {
    "en": "Hello, this is Demo Clinic. How can I help you?",
    "de": "Guten Tag, hier ist die Demo-Klinik. Wie kann ich Ihnen helfen?",
}
DESKS: Final = {
    "sales": ("200", "The sales department: prices, offers and orders"),
    "support": ("300", "The support team: technical problems"),
}
"""Whom the reception connects callers to: agents too, so that a transfer arrives somewhere."""
DESK_INSTRUCTIONS: Final = """\
You are the %s desk of Demo Clinic. Be friendly and brief. Ask what the caller needs, and say that
a colleague will call back. When the caller says goodbye, say goodbye and hang up."""
DESK_GREETINGS: Final = {
    "en": "This is the %s desk of Demo Clinic. What can I do for you?",
    "de": "Demo-Klinik, hier meldet sich %s. Was kann ich für Sie tun?",
}


@transaction.atomic
def seed(
    *, known: dict[str, Any], sandbox_url: str, sip_address: str, token_file: Path
) -> dict[str, Any]:
    """Make what is missing. `known` is what an earlier run gave: who signs in, and how.

    Nothing that somebody changed since is changed back, but the sandbox's address and the
    transfer targets' (`sip_address` is host:port), which follow their ports.
    """
    operator = _user(OPERATOR_EMAIL, known.get("operator"), "Operator", is_superuser=True)
    owner = _user(OWNER_EMAIL, known.get("owner"), "Demo Owner")
    tenant, _new = Tenant.objects.get_or_create(slug="demo", defaults={"name": "Demo Clinic"})
    user = User.objects.get(email=OWNER_EMAIL)
    Member.all_tenants.get_or_create(tenant=tenant, user=user, defaults={"role": Role.OWNER})
    _sandbox(sandbox_url)
    if not Agent.all_tenants.filter(tenant=tenant).exists():
        _make_agents(tenant, user, sip_address)
    elif known.get("sip_address", sip_address) != sip_address:
        _move_targets(tenant, user, known["sip_address"], sip_address)
    _worker(token_file)
    return {"operator": operator, "owner": owner, "number": NUMBER, "sip_address": sip_address}


def _user(
    email: str, known: dict[str, str] | None, name: str, *, is_superuser: bool = False
) -> dict[str, str]:
    user = User.objects.filter(email=email).first()
    if user is not None and known:
        return known
    password = secrets.token_urlsafe(12)
    if user is None:
        make = User.objects.create_superuser if is_superuser else User.objects.create_user
        make(email=email, password=password, name=name)
    else:
        # The file with the password is gone; a demo that nobody can enter helps nobody.
        user.set_password(password)
        user.save(update_fields=["password"])
    return {"email": email, "password": password}


def _sandbox(url: str) -> None:
    """The operator's account at the sandbox provider, the platform's default until it has one."""
    account = ProviderAccount.all_tenants.filter(tenant=None, name=ACCOUNT).first()
    if account is None or account.url != url:
        account = account or ProviderAccount(name=ACCOUNT)
        account.url = url
        save_account(account=account, user=None, secret=SANDBOX_KEY)
    platform = platform_settings()
    if platform.provider_account is None:
        platform.provider_account = account
        platform.save()


def _make_agents(tenant: Tenant, user: User, sip_address: str) -> None:
    """The reception, and an agent at each desk that it transfers callers to."""
    targets = [
        {"name": name, "uri": f"sip:{number}@{sip_address}", "description": description}
        for name, (number, description) in DESKS.items()
    ]
    reception = Agent(
        tenant=tenant,
        name="Reception",
        instructions=INSTRUCTIONS,
        greetings=dict(GREETINGS),
        transfer_targets=targets,
    )
    _open(reception, NUMBER, user)
    for name, (number, _description) in DESKS.items():
        desk = Agent(
            tenant=tenant,
            name=f"{name.capitalize()} desk",
            instructions=DESK_INSTRUCTIONS % name,
            greetings={language: text % name for language, text in DESK_GREETINGS.items()},
        )
        _open(desk, number, user)


def _open(agent: Agent, number: str, user: User) -> None:
    """Publish an agent and let a number, where it is free, ring there."""
    publish(agent=save_draft(agent=agent, user=user), user=user, note="First revision")
    Number.all_tenants.get_or_create(
        number=number, defaults={"tenant": agent.tenant, "agent": agent, "label": agent.name}
    )


def _move_targets(tenant: Tenant, user: User, before: str, now: str) -> None:
    """This machine's telephone has another address: so have the desks that are agents here."""
    for agent in Agent.all_tenants.filter(tenant=tenant):
        draft = {name: getattr(agent, name) for name in CONTENT}
        published = agent.published
        if published and f"@{before}" in str(published.transfer_targets):
            # What answers calls, moved; a draft that somebody works at stays a draft.
            _fill(agent, {name: getattr(published, name) for name in CONTENT}, before, now)
            note = "The telephone's address changed"
            publish(agent=save_draft(agent=agent, user=user), user=user, note=note)
        if f"@{before}" in str(draft["transfer_targets"]):
            _fill(agent, draft, before, now)
            save_draft(agent=agent, user=user)


def _fill(agent: Agent, content: dict[str, Any], before: str, now: str) -> None:
    for name, value in content.items():
        setattr(agent, name, value)
    agent.transfer_targets = [
        {**target, "uri": target["uri"].replace(f"@{before}", f"@{now}")}
        for target in content["transfer_targets"]
    ]


def _worker(token_file: Path) -> None:
    """The worker of this machine; a new token if the file that holds it is gone."""
    worker = Worker.objects.filter(name=WORKER).first()
    if worker is None:
        _made, token = workers.create_worker(name=WORKER)
    elif token_file.exists() and workers.authenticate(token_file.read_text().strip()) == worker:
        return
    else:
        token = workers.give_token(worker)
    keyfiles.write(token_file, token)
