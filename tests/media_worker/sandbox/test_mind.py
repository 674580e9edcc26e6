"""What it says and does for what was said."""

import pytest

from media_worker.sandbox.mind import Call, Situation, think
from media_worker.sandbox.prompt import address_in, opening_hours_in
from tests.media_worker.sandbox.client import HANG_UP, TRANSFER

TOOLS = [TRANSFER, HANG_UP]


def answer(said: str, **more: object) -> tuple[str, tuple[Call, ...]]:
    thought = think(Situation(instructions="", tools=TOOLS, said=[said], **more))  # type: ignore[arg-type]
    return thought.words, thought.calls


@pytest.mark.parametrize(
    ("said", "target"),
    [
        ("please connect me to the sales department", "sales"),
        ("I would like to speak to support", "support"),
        ("sales please", "sales"),
        ("can i talk to someone in sales", "sales"),
        ("yes the support team", "support"),
        ("put me through to help", "support"),
    ],
)
def test_it_connects(said: str, target: str) -> None:
    words, calls = answer(said)
    assert calls == (Call("transfer_call", {"target": target}),)
    assert words == f"One moment please, I am connecting you to {target}."


def test_it_asks_whom_when_that_was_not_said() -> None:
    words, calls = answer("i want to talk to a human")
    assert calls == ()
    assert words == "I can connect you to sales or support. Whom would you like to speak to?"


def test_the_only_target_needs_no_question() -> None:
    one = TRANSFER | {"parameters": {"properties": {"target": {"enum": ["front_desk"]}}}}
    thought = think(Situation(instructions="", tools=[one], said=["i want to talk to a human"]))
    assert thought.calls == (Call("transfer_call", {"target": "front_desk"}),)
    assert "front desk" in thought.words


def test_it_cannot_connect_without_the_function() -> None:
    thought = think(Situation(instructions="", said=["connect me to sales"]))
    assert thought.words == "I am sorry, I cannot connect you to anybody."
    assert not thought.calls


@pytest.mark.parametrize(
    "said", ["goodbye", "thank you goodbye", "please hang up", "that's all thank you", "bye bye"]
)
def test_it_says_goodbye_and_hangs_up(said: str) -> None:
    words, calls = answer(said)
    assert words.endswith("Goodbye!")
    assert [call.name for call in calls] == ["hang_up"]
    assert not think(Situation(instructions="", said=[said])).calls


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("my name is john smith", "Hello John Smith. I spell that: J, O, H, N; S, M, I, T, H."),
        ("my number is five five one", "I heard the number five, five, one."),
        ("how do you spell your name", "S, A, N, D, B, O, X"),
        ("hello", "Hello, how can I help you?"),
        ("are you a robot", "a computer"),
        ("can you hear me", "Yes, I can hear you."),
        ("do you speak german", "English only"),
        ("thank you very much", "You are welcome."),
        ("wait a moment", "I am listening"),
        ("the internet is slow", "I heard: The internet is slow. I can tell you"),
        ("", "did not catch that"),
        ("what is your address", "I was not told our address"),
        ("i have a problem with my order", "sorry to hear that"),
        ("i would like to make an appointment", "I cannot book it myself"),
    ],
)
def test_small_talk(said: str, words: str) -> None:
    spoken, calls = answer(said)
    assert words in spoken
    assert calls == ()


def test_it_repeats_and_spells_back() -> None:
    assert answer("could you repeat that", our_last_words="We close at six.")[0] == (
        "I said: We close at six."
    )
    spelled, _ = answer("could you spell that for me", said_before=["my name is anna king"])
    assert spelled == "I heard anna king. I spell that: A, N, N, A; K, I, N, G."


@pytest.mark.parametrize(
    ("instructions", "words"),
    [
        ("Opening hours: Mon-Fri 9-17.", "Our opening hours are Mon-Fri 9-17."),
        ("Be nice. We are open daily from 8 am to 6 pm.", "We are open daily from 8 am to 6 pm."),
        ("- Hours are 10 to 4\n- Be brief", "Our opening hours are 10 to 4."),
        ("Keep an open mind.", "We are open Monday to Friday, from nine in the morning"),
        ("", "We are open Monday to Friday, from nine in the morning"),
    ],
)
def test_opening_hours_come_from_the_instructions(instructions: str, words: str) -> None:
    assert opening_hours_in(instructions).startswith(words)


def test_the_address_comes_from_the_instructions() -> None:
    assert address_in("Address: 5 Main Street, Springfield.") == (
        "Our address is 5 Main Street, Springfield."
    )
    assert "located" not in address_in("We are located at the old port. Be kind.")


def test_exact_words_are_said_exactly() -> None:
    request = (
        'Say exactly this to the caller, in the language "de", and nothing else:'
        " <<<Grüß Gott.\nWomit kann ich dienen?>>>"
    )
    thought = think(Situation(instructions="", request=request, tools=TOOLS, said=["goodbye"]))
    assert thought.words == "Grüß Gott.\nWomit kann ich dienen?"
    assert (thought.language, thought.calls) == ("de", ())


def test_it_greets_when_told_and_when_nobody_spoke() -> None:
    assert think(Situation(instructions="")).words == "Hello, how can I help you?"
    greeted = think(Situation(instructions="", request="Greet the caller.", said=["x"]))
    assert greeted.words == "Hello, how can I help you?"
