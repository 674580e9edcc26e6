"""Trying an agent in writing, with the draft or with what is published."""

from __future__ import annotations

from http import HTTPStatus
from typing import Literal
from uuid import UUID

from ninja import Router
from pydantic import Field

from tenants.api.v1.agents import find_agent
from tenants.api.v1.calls import CallSummary, find_call, summary
from tenants.api.v1.door import ApiRequest
from tenants.api.v1.errors import Trouble
from tenants.api.v1.routes import route
from tenants.api.v1.settings_document import NOT_BLANK
from tenants.api.v1.types import Input, Output, example, example_input
from tenants.models.choices import CallKind
from tenants.services import trial

router = Router(tags=["chats"])


class NewChat(Input):
    model_config = example_input({"source": "draft"})
    source: Literal["draft", "published"] = "published"


class Words(Input):
    model_config = example_input({"text": "When are you open?"})
    text: str = Field(min_length=1, max_length=trial.TEXT_LIMIT, pattern=NOT_BLANK)


class Sent(Output):
    model_config = example({"item_id": "chat_5f2d1c3a77b44a538a0e0d4e8b1d2f60"})
    item_id: str = Field(description="Names the words in the stream of events.")


def _refused(error: trial.CannotTry) -> Trouble:
    return Trouble(HTTPStatus.CONFLICT, str(error), code="cannot-try")


@route(
    router,
    "POST",
    "/agents/{uuid:agent_id}/chats",
    scope="live:act",
    response=CallSummary,
    status=202,
    creates=True,
)
def begin_chat(request: ApiRequest, agent_id: UUID, document: NewChat) -> CallSummary:
    """A chat with an agent; the transcript of this call tells its answers, hang-up ends it."""
    agent, user = find_agent(agent_id), request.auth.user
    try:
        call = trial.begin_chat(agent=agent, source=document.source, user=user)
    except trial.CannotTry as error:
        raise _refused(error) from None
    return CallSummary(**summary(find_call(call.public_id)))


@route(
    router,
    "POST",
    "/calls/{uuid:call_id}/chat",
    scope="live:act",
    response=Sent,
    status=202,
    creates=True,
)
def write_in_chat(request: ApiRequest, call_id: UUID, document: Words) -> Sent:
    """Write to the agent in a chat that one has begun oneself."""
    call = find_call(call_id)
    try:
        if call.kind != CallKind.CHAT or call.placed_by_id != request.auth.user.pk:
            raise trial.CannotTry("This is no chat of yours.")
        return Sent(item_id=trial.say_in_chat(call=call, text=document.text))
    except trial.CannotTry as error:
        raise _refused(error) from None
