"""Real speech through G.711 at 8 kHz is understood; what callers may say is right word for word."""

import numpy as np
import pytest

from media_worker.audio import g711
from media_worker.sandbox.recognition import Grammar, Heard, Recogniser, Target, grammar_of
from media_worker.sandbox.recognition.decoder import EnglishDecoder
from media_worker.sandbox.recognition.likeness import unlikeness
from media_worker.sandbox.recognition.pronunciation import plain_words, pronounce
from media_worker.speech import render

TARGETS = ("sales", "support", "reception", "billing", "accounting")
TOOLS = [
    {
        "type": "function",
        "name": "transfer_call",
        "description": "Connect the caller. Targets: sales: offers and orders; support: help.",
        "parameters": {"properties": {"target": {"type": "string", "enum": list(TARGETS)}}},
    }
]
IN_ITS_DOMAIN = """
please connect me to the sales department
connect me to sales
i would like to speak to support
could you put me through to reception please
can i talk to someone in billing
i want to talk to a human
i need to speak with the support team
what are your opening hours
when are you open
are you open on saturday
how late are you open today
hello
how are you
yes please
no thank you
goodbye
thank you goodbye
please hang up
could you spell that for me
my name is john smith
what is your address
where are you located
could you repeat that please
thank you very much
my number is five five five one two three four
tell me a long story
who are you
can you help me
i would like to make an appointment on monday at ten o'clock
do you speak german
please call me back
i have a problem with my order
""".strip().splitlines()
OUTSIDE = """
my washing machine is leaking water all over the kitchen floor
is it going to rain in london this afternoon
the train to boston leaves from platform nine
i want to order two large pizzas with mushrooms
we will arrive at the airport around midnight
banana
""".strip().splitlines()


@pytest.fixture(scope="module")
def decoder() -> EnglishDecoder:
    return EnglishDecoder()


def on_the_phone(
    words: str, *, a_law: bool = False, noise: float = 0.0, gain: float = 1.0
) -> bytes:
    """PCM16 at 8 kHz after G.711, with silence (or white noise of this RMS) around the words."""
    speech = np.frombuffer(render(words, "en", 8000), "<i2") * gain
    line = np.concatenate((np.zeros(2400), speech, np.zeros(4000)))
    line += np.random.default_rng(3).normal(0, noise, line.size) if noise else 0
    pcm = np.clip(line, -32768, 32767).astype("<i2").tobytes()
    if a_law:
        return g711.decode_a_law(g711.encode_a_law(pcm))
    return g711.decode_mu_law(g711.encode_mu_law(pcm))


@pytest.mark.parametrize("words", IN_ITS_DOMAIN)
def test_what_callers_say_is_right_word_for_word(decoder: EnglishDecoder, words: str) -> None:
    assert decoder.hear(on_the_phone(words), grammar_of(TOOLS)) == Heard(words, sure=True)


@pytest.mark.parametrize("words", OUTSIDE)
def test_other_sentences_are_as_the_free_model_heard_them(
    decoder: EnglishDecoder, words: str
) -> None:
    heard = decoder.hear(on_the_phone(words), grammar_of(TOOLS))
    assert not heard.sure
    same = set(heard.text.split()) & set(words.split())
    assert len(same) >= len(words.split()) / 2


@pytest.mark.parametrize("words", [IN_ITS_DOMAIN[0], IN_ITS_DOMAIN[2], IN_ITS_DOMAIN[7]])
@pytest.mark.parametrize(
    ("a_law", "noise", "gain"), [(True, 0.0, 1.0), (False, 20.0, 1.0), (False, 5.0, 0.3)]
)
def test_a_law_noise_and_a_quiet_voice_do_not_matter(
    decoder: EnglishDecoder, words: str, a_law: bool, noise: float, gain: float
) -> None:
    heard = decoder.hear(
        on_the_phone(words, a_law=a_law, noise=noise, gain=gain), grammar_of(TOOLS)
    )
    assert heard.sure
    assert heard.text.replace("the ", "") == words.replace("the ", ""), "but for an article"


def test_a_name_that_no_dictionary_has_is_understood(decoder: EnglishDecoder) -> None:
    tools = [
        {
            "parameters": {
                "properties": {"target": {"enum": ["Dr. Okonkwo", "Praxis Schönhauser"]}}
            },
        }
    ]
    heard = decoder.hear(on_the_phone("please connect me to doctor okonkwo"), grammar_of(tools))
    assert heard == Heard("please connect me to doctor okonkwo", sure=True)
    heard = decoder.hear(on_the_phone("transfer me to praxis schonhauser"), grammar_of(tools))
    assert heard == Heard("transfer me to praxis schonhauser", sure=True)


@pytest.mark.parametrize("pcm", [b"", bytes(160), bytes(16000), b"\x01\x00" * 8000])
def test_silence_is_nothing(decoder: EnglishDecoder, pcm: bytes) -> None:
    assert decoder.hear(pcm, Grammar()) == Heard("", sure=False)


def test_a_click_is_no_request(decoder: EnglishDecoder) -> None:
    click = np.zeros(8000)
    click[4000:4040] = 20000
    heard = decoder.hear(click.astype("<i2").tobytes(), grammar_of(TOOLS))
    assert not set(heard.text.split()) & {"sales", "hang", "goodbye", *TARGETS}


def test_many_grammars_do_not_grow_for_ever(decoder: EnglishDecoder) -> None:
    pcm = on_the_phone("yes please")
    for number in range(10):
        grammar = Grammar((Target(f"t{number}", (f"{'alpha ' * (number % 3 + 1)}beta".strip(),)),))
        assert decoder.hear(pcm, grammar).text == "yes please"
    assert len(decoder._grammars) <= 8


async def test_it_works_in_a_process_of_its_own(recogniser: Recogniser) -> None:
    heard = await recogniser.hear(on_the_phone("connect me to sales"), grammar_of(TOOLS))
    assert heard == Heard("connect me to sales", sure=True)


# --- the grammar's parts -------------------------------------------------------------------------


def test_targets_are_called_by_name_and_description() -> None:
    (sales, support, *others) = grammar_of(TOOLS).targets
    assert sales == Target("sales", ("sales", "offers", "orders"))
    assert support.forms == ("support", "help")
    assert [other.forms for other in others] == [("reception",), ("billing",), ("accounting",)]


def test_names_as_people_type_them() -> None:
    tools = [
        {
            "description": "Targets: frontDesk: the front desk; 1st_level: Müller & Söhne GmbH.",
            "parameters": {"properties": {"target": {"enum": ["frontDesk", "1st_level", "日本"]}}},
        }
    ]
    front, first = grammar_of(tools).targets
    assert front.forms == ("front",), "desk, team and department may follow any name"
    assert "first level" in first.forms
    assert "muller sohne gmbh" in first.forms


@pytest.mark.parametrize("tools", [[], [{"name": "hang_up"}], [{"parameters": {"properties": {}}}]])
def test_without_targets_there_is_still_a_grammar(tools: list[dict]) -> None:
    grammar = grammar_of(tools)
    assert grammar.targets == ()
    assert "<target>" not in grammar.jsgf


def test_pronunciations_are_phones_of_the_model() -> None:
    assert pronounce("okonkwo").split()[-1] == "OW"
    assert pronounce("church") == "CH ER CH"
    assert plain_words("Müller & Söhne (3. Stock)") == ["muller", "sohne", "three", "stock"]


def test_likeness_is_a_distance() -> None:
    sales, failed = ["S", "EY", "L", "Z"], ["F", "EY", "L", "D"]
    assert unlikeness(sales, sales) == 0
    assert 0 < unlikeness(sales, failed) < unlikeness(sales, ["OW", "P", "AH", "N"]) <= 1
    assert unlikeness([], sales) == 1
