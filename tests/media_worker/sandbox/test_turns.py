"""Turn taking over the wire: VAD settings, barge-in, manual turns, idle time-out."""

from typing import Any

import pytest

from media_worker.sandbox import SandboxServer
from media_worker.sandbox.recognition import Recogniser
from tests.media_worker.sandbox.client import Client, connected
from tests.media_worker.sandbox.conftest import Connect

STORY = {
    "instructions": 'Say exactly this to the caller, in the language "en", and nothing else: '
    f"<<<{'This is a long sentence about nothing at all. ' * 7}>>>"
}


def detection(**changes: Any) -> dict[str, Any]:
    """The `audio` of a session that hears G.711 with this turn detection."""
    pcmu = {"type": "audio/pcmu"}
    vad = {"type": "server_vad", **changes}
    return {"input": {"format": pcmu, "turn_detection": vad}, "output": {"format": pcmu}}


async def test_prefix_padding_is_in_the_turn(connect: Connect) -> None:
    starts = []
    for padding in (0, 400):
        async with connect() as client:
            await client.update(audio=detection(prefix_padding_ms=padding))
            await client.say("Thank you very much.", before_ms=1000)
            await client.until("response.done")
            (started,) = client.of("input_audio_buffer.speech_started")
            (stopped,) = client.of("input_audio_buffer.speech_stopped")
            starts.append(started["audio_start_ms"])
            tokens = client.of("response.done")[0]["response"]["usage"]["input_token_details"]
            turn_ms = stopped["audio_end_ms"] - started["audio_start_ms"]
            assert tokens["audio_tokens"] == pytest.approx(turn_ms / 100, abs=1)
    assert starts[0] - starts[1] == 400
    assert starts[0] == pytest.approx(1040, abs=80)


async def test_silence_duration_is_waited_for(connect: Connect) -> None:
    ends = []
    for silence_ms in (300, 700):
        async with connect() as client:
            await client.update(audio=detection(silence_duration_ms=silence_ms))
            await client.say("Thank you very much.")
            ends.append((await client.until("input_audio_buffer.speech_stopped"))["audio_end_ms"])
    assert ends[1] - ends[0] == pytest.approx(400, abs=40)


async def test_a_high_threshold_does_not_hear_a_normal_voice(connect: Connect) -> None:
    async with connect() as client:
        await client.update(audio=detection(threshold=1.0))
        await client.say("Thank you very much.")
        await client.update(audio=detection(threshold=0.4))
        assert not client.of("input_audio_buffer.speech_started")
        await client.say("Thank you very much.")
        await client.until("input_audio_buffer.speech_started")


async def test_semantic_vad_waits_by_eagerness(connect: Connect) -> None:
    ends = []
    for eagerness in ("high", "low"):
        async with connect() as client:
            audio = detection()
            audio["input"]["turn_detection"] = {"type": "semantic_vad", "eagerness": eagerness}
            await client.update(audio=audio)
            await client.say("Thank you very much.", after_ms=2500)
            ends.append((await client.until("input_audio_buffer.speech_stopped"))["audio_end_ms"])
    assert ends[1] - ends[0] > 1000


async def test_create_response_off_hears_but_does_not_answer(connect: Connect) -> None:
    async with connect() as client:
        await client.update(audio=detection(create_response=False))
        await client.say("What are your opening hours?")
        await client.until("conversation.item.done")
        updated = await client.update(audio=detection(create_response=True))
        assert updated["audio"]["input"]["turn_detection"]["create_response"] is True
        assert not client.of("response.created")
        response = await client.respond()
        assert "open Monday to Friday" in client.words(response), "the turn was not forgotten"


async def test_barge_in_cancels_and_the_rest_is_not_made(recogniser: Recogniser) -> None:
    async with SandboxServer(pace=4, recogniser=recogniser) as server, connected(server) as client:
        await client.update(audio=detection())
        await client.send("response.create", response=STORY)
        await client.until("response.output_audio.delta")
        await client.say("What are your opening hours?")
        cancelled = (await client.until("response.done"))["response"]
        assert cancelled["status"] == "cancelled"
        assert cancelled["status_details"] == {
            "type": "cancelled",
            "reason": "turn_detected",
            "error": None,
        } or cancelled["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        (item,) = cancelled["output"]
        assert item["status"] == "incomplete"
        assert len(client.audio(cancelled["id"])) < 8 * 12_000, "it was cut off"

        made_ms = len(client.audio(cancelled["id"])) / 8
        await client.send(
            "conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=150
        )
        truncated = await client.until("conversation.item.truncated")
        assert truncated["audio_end_ms"] == 150
        assert made_ms > 150
        answer = (await client.until("response.done"))["response"]
        assert "open Monday to Friday" in client.words(answer)
        await client.send("conversation.item.retrieve", item_id=item["id"])
        kept = (await client.until("conversation.item.retrieved"))["item"]
        assert not kept["content"][0]["transcript"], "the server forgets what was not heard"


async def test_interrupt_response_off_lets_the_agent_finish(recogniser: Recogniser) -> None:
    async with SandboxServer(pace=4, recogniser=recogniser) as server, connected(server) as client:
        await client.update(audio=detection(interrupt_response=False))
        await client.send("response.create", response=STORY)
        await client.until("response.output_audio.delta")
        await client.say("What are your opening hours?")
        error = (await client.until("error"))["error"]
        assert error["code"] == "conversation_already_has_active_response"
        assert (await client.until("response.done"))["response"]["status"] == "completed"


async def test_a_caller_who_goes_on_before_the_answer_is_answered_once(connect: Connect) -> None:
    async with connect(misbehave="slow:0.2") as client:
        await client.update(audio=detection())
        await client.say("Hello.")
        await client.say("What are your opening hours?")
        assert (await client.until("response.done"))["response"]["status"] == "cancelled"
        answer = (await client.until("response.done"))["response"]
        assert answer["status"] == "completed"
        assert "open Monday to Friday" in client.words(answer)


async def test_idle_time_out_asks_whether_somebody_is_there(connect: Connect) -> None:
    async with connect() as client:
        await client.update(audio=detection(idle_timeout_ms=5000))
        response = await client.respond()
        played_ms = len(client.audio(response["id"])) / 8
        await client.silence(round(played_ms) + 4800)
        assert not client.of("input_audio_buffer.timeout_triggered")
        await client.silence(400)
        timeout = await client.until("input_audio_buffer.timeout_triggered")
        assert timeout["audio_end_ms"] - timeout["audio_start_ms"] == pytest.approx(5000, abs=200)
        assert timeout["audio_start_ms"] == pytest.approx(played_ms, abs=200)
        answer = (await client.until("response.done"))["response"]
        assert "still there" in client.words(answer)


async def test_no_idle_time_out_unless_it_was_asked_for(connect: Connect) -> None:
    async with connect() as client:
        await client.update(audio=detection())
        await client.respond()
        await client.silence(40_000)
        await client.update(instructions="")
        assert not client.of("input_audio_buffer.timeout_triggered")


async def manual(client: Client) -> None:
    pcmu = {"type": "audio/pcmu"}
    await client.update(
        audio={"input": {"format": pcmu, "turn_detection": None}, "output": {"format": pcmu}}
    )


async def test_without_turn_detection_the_client_commits(connect: Connect) -> None:
    async with connect() as client:
        await manual(client)
        await client.say("What are your opening hours?")
        await client.send("input_audio_buffer.commit")
        committed = await client.until("input_audio_buffer.committed")
        assert committed["previous_item_id"] is None
        response = await client.respond()
        assert "open Monday to Friday" in client.words(response)
        assert not client.of("input_audio_buffer.speech_started")


async def test_a_cleared_buffer_is_gone(connect: Connect) -> None:
    async with connect() as client:
        await manual(client)
        await client.say("What are your opening hours?")
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        error = await client.refused("input_audio_buffer.commit")
        assert error["code"] == "input_audio_buffer_commit_empty"
        assert "buffer only has 0.00ms of audio" in error["message"]


async def test_a_frame_of_audio_is_too_small_to_commit(connect: Connect) -> None:
    async with connect() as client:
        await manual(client)
        await client.silence(80)
        error = await client.refused("input_audio_buffer.commit")
        assert "80.00ms" in error["message"]


@pytest.mark.parametrize("audio", ["not base64!", 7, "AAA"])
async def test_audio_that_is_none_is_refused(connect: Connect, audio: Any) -> None:
    async with connect() as client:
        error = await client.refused("input_audio_buffer.append", audio=audio)
        assert error["param"] == "audio"
