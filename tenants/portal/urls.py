"""Addresses of the portal."""

from __future__ import annotations

from django.urls import include, path

from tenants.portal import (
    accounts,
    agent,
    agents,
    call,
    calls,
    live,
    numbers,
    preferences,
    prompts,
    recording,
    settings,
    start,
)

app_name = "portal"

_tenant = [
    path("", start.start, name="start"),
    path("live/", live.live, name="live"),
    path("calls/", calls.calls, name="calls"),
    path("calls/<uuid:call_id>/", call.call, name="call"),
    path("calls/<uuid:call_id>/hang-up/", call.call_hang_up, name="call_hang_up"),
    path("calls/<uuid:call_id>/recording/", recording.recording, name="recording"),
    path(
        "calls/<uuid:call_id>/recording/delete/",
        recording.recording_delete,
        name="recording_delete",
    ),
    path("agents/", agents.agents, name="agents"),
    path("agents/new/", agents.agent_new, name="agent_new"),
    path("agents/<uuid:agent_id>/", agent.agent, name="agent"),
    path("agents/<uuid:agent_id>/publish/", agent.agent_publish, name="agent_publish"),
    path("agents/<uuid:agent_id>/history/", agent.agent_history, name="agent_history"),
    path(
        "agents/<uuid:agent_id>/history/<int:number>/",
        agent.agent_revision,
        name="agent_revision",
    ),
    path(
        "agents/<uuid:agent_id>/history/<int:number>/roll-back/",
        agent.agent_roll_back,
        name="agent_roll_back",
    ),
    path("agents/<uuid:agent_id>/history/<int:number>/take/", agent.agent_take, name="agent_take"),
    path("prompts/<uuid:prompt_id>/", prompts.prompt, name="prompt"),
    path("numbers/", numbers.numbers, name="numbers"),
    path("numbers/new/", numbers.number_new, name="number_new"),
    path("numbers/<uuid:number_id>/", numbers.number, name="number"),
    path("numbers/<uuid:number_id>/delete/", numbers.number_delete, name="number_delete"),
    path("settings/", settings.settings, name="settings"),
    path("settings/accounts/", accounts.accounts, name="accounts"),
    path("settings/accounts/new/", accounts.account_new, name="account_new"),
    path("settings/accounts/<uuid:account_id>/", accounts.account, name="account"),
    path(
        "settings/accounts/<uuid:account_id>/check/", accounts.account_check, name="account_check"
    ),
    path(
        "settings/accounts/<uuid:account_id>/delete/",
        accounts.account_delete,
        name="account_delete",
    ),
]

urlpatterns = [
    path("", preferences.home, name="home"),
    path("language/", preferences.language, name="language"),
    path("preferences/", preferences.preferences, name="preferences"),
    path("t/<slug:slug>/", include(_tenant)),
]
