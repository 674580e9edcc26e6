"""Items of the conversation: created, retrieved, deleted, truncated, and what is refused."""

from typing import Any

import pytest

from tests.media_worker.sandbox.client import TRANSFER, Client
from tests.media_worker.sandbox.conftest import Connect


def user(text: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": text}],
        **more,
    }


async def created(client: Client, item: dict[str, Any], **more: Any) -> dict[str, Any]:
    await client.send("conversation.item.create", item=item, **more)
    return await client.until(
        "conversation.item.created" if client.beta else "conversation.item.added"
    )


@pytest.mark.parametrize("beta", [False, True])
async def test_written_words_are_answered(connect: Connect, beta: bool) -> None:
    async with connect(beta=beta) as client:
        event = await created(client, user("What are your opening hours?"))
        assert event["item"]["content"][0]["text"] == "What are your opening hours?"
        assert "open Monday to Friday" in client.words(await client.respond())


async def test_items_stand_where_they_were_put(connect: Connect) -> None:
    async with connect() as client:
        first = await created(client, user("one", id="item_one"))
        assert first["previous_item_id"] is None
        assert (await created(client, user("two", id="item_two")))["previous_item_id"] == "item_one"
        between = await created(client, user("x"), previous_item_id="item_one")
        assert between["previous_item_id"] == "item_one"
        ahead = await created(client, user("y"), previous_item_id="root")
        assert ahead["previous_item_id"] is None


async def test_a_conversation_can_be_given_to_a_new_session(connect: Connect) -> None:
    async with connect() as client:
        await created(client, user("my name is john smith"))
        for role, kind, text in (
            ("assistant", "output_text", "Hello John Smith."),
            ("system", "input_text", "Be kind."),
        ):
            content = [{"type": kind, "text": text}]
            await created(client, {"type": "message", "role": role, "content": content})
        await created(client, user("could you repeat that"))
        assert "I said: Hello John Smith." in client.words(await client.respond())


async def test_an_item_can_be_seen_and_deleted(connect: Connect) -> None:
    async with connect() as client:
        await created(client, user("one", id="item_one"))
        await client.send("conversation.item.retrieve", item_id="item_one")
        assert (await client.until("conversation.item.retrieved"))["item"]["id"] == "item_one"
        await client.send("conversation.item.delete", item_id="item_one")
        assert (await client.until("conversation.item.deleted"))["item_id"] == "item_one"
        for event in ("conversation.item.retrieve", "conversation.item.delete"):
            error = await client.refused(event, item_id="item_one")
            assert "does not exist" in error["message"]


async def test_truncation_cuts_our_own_speech_only_and_not_beyond_its_end(
    connect: Connect,
) -> None:
    async with connect() as client:
        await created(client, user("hello", id="item_caller"))
        response = await client.respond()
        (item,) = response["output"]
        length_ms = len(client.audio(response["id"])) // 48

        async def refusal(item_id: str, milliseconds: int) -> str:
            error = await client.refused(
                "conversation.item.truncate",
                item_id=item_id,
                content_index=0,
                audio_end_ms=milliseconds,
            )
            return error["message"]

        too_long = await refusal(item["id"], length_ms + 100)
        assert too_long == (
            f"Audio content of {length_ms}ms is already shorter than {length_ms + 100}ms"
        )
        wrong = await refusal("item_caller", 10)
        assert wrong == "Only model output audio messages can be truncated."
        assert "does not exist" in await refusal("item_nobody", 10)

        place = {"item_id": item["id"], "content_index": 0, "audio_end_ms": 500}
        await client.send("conversation.item.truncate", **place)
        truncated = await client.until("conversation.item.truncated")
        assert {name: truncated[name] for name in place} == place
        assert "already shorter" in await refusal(item["id"], 501)


@pytest.mark.parametrize(
    ("item", "code", "param"),
    [
        ({}, "missing_required_parameter", "item.type"),
        ({"type": "poem"}, "invalid_value", "item.type"),
        ({"type": "message"}, "missing_required_parameter", "item.role"),
        (user("x", role="robot"), "invalid_value", "item.role"),
        (user("x", mood="good"), "unknown_parameter", "item.mood"),
        (user("x", id="i" * 33), "invalid_value", "item.id"),
        (
            {"type": "message", "role": "assistant", "content": [{"type": "output_audio"}]},
            "invalid_value",
            "item.content[0].type",
        ),
        (
            {"type": "function_call_output", "call_id": "call_x", "output": "1"},
            "invalid_tool_call_id",
            "item.call_id",
        ),
        (
            {"type": "function_call_output", "call_id": "c" * 33, "output": "1"},
            "invalid_value",
            "item.id",
        ),
        (
            {"type": "function_call_output", "call_id": "c", "output": {"ok": True}},
            "invalid_type",
            "item.output",
        ),
    ],
)
async def test_items_that_are_refused(
    connect: Connect, item: dict[str, Any], code: str, param: str
) -> None:
    async with connect() as client:
        error = await client.refused("conversation.item.create", item=item)
        assert (error["code"], error["param"]) == (code, param)


async def test_an_id_twice_and_an_unknown_place_are_refused(connect: Connect) -> None:
    async with connect() as client:
        await created(client, user("one", id="item_one"))
        error = await client.refused("conversation.item.create", item=user("two", id="item_one"))
        assert error["code"] == "item_create_duplicate_item_id"
        error = await client.refused(
            "conversation.item.create", item=user("two"), previous_item_id="item_x"
        )
        assert error["code"] == "item_create_invalid_previous_item_id"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", "invalid_json"),
        ("[]", "invalid_json"),
        (b"\x00\xff", "invalid_json"),
        ("[" * 100_000, "invalid_json"),
        ("{}", "missing_required_parameter"),
        ('{"type": 7}', "invalid_type"),
        ('{"type": "session.destroy"}', "invalid_value"),
        ('{"type": "session.update"}', "missing_required_parameter"),
        ('{"type": "session.update", "session": []}', "invalid_type"),
        ('{"type": "conversation.item.truncate", "item_id": "x"}', "missing_required_parameter"),
        ('{"type": "response.create", "response": {"mood": 1}}', "unknown_parameter"),
        ('{"type": "input_audio_buffer.append"}', "missing_required_parameter"),
    ],
)
async def test_frames_that_are_no_events_are_errors_and_the_session_goes_on(
    connect: Connect, frame: str | bytes, code: str
) -> None:
    async with connect() as client:
        await client.socket.send(frame)
        assert (await client.until("error"))["error"]["code"] == code
        await client.update(tools=[TRANSFER])
