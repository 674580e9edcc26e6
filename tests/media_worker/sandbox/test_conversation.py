"""Whole voice conversations over a socket, with real speech both ways."""

import asyncio
import json
from typing import Any

import pytest

from media_worker.audio import g711
from media_worker.sandbox import SandboxServer
from media_worker.sandbox.recognition import Recogniser, grammar_of
from tests.media_worker.sandbox.client import HANG_UP, TRANSFER, Client
from tests.media_worker.sandbox.conftest import Connect

TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


def ga_settings(fmt: str = "audio/pcmu") -> dict[str, Any]:
    shape = {"type": fmt, "rate": 24000} if fmt == "audio/pcm" else {"type": fmt}
    return {
        "instructions": "You are the clinic. Opening hours: Monday to Friday, 8 am to 6 pm.",
        "audio": {
            "input": {"format": shape, "transcription": {"model": "gpt-transcribe"}},
            "output": {"format": shape},
        },
        "tools": [TRANSFER, HANG_UP],
    }


def beta_settings(fmt: str = "g711_ulaw") -> dict[str, Any]:
    return {
        "modalities": ["audio", "text"],
        "instructions": "You are the clinic. Opening hours: Monday to Friday, 8 am to 6 pm.",
        "input_audio_format": fmt,
        "output_audio_format": fmt,
        "input_audio_transcription": {"model": "whisper-1"},
        "tools": [TRANSFER, HANG_UP],
    }


async def turn(client: Client, words: str) -> tuple[str, dict[str, Any]]:
    """What was understood of these words, and the response to them."""
    await client.say(words)
    found = await client.until_all(TRANSCRIBED, "response.done")
    return found[TRANSCRIBED]["transcript"], found["response.done"]["response"]


@pytest.mark.parametrize("fmt", ["audio/pcmu", "audio/pcma", "audio/pcm"])
async def test_a_call_in_the_ga_dialect(connect: Connect, fmt: str) -> None:
    async with connect() as client:
        await client.update(**ga_settings(fmt))
        heard, response = await turn(client, "What are your opening hours?")
        assert heard == "What are your opening hours"
        assert "Monday to Friday" in client.words(response)

        heard, response = await turn(client, "Please connect me to the sales department.")
        assert heard == "Please connect me to the sales department"
        message, call = response["output"]
        assert message["content"][0]["transcript"].startswith("One moment please")
        assert (call["name"], json.loads(call["arguments"])) == (
            "transfer_call",
            {"target": "sales"},
        )

        output = {
            "type": "function_call_output",
            "call_id": call["call_id"],
            "output": '{"ok": false, "message": "The line is busy."}',
        }
        await client.send("conversation.item.create", item=output)
        response = await client.respond()
        assert "could not connect you: The line is busy" in client.words(response)

        heard, response = await turn(client, "Thank you, goodbye.")
        assert heard == "Thank you goodbye"
        assert response["output"][1]["name"] == "hang_up"


@pytest.mark.parametrize("fmt", ["g711_ulaw", "g711_alaw", "pcm16"])
async def test_a_call_in_the_beta_dialect(connect: Connect, fmt: str) -> None:
    async with connect(beta=True) as client:
        await client.update(**beta_settings(fmt))
        heard, response = await turn(client, "I would like to speak to support.")
        assert heard == "I would like to speak to support"
        assert json.loads(response["output"][1]["arguments"]) == {"target": "support"}
        names = {event["type"] for event in client.events}
        assert {"response.audio.delta", "conversation.item.created"} <= names
        assert not any("output_audio" in name or name.endswith("item.added") for name in names - {
            "response.output_item.added"})  # fmt: skip


async def test_each_direction_has_its_own_format(connect: Connect) -> None:
    async with connect() as client:
        settings = ga_settings("audio/pcma")
        settings["audio"]["output"]["format"] = {"type": "audio/pcm", "rate": 24000}
        updated = await client.update(**settings)
        assert updated["audio"]["input"]["format"] == {"type": "audio/pcma"}
        heard, response = await turn(client, "Thank you very much.")
        assert heard == "Thank you very much"
        milliseconds = response["usage"]["output_token_details"]["audio_tokens"] * 50
        assert len(client.audio(response["id"])) / 48 == pytest.approx(milliseconds, abs=50)


async def test_the_order_of_events_is_that_of_the_real_api(connect: Connect) -> None:
    async with connect() as client:
        await client.update(**ga_settings())
        await turn(client, "Thank you.")
        seen = [event["type"] for event in client.since("session.updated")]
        seen = [
            name for name in seen if not name.endswith(".delta") and "transcription" not in name
        ]
        assert seen == [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
            "rate_limits.updated",
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "response.output_item.done",
            "conversation.item.done",
            "response.done",
        ]


async def test_words_and_speech_come_side_by_side(connect: Connect) -> None:
    async with connect() as client:
        await client.update(audio={"output": {"format": {"type": "audio/pcmu"}}})
        response = await client.respond()
        deltas = [event for event in client.events if event["type"].endswith(".delta")]
        kinds = [event["type"].split(".")[1] for event in deltas]
        assert kinds[:2] == ["output_audio_transcript", "output_audio"]
        words = [event["delta"] for event in deltas if "transcript" in event["type"]]
        assert "".join(words) == client.words(response)
        assert len(words) == len(client.words(response).split())
        first_speech = kinds.index("output_audio")
        assert "output_audio_transcript" in kinds[first_speech:], "words go on while speech comes"


async def test_what_it_says_can_be_understood(connect: Connect, recogniser: Recogniser) -> None:
    async with connect() as client:
        await client.update(audio={"output": {"format": {"type": "audio/pcmu"}}})
        response = await client.respond(
            instructions='Say exactly this to the caller, in the language "en", and nothing else:'
            " <<<Could you repeat that please?>>>"
        )
        pcm = g711.decode_mu_law(client.audio(response["id"]))
        heard = await recogniser.hear(pcm, grammar_of([]))
        assert heard.text == "could you repeat that please"
        assert client.words(response) == "Could you repeat that please?"


async def test_another_language_is_spoken_in_its_own_voice(connect: Connect) -> None:
    async with connect() as client:
        await client.update(audio={"output": {"format": {"type": "audio/pcmu"}}})
        speech = {}
        for language in ("de", "en"):
            response = await client.respond(
                instructions=f'Say exactly this to the caller, in the language "{language}", and'
                " nothing else: <<<Guten Tag, Praxis am Markt.>>>"
            )
            assert client.words(response) == "Guten Tag, Praxis am Markt."
            speech[language] = client.audio(response["id"])
        assert speech["de"] != speech["en"]


async def test_a_language_without_a_voice_fails_the_response_and_nothing_else(
    connect: Connect,
) -> None:
    async with connect() as client:
        response = await client.respond(
            instructions='Say exactly this to the caller, in the language "xx", and nothing else:'
            " <<<Hello>>>"
        )
        assert response["status"] == "failed"
        assert "no voice for the language 'xx'" in response["status_details"]["error"]["message"]
        assert (await client.respond())["status"] == "completed"


async def test_a_caller_in_a_foreign_language_is_told_that_only_english_is_understood(
    connect: Connect,
) -> None:
    async with connect() as client:
        settings = ga_settings()
        settings["audio"]["input"]["transcription"]["language"] = "de"
        await client.update(**settings)
        await client.say("Which train goes to the museum with the strange garden?")
        failed = "conversation.item.input_audio_transcription.failed"
        found = await client.until_all(failed, "response.done")
        assert found[failed]["error"]["code"] == "language_not_supported"
        assert "nur Englisch" in client.words(found["response.done"]["response"])

        heard, response = await turn(client, "Please connect me to the sales department.")
        assert heard == "Please connect me to the sales department", "plain English is understood"
        assert response["output"][1]["name"] == "transfer_call"


async def test_words_outside_its_domain_come_back_as_heard(connect: Connect) -> None:
    async with connect() as client:
        await client.update(**ga_settings())
        heard, response = await turn(client, "We will arrive at the airport around midnight.")
        assert "arrive at the airport around midnight" in heard
        assert f"I heard: {heard}." in client.words(response)


async def test_no_transcription_unless_it_was_asked_for(connect: Connect) -> None:
    async with connect() as client:
        settings = ga_settings()
        del settings["audio"]["input"]["transcription"]
        await client.update(**settings)
        await client.say("What are your opening hours?")
        response = (await client.until("response.done"))["response"]
        assert "Monday to Friday" in client.words(response), "it was understood all the same"
        assert not any("transcription" in event["type"] for event in client.events)


async def test_calls_at_once_do_not_mix(server: SandboxServer, connect: Connect) -> None:
    async def one(words: str, expected: str) -> None:
        async with connect() as client:
            await client.update(**ga_settings())
            _, response = await turn(client, words)
            assert expected in client.words(response)

    async with asyncio.TaskGroup() as group:
        for words, expected in (
            ("What are your opening hours?", "Monday to Friday"),
            ("Connect me to sales.", "connecting you to sales"),
            ("Can you hear me?", "I can hear you"),
            ("Tell me a long story.", "Once upon a time"),
        ):
            group.create_task(one(words, expected))
    assert len(server.sessions) == 4
