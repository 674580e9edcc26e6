"""Agents, their editor and history, and the sentences of theirs that can be heard."""

from __future__ import annotations

from django.urls import URLPattern, path

from tenants.portal import agent, agent_compare, agent_preview, agent_try, agents, prompts

patterns: list[URLPattern] = [
    path("agents/", agents.agents, name="agents"),
    path("agents/new/", agents.agent_new, name="agent_new"),
    path("agents/<uuid:agent_id>/", agent.agent, name="agent"),
    path("agents/<uuid:agent_id>/publish/", agent.agent_publish, name="agent_publish"),
    path("agents/<uuid:agent_id>/preview/", agent_preview.agent_preview, name="agent_preview"),
    path("agents/<uuid:agent_id>/words/", prompts.agent_words, name="agent_words"),
    path("agents/<uuid:agent_id>/try/", agent_try.agent_try, name="agent_try"),
    path("agents/<uuid:agent_id>/try/chat/", agent_try.agent_chat, name="agent_chat"),
    path("agents/<uuid:agent_id>/compare/", agent_compare.agent_compare, name="agent_compare"),
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
]
