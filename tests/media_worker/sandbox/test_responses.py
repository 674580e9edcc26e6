"""Responses: one at a time, cancelled, cut short, written, with functions; and their cost."""

import json
from typing import Any

import pytest

from media_worker.sandbox import SandboxServer
from media_worker.sandbox.recognition import Recogniser
from tests.media_worker.sandbox.client import HANG_UP, TRANSFER, connected
from tests.media_worker.sandbox.conftest import Connect
from tests.media_worker.sandbox.test_items import created, user

STORY = "tell me a long story"


async def test_a_second_response_waits_for_the_first(recogniser: Recogniser) -> None:
    async with SandboxServer(pace=4, recogniser=recogniser) as server, connected(server) as client:
        await created(client, user(STORY))
        await client.send("response.create")
        running = (await client.until("response.created"))["response"]
        error = await client.refused("response.create")
        assert error["code"] == "conversation_already_has_active_response"
        assert running["id"] in error["message"]
        await client.send("response.cancel")
        done = (await client.until("response.done"))["response"]
        assert (done["id"], done["status"]) == (running["id"], "cancelled")
        assert done["status_details"]["reason"] == "client_cancelled"
        assert (await client.respond())["status"] == "completed"


async def test_nothing_to_cancel_is_a_harmless_error(connect: Connect) -> None:
    async with connect() as client:
        error = await client.refused("response.cancel")
        assert error["code"] == "response_cancel_not_active"
        error = await client.refused("response.cancel", response_id="resp_x")
        assert error["code"] == "response_cancel_not_active"


async def test_a_story_is_long_enough_to_interrupt(connect: Connect) -> None:
    async with connect() as client:
        await client.update(audio={"output": {"format": {"type": "audio/pcmu"}}})
        await created(client, user(STORY))
        response = await client.respond()
        assert len(client.audio(response["id"])) > 8 * 20_000
        deltas = client.of("response.output_audio.delta")
        assert all(len(event["delta"]) <= 1600 * 4 / 3 + 4 for event in deltas), "200 ms at most"


async def test_speech_comes_faster_than_it_is_heard_but_not_at_once(recogniser: Recogniser) -> None:
    async with SandboxServer(pace=5, recogniser=recogniser) as server, connected(server) as client:
        await client.update(audio={"output": {"format": {"type": "audio/pcmu"}}})
        response = await client.respond()
        record = server.sessions[-1]
        ends = {event["type"]: event["at"] for event in record.server_events}
        took = ends["response.done"] - ends["response.created"]
        heard_seconds = len(client.audio(response["id"])) / 8000
        assert heard_seconds / 5 * 0.9 < took < heard_seconds


async def test_max_output_tokens_makes_it_incomplete(connect: Connect) -> None:
    async with connect() as client:
        await client.update(max_output_tokens=60)
        await created(client, user(STORY))
        response = await client.respond()
        assert response["status"] == "incomplete"
        assert response["status_details"]["reason"] == "max_output_tokens"
        assert response["output"][0]["status"] == "incomplete"
        assert 60 <= response["usage"]["output_tokens"] < 80
        await created(client, user("hello"))
        assert (await client.respond(max_output_tokens="inf"))["status"] == "completed"


@pytest.mark.parametrize("beta", [False, True])
async def test_text_alone_when_that_is_asked_for(connect: Connect, beta: bool) -> None:
    async with connect(beta=beta) as client:
        key = "modalities" if beta else "output_modalities"
        response = await client.respond(**{key: ["text"]})
        assert client.words(response) == "Hello, how can I help you?"
        kinds = {event["type"] for event in client.events}
        assert ("response.text.delta" if beta else "response.output_text.delta") in kinds
        assert not any("audio.delta" in kind for kind in kinds)
        assert response["usage"]["output_token_details"]["audio_tokens"] == 0


async def test_a_response_beside_the_conversation_leaves_it_alone(connect: Connect) -> None:
    async with connect() as client:
        response = await client.respond(
            conversation="none",
            metadata={"topic": "hours"},
            input=[user("what are your opening hours")],
            output_modalities=["text"],
        )
        assert "open Monday" in client.words(response)
        assert response["conversation_id"] is None
        assert response["metadata"] == {"topic": "hours"}
        assert not client.of("conversation.item.added")


async def test_it_says_a_sentence_then_calls(connect: Connect) -> None:
    async with connect() as client:
        await client.update(tools=[TRANSFER, HANG_UP])
        await created(client, user("I would like to speak to support"))
        response = await client.respond()
        message, call = response["output"]
        assert (message["type"], call["type"]) == ("message", "function_call")
        done = client.of("response.function_call_arguments.done")[0]
        assert json.loads(done["arguments"]) == {"target": "support"}
        deltas = client.of("response.function_call_arguments.delta")
        assert "".join(event["delta"] for event in deltas) == done["arguments"]
        assert call["call_id"] == done["call_id"]
        assert len(call["call_id"]) <= 32


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ('{"ok": true, "message": "Transferred."}', "being connected now"),
        ('{"ok": false, "message": "The other side is busy (486)."}', "busy (486). Can I help"),
        ("the transfer failed", "could not connect you: the transfer failed."),
        ('{"error": "timeout"}', "could not connect you: timeout."),
    ],
)
async def test_it_tells_what_became_of_a_transfer(
    connect: Connect, output: str, words: str
) -> None:
    async with connect() as client:
        await client.update(tools=[TRANSFER])
        await created(client, user("connect me to sales"))
        call = (await client.respond())["output"][1]
        await created(
            client,
            {"type": "function_call_output", "call_id": call["call_id"], "output": output},
        )
        assert words in client.words(await client.respond())


@pytest.mark.parametrize(
    ("choice", "calls"),
    [
        ("none", []),
        ("auto", []),
        ("required", ["transfer_call"]),
        ({"type": "function", "name": "hang_up"}, ["hang_up"]),
    ],
)
async def test_tool_choice(connect: Connect, choice: Any, calls: list[str]) -> None:
    async with connect() as client:
        await client.update(tools=[TRANSFER, HANG_UP])
        await created(client, user("how are you"))
        response = await client.respond(tool_choice=choice)
        names = [item["name"] for item in response["output"] if item["type"] == "function_call"]
        assert names == calls


async def test_no_call_where_tools_are_forbidden(connect: Connect) -> None:
    async with connect() as client:
        await client.update(tools=[TRANSFER])
        await created(client, user("connect me to sales"))
        response = await client.respond(tool_choice="none")
        assert [item["type"] for item in response["output"]] == ["message"]


async def test_tokens_are_counted_as_the_real_one_counts(connect: Connect) -> None:
    async with connect() as client:
        await client.update(
            instructions="x" * 400,
            audio={
                "input": {"format": {"type": "audio/pcmu"}},
                "output": {"format": {"type": "audio/pcmu"}},
            },
        )
        await client.say("Thank you very much.")
        first = (await client.until("response.done"))["response"]
        usage, spoken_ms = first["usage"], len(client.audio(first["id"])) / 8
        assert usage["output_token_details"]["audio_tokens"] == pytest.approx(spoken_ms / 50, abs=1)
        assert usage["output_token_details"]["text_tokens"] == -(-len(client.words(first)) // 4)
        assert usage["input_token_details"]["text_tokens"] == 101
        assert 10 <= usage["input_token_details"]["audio_tokens"] <= 30
        assert usage["input_token_details"]["cached_tokens"] == 0
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]

        await created(client, user("hello"))
        again = (await client.respond())["usage"]["input_token_details"]
        before = usage["input_token_details"]
        assert again["cached_tokens_details"]["text_tokens"] == before["text_tokens"]
        assert again["cached_tokens_details"]["audio_tokens"] == before["audio_tokens"]
        assert again["audio_tokens"] == pytest.approx(
            before["audio_tokens"] + spoken_ms / 50, abs=2
        ), "the whole context is read again"
        assert again["text_tokens"] == before["text_tokens"] + 2
