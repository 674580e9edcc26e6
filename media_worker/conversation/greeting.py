"""What is said before the talk: the announcement that the call is recorded, and the greeting.

A part that was rendered beforehand (a prompt) is in the playout before the call is answered, so
that the first packet carries it; what was not, the provider says when its session is open. The
session is told what was said without it: a prompt that is played, what was heard of one cut off.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from media_worker.contract import CallPlan, Greeting, PromptKind
from media_worker.conversation.agent import AgentSpeech
from media_worker.conversation.fallback import Duty
from media_worker.conversation.requests import Requests
from media_worker.conversation.transcript import Transcript


class _Part(msgspec.Struct):
    """`response_id` is the provider's, or the kind for a prompt; None: not begun."""

    kind: PromptKind
    words: Greeting
    pcm: bytes
    response_id: str | None = None
    queued_at: float = 0.0
    has_begun: bool = False
    """The caller has heard its first frame."""
    has_come: bool = False
    """All of its sound is in the playout."""
    is_over: bool = False
    is_cut: bool = False

    @property
    def is_prompt(self) -> bool:
        return bool(self.pcm)


class Opening:
    """Moments are seconds of the call's clock. Nothing here waits."""

    def __init__(
        self,
        plan: CallPlan,
        prompts: Mapping[PromptKind, bytes],
        agent: AgentSpeech,
        transcript: Transcript,
        requests: Requests,
        duty: Duty,
    ) -> None:
        words = {PromptKind.CONSENT: plan.consent, PromptKind.GREETING: plan.greeting}
        self._parts = [
            _Part(kind, said, prompts.get(kind, b"")) for kind, said in words.items() if said
        ]
        self._agent = agent
        self._transcript = transcript
        self._requests = requests
        self._duty = duty
        self._told = ""
        """What the session knows of the prompts."""

    @property
    def has_prompt(self) -> bool:
        """The caller hears something before there is a session."""
        return bool(self._parts) and self._parts[0].is_prompt

    @property
    def is_over(self) -> bool:
        """All was played to its end, or cut off; or there was nothing to say."""
        return all(part.is_over for part in self._parts)

    @property
    def owes_consent(self) -> bool:
        """The caller has not heard yet that the call is recorded."""
        return any(part.kind is PromptKind.CONSENT and not part.is_over for part in self._parts)

    @property
    def is_owed(self) -> bool:
        """The provider has still to say a part; of the greeting the beginning is enough."""
        return self._to_say is not None

    # --- what happens ----------------------------------------------------------------------------

    def begin(self, now: float) -> None:
        """Queue the prompts that come first; before the call is answered."""
        self._queue_prompts(now)

    def session_began(self, now: float, *, is_first: bool) -> None:
        """Tell a new session what was said, and have it say the rest.

        One that replaces another knows from its context what was said by then.
        """
        is_known = self.is_over and not is_first
        self._told = self._words() if is_known else ""
        self._tell()
        self.say(now)

    def say(self, now: float) -> None:
        """Have the provider say what is its part; also once more, where that failed."""
        part = self._to_say
        if part is not None:
            words = part.words
            part.response_id = None
            self._duty.expect(now, anew=True)
            self._requests.put(lambda session: session.say(words))

    def response_started(self, response_id: str) -> None:
        part = self._to_say
        if part is not None and part.response_id is None:
            part.response_id = response_id

    def response_finished(self, response_id: str, now: float) -> None:
        """All sound of a response has come; what follows a part is queued behind it."""
        for part in self._parts:
            if part.response_id == response_id and not part.is_prompt:
                part.has_come = True
                self._queue_prompts(now)
                self._tell()
                self.say(now)

    def session_over(self) -> None:
        """A greeting that was broken off stays so; a consent that was not heard whole is not given.

        That one is said again by the next session.
        """
        for part in self._parts:
            if part.response_id is None or part.has_come:
                continue
            if part.kind is PromptKind.GREETING and part.has_begun:
                part.has_come = True
            else:
                part.response_id = None

    def cut(self) -> None:
        """The caller interrupted: nothing more of this is said."""
        for part in self._parts:
            part.is_cut, part.is_over = not part.is_over, True
        self._tell()

    def tick(self) -> float | None:
        """When the greeting's first frame was played; told once."""
        greeting_began = None
        for part in self._parts:
            if part.is_over or part.response_id is None:
                continue
            began = None if part.has_begun else self._agent.began_at(part.response_id)
            if began is not None:
                self._note_begun(part)
                if part.kind is PromptKind.GREETING:
                    greeting_began = began
            part.is_over = (
                part.has_begun and part.has_come and self._agent.is_played(part.response_id)
            )
        return greeting_began

    # --- inside ----------------------------------------------------------------------------------

    @property
    def _to_say(self) -> _Part | None:
        """The part that is the provider's to say now, while it has not come."""
        for part in self._parts:
            if part.is_over or part.has_come:
                continue
            is_broken_greeting = part.kind is PromptKind.GREETING and part.has_begun
            return None if part.is_prompt or is_broken_greeting else part
        return None

    def _queue_prompts(self, now: float) -> None:
        """All prompts up to the next part that the provider says."""
        for part in self._parts:
            if part.has_come:
                continue
            if not part.is_prompt:
                return
            part.response_id, part.queued_at, part.has_come = part.kind.value, now, True
            self._agent.say(part.kind.value, part.words.text, part.pcm)

    def _note_begun(self, part: _Part) -> None:
        if part.is_prompt:
            self._agent.measure(part.kind.value, part.queued_at)
        part.has_begun = True

    def _tell(self) -> None:
        words = self._words()
        if words != self._told:
            self._told = words
            self._requests.put(lambda session: session.said(words))

    def _words(self) -> str:
        """What the caller has heard of the prompts, or will when nothing happens."""
        said = (
            self._transcript.heard_text(part.kind.value) if part.is_cut else part.words.text
            for part in self._parts
            if part.is_prompt and part.has_come
        )
        return " ".join(filter(None, said))
