"""A small rule-based mind: what the sandbox says and does, given what was said and done."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from media_worker.sandbox.prompt import address_in, opening_hours_in
from media_worker.sandbox.recognition import Target, grammar_of

TRANSFER_CALL: Final = "transfer_call"
HANG_UP: Final = "hang_up"
STORY: Final = (
    "Once upon a time there was a telephone that never rang. It stood on a small table in the hall"
    " of a large house, and every morning the people of the house walked past it and said nothing."
    " The telephone had a long cord, and it dreamed of the places to which the cord might lead."
    " One winter evening, when the snow lay deep in the garden, a child lifted the receiver."
    " There was no voice in it, only a low, steady tone, like the sound of the sea from far away."
    " The child listened for a long time, and then it began to tell the tone about its day."
    " From that evening on the telephone was never alone again. When it rang for the first time,"
    " many years later, it was the same child who called, from a city on the other side of the sea."
)
_SAY_EXACTLY = re.compile(
    r'Say exactly this to the caller, in the language "([^"]*)", and nothing else: <<<(.*)>>>',
    re.DOTALL,
)
_ENGLISH_ONLY: Final = {
    "de": "Entschuldigung, in dieser Testumgebung verstehe ich nur Englisch.",
    "fr": "Excusez-moi, dans cet environnement de test je ne comprends que l'anglais.",
    "es": "Lo siento, en este entorno de pruebas solo entiendo inglés.",
    "it": "Mi dispiace, in questo ambiente di prova capisco solo l'inglese.",
    "nl": "Sorry, in deze testomgeving versta ik alleen Engels.",
}


@dataclass(frozen=True)
class ToolOutput:
    """A function that we called, and what came back."""

    name: str
    arguments: str
    output: str


@dataclass
class Situation:
    """All that the mind knows when it is asked for a response."""

    instructions: str
    """Of the session."""
    request: str = ""
    """Instructions of this response alone."""
    tools: Sequence[dict[str, Any]] = ()
    tool_choice: str | dict[str, Any] = "auto"
    said: Sequence[str] = ()
    """New words of the caller, oldest first; "" for audio that was not understood."""
    said_before: Sequence[str] = ()
    our_last_words: str = ""
    outputs: Sequence[ToolOutput] = ()
    """New outputs of functions."""
    is_idle: bool = False
    """The caller has been silent for the idle timeout."""
    unknown_language: str = ""
    """The caller speaks this language, and the words were not recognised."""


@dataclass(frozen=True)
class Call:
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Thought:
    """What to say, in which language, and what to do after it."""

    words: str
    language: str = "en"
    calls: tuple[Call, ...] = ()


@dataclass
class _Caller:
    """One sentence of the caller, and whom it could be connected to."""

    text: str
    situation: Situation
    targets: tuple[Target, ...] = field(default=())

    def has(self, pattern: str) -> bool:
        return re.search(rf"\b(?:{pattern})\b", self.text) is not None


def think(situation: Situation) -> Thought:
    """The one thing to say and do next."""
    exactly = _SAY_EXACTLY.search(situation.request)
    if exactly:
        return Thought(exactly.group(2), exactly.group(1))
    return _with_tool_choice(_answer(situation), situation)


def _answer(situation: Situation) -> Thought:
    if situation.outputs:
        return Thought(" ".join(_reported(output) for output in situation.outputs))
    if situation.is_idle:
        return Thought("Are you still there? I can help you if you tell me what you need.")
    if situation.unknown_language:
        return _english_only(situation.unknown_language)
    if not situation.said or "greet" in situation.request.lower():
        return Thought("Hello, how can I help you?")
    text = " ".join(situation.said).strip().lower()
    if not text:
        return Thought("Sorry, I did not catch that. Could you say it again?")
    grammar = grammar_of(situation.tools)
    caller = _Caller(text, situation, grammar.targets)
    for rule in _RULES:
        thought = rule(caller)
        if thought is not None:
            return thought
    return Thought(f"I heard: {_sentence(text)} {_offer(caller)}")


def _with_tool_choice(thought: Thought, situation: Situation) -> Thought:
    """Leave functions out, or call one, where the client said so."""
    choice = situation.tool_choice
    names = [tool["name"] for tool in situation.tools]
    if choice == "none":
        return Thought(thought.words, thought.language)
    wanted = choice["name"] if isinstance(choice, dict) else names[0] if names else ""
    if choice == "auto" or wanted not in names or thought.calls:
        return thought
    return Thought(thought.words, thought.language, (_forced(wanted, situation),))


def _forced(name: str, situation: Situation) -> Call:
    """A call that must be made whatever was said: the first value of each required parameter."""
    tool = next(tool for tool in situation.tools if tool["name"] == name)
    parameters = tool.get("parameters") or {}
    properties = parameters.get("properties") or {}
    required = parameters.get("required") or []
    values = {key: ((properties.get(key) or {}).get("enum") or [""])[0] for key in required}
    return Call(name, values)


# --- rules, the first that knows an answer wins --------------------------------------------------


def _connect(caller: _Caller) -> Thought | None:
    target = _target_in(caller)
    asks = caller.has(r"connect|transfer|put me through|speak|talk|someone|somebody|human|operator")
    is_name_only = target is not None and len(caller.text.split()) <= 5
    if caller.has(r"do you speak|who am i|stop talking") or not (asks or is_name_only):
        return None
    can_transfer = any(tool["name"] == TRANSFER_CALL for tool in caller.situation.tools)
    if not can_transfer or not caller.targets:
        return Thought("I am sorry, I cannot connect you to anybody.") if asks else None
    if target is None and len(caller.targets) > 1:
        names = _listed([spoken_name(one.name) for one in caller.targets])
        return Thought(f"I can connect you to {names}. Whom would you like to speak to?")
    chosen = target or caller.targets[0]
    words = f"One moment please, I am connecting you to {spoken_name(chosen.name)}."
    return Thought(words, calls=(Call(TRANSFER_CALL, {"target": chosen.name}),))


def _hang_up(caller: _Caller) -> Thought | None:
    if not caller.has(
        r"good ?bye|bye|hang up|end the call|that is all|that's all|that was all|i have to go"
        r"|have a nice day"
    ):
        return None
    words = "Thank you for calling. Goodbye!"
    if not any(tool["name"] == HANG_UP for tool in caller.situation.tools):
        return Thought(words)
    return Thought(words, calls=(Call(HANG_UP, {"reason": "The caller said goodbye."}),))


def _hours(caller: _Caller) -> Thought | None:
    if not caller.has(r"hours?|open|opening|close|closed"):
        return None
    return Thought(opening_hours_in(caller.situation.instructions))


def _story(caller: _Caller) -> Thought | None:
    return Thought(STORY) if caller.has("story|stories") else None


def _name(caller: _Caller) -> Thought | None:
    name = re.search(r"\b(?:my name is|this is) ([a-z' ]+)$", caller.text)
    if name is None:
        return None
    words = name.group(1).title()
    return Thought(f"Hello {words}. I spell that: {_spelled(words)}. How can I help you?")


def _number(caller: _Caller) -> Thought | None:
    if not caller.has("number is"):
        return None
    digits = caller.text.split("number is", 1)[1].split()
    return Thought(f"I heard the number {', '.join(digits)}. Is that right?")


def _spell(caller: _Caller) -> Thought | None:
    if not caller.has("spell|spelled"):
        return None
    if caller.has("your name"):
        return Thought(f"My name is Sandbox. I spell that: {_spelled('Sandbox')}.")
    before = caller.situation.said_before
    if not before:
        return Thought("There is nothing yet that I could spell.")
    name = re.search(r"\b(?:my name is|this is) ([a-z' ]+)$", before[-1])
    words = name.group(1) if name else before[-1]
    return Thought(f"I heard {words}. I spell that: {_spelled(words)}.")


def _again(caller: _Caller) -> Thought | None:
    if not caller.has(r"repeat|again|what did you say|understand|pardon|didn't (?:hear|get)"):
        return None
    last = caller.situation.our_last_words
    return Thought(f"I said: {last}" if last else "I have not said anything yet.")


def _place(caller: _Caller) -> Thought | None:
    if not caller.has(r"address|where are you|where is your office|where can i find|get to you\w*"):
        return None
    return Thought(address_in(caller.situation.instructions))


def _appointment(caller: _Caller) -> Thought | None:
    if not caller.has("appointment"):
        return None
    return Thought(f"I heard: {_sentence(caller.text)} I cannot book it myself. {_offer(caller)}")


def _small_talk(caller: _Caller) -> Thought | None:
    for pattern, words in _SMALL_TALK:
        if caller.has(pattern):
            return Thought(words.format(offer=_offer(caller)))
    return None


_SMALL_TALK: Final = (
    (r"are you a|who are you|what is your name|what's your name|who am i", "I am the sandbox agent"
     " of this telephone system, a computer. {offer}"),
    (r"can you hear me|are you (?:still )?there", "Yes, I can hear you. How can I help you?"),
    (r"how are you", "I am fine, thank you. How can I help you?"),
    (r"do you speak", "In this sandbox I understand English only."),
    (r"how much|cost|prices", "I was not told any prices. {offer}"),
    (r"call (?:me )?back", "I cannot call you back, I am sorry. {offer}"),
    (r"what time is it|what day is it", "I am sorry, I have no clock and no calendar."),
    (r"question|problem", "I am sorry to hear that. {offer}"),
    (r"help|what can you do", "{offer}"),
    (r"stop|wait|hold on|moment|be quiet", "All right, I am listening."),
    (r"thank you|thanks", "You are welcome. Can I do anything else for you?"),
    (r"hello|hi|good (?:morning|afternoon|evening)", "Hello, how can I help you?"),
    (r"^(?:yes|okay|sure|of course|certainly|that is right|that's right|that is correct)\b",
     "All right. What can I do for you?"),
    (r"^(?:no|not really|that is wrong|i don't know)\b",
     "All right. Can I do anything else for you?"),
)  # fmt: skip
_RULES: Final[tuple[Callable[[_Caller], Thought | None], ...]] = (
    _story,
    _connect,
    _name,
    _number,
    _spell,
    _hours,
    _again,
    _place,
    _appointment,
    _hang_up,
    _small_talk,
)

# --- words ---------------------------------------------------------------------------------------


def spoken_name(name: str) -> str:
    """`technical_support` -> technical support."""
    return " ".join(re.split(r"[_\-\s]+", name))


def _target_in(caller: _Caller) -> Target | None:
    """Whom the sentence names: the longest of the names and descriptions in it."""
    found = [
        (len(form), target)
        for target in caller.targets
        for form in target.forms
        if re.search(rf"\b{re.escape(form)}\b", caller.text)
    ]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _offer(caller: _Caller) -> str:
    if not caller.targets:
        return "I can tell you our opening hours."
    names = _listed([spoken_name(target.name) for target in caller.targets])
    return f"I can tell you our opening hours, or connect you to {names}."


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _spelled(words: str) -> str:
    letters = (", ".join(word.upper().replace("'", "")) for word in words.split())
    return "; ".join(letters)


def _english_only(language: str) -> Thought:
    primary = language.replace("_", "-").lower().split("-")[0]
    if primary in _ENGLISH_ONLY:
        return Thought(_ENGLISH_ONLY[primary], primary)
    return Thought("Sorry, in this sandbox I understand English only.")


def _reported(output: ToolOutput) -> str:
    """What became of a function that we called, in one sentence."""
    ok, message = _outcome(output.output)
    if ok and output.name == TRANSFER_CALL:
        return "You are being connected now."
    if ok and output.name == HANG_UP:
        return "Goodbye!"
    if ok:
        return f"That is done. {message}".strip()
    what = "I could not connect you" if output.name == TRANSFER_CALL else "That did not work"
    reason = f": {message.rstrip('.')}." if message else "."
    return f"I am sorry. {what}{reason} Can I help you with anything else?"


def _outcome(output: str) -> tuple[bool, str]:
    """`{"ok": false, "message": "..."}`, or words that sound like a failure."""
    try:
        value = json.loads(output)
    except ValueError:
        value = output
    if isinstance(value, dict):
        message = str(value.get("message") or value.get("error") or "")
        verdict = value.get("ok", value.get("success"))
        is_ok = bool(verdict) if verdict is not None else not value.get("error")
        return is_ok, message
    text = str(value)
    failed = re.search(r"\b(fail|failed|error|refused|busy|not|no answer|declined)\b", text.lower())
    return failed is None, text
