"""A session without its socket: server events in; our events and client events out.

Pure, so that every order of events can be tried. `client.py` moves the frames.
"""

from __future__ import annotations

import itertools

import msgspec

from media_worker.audio.formats import bytes_per_ms
from media_worker.contract import AudioFormat, Greeting, ProblemKind
from media_worker.realtime import complaints, failures, wire
from media_worker.realtime.audio_check import AudioCheck
from media_worker.realtime.caller_words import CallerWords
from media_worker.realtime.calls import FunctionCalls
from media_worker.realtime.complaints import UPDATE_ID, Complaints
from media_worker.realtime.items import Items
from media_worker.realtime.outputs import Output, Outputs, status_of
from media_worker.realtime.responses import Ask, Responses
from media_worker.realtime.session import (
    AgentAudio,
    AgentAudioDone,
    AgentItem,
    AgentText,
    AgentTextDone,
    Heard,
    ResponseStarted,
    SayRefused,
    SessionError,
    SessionEvent,
    SessionInfo,
    SpeechStarted,
    SpeechStopped,
    TurnCommitted,
)
from media_worker.realtime.shape import ClientEvent, Shape


class SessionCore:
    def __init__(self, shape: Shape, info: SessionInfo, scrub: failures.Scrubber) -> None:
        self.info = info
        self.is_guarded = False
        self.outgoing: list[ClientEvent] = []
        """What is to be sent, in order; whoever sends it empties the list."""
        self.ended: SessionError | None = None
        """Set by an error after which the session cannot go on."""
        self.complaints = Complaints(scrub)
        self._shape = shape
        self._ids = itertools.count(1)
        self._responses = Responses()
        self._items = Items()
        self._calls = FunctionCalls()
        self._check = AudioCheck(info.output_format)
        self._outputs = Outputs(self.complaints)
        self._caller_words = CallerWords(shape.settings.transcription_model, self.complaints)
        self._unseen_outputs: set[str] = set()
        """Tool results that the provider has not confirmed yet."""
        self._said: str | None = None
        """Our item with what was said by other means."""
        self._is_next_cut = False
        """Interrupted between our response.create and its response."""

    # --- opening -------------------------------------------------------------

    def begin(self, *, guarded: bool) -> None:
        """The first update, with everything in it."""
        self.is_guarded = guarded
        session = self._shape.session(guarded=guarded)
        self._send(self._shape.session_update(session, self._id(UPDATE_ID)))

    def opened(self, info: SessionInfo) -> None:
        """What the server's echo says that it opened."""
        self.info = info
        self._check = AudioCheck(info.output_format)

    # --- what the conversation asks ------------------------------------------

    def set_guard(self, guarded: bool) -> None:
        if guarded == self.is_guarded:
            return
        self.is_guarded = guarded
        if self._shape.turn_detection(guarded=guarded) is not None:
            session = self._shape.turn_taking(guarded=guarded)
            self._send(self._shape.session_update(session, self._id(UPDATE_ID)))

    def say(self, greeting: Greeting, asked_for: str = "") -> None:
        spoken = self._shape.spoken(greeting)
        self._ask(Ask(self._id("say_"), spoken, asked_for=asked_for))

    def said(self, text: str) -> None:
        before, self._said = self._said, self._id("said_") if text else None
        if self._said is not None:
            self._send(self._shape.item_said(text, self._said, before))
        if before is not None:
            self._send(self._shape.item_delete(before, self._id("delete_")))

    def send_text(self, text: str) -> None:
        self._send(self._shape.item_written(text))
        self.respond()

    def respond(self) -> None:
        self._ask(Ask(self._id("respond_")))

    def commit_turn(self, *, respond: bool) -> None:
        self._send(self._shape.buffer_commit(self._id("commit_")))
        if respond:
            self.respond()

    def tool_result(self, tool_call_id: str, output: str, *, respond: bool) -> None:
        self._unseen_outputs.add(tool_call_id)
        self._send(self._shape.tool_output(tool_call_id, output))
        if respond:
            self._ask(Ask(self._id("respond_"), is_patient=True))

    def interrupt(self, heard: Heard | None) -> None:
        self._responses.drop_spoken()
        active = self._responses.active
        if active is not None or self._responses.is_asked:
            self._send(self._shape.response_cancel(active, self._id("cancel_")))
        per_ms = bytes_per_ms(self.info.output_format)
        for cut in self._items.cut(heard, per_ms) if heard else []:
            if cut.milliseconds:
                event_id = self._id("truncate_")
                event = self._shape.item_truncate(cut.item_id, cut.milliseconds, event_id)
            else:
                event = self._shape.item_delete(cut.item_id, self._id("delete_"))
            self._send(event)
        if active is not None:
            self._items.cut_response(active)
        self._is_next_cut = self._responses.is_asked

    # --- what the provider says ----------------------------------------------

    def receive(self, event: wire.ServerEvent | wire.IgnoredEvent) -> list[SessionEvent]:
        """What it means for the conversation. Never raises for what a server may send."""
        match event:
            case wire.AudioDelta():
                events = self._on_audio(event)
            case wire.SpokenDelta():
                events = self._on_words(event)
            case wire.IgnoredEvent():
                self.complaints.ignore(event)
                events = []
            case wire.ErrorReported():
                events = self._on_error(event.error)
            case _:
                events = [*self._on_speech(event), *self._on_response(event)]
        self._send_next()
        return events

    def _on_speech(self, event: wire.ServerEvent) -> list[SessionEvent]:
        match event:
            case wire.CallerStarted():
                self._responses.caller_has_turn = self._provider_answers()
                return [SpeechStarted(event.item_id or "", round(event.audio_start_ms))]
            case wire.CallerStopped():
                return [SpeechStopped(event.item_id or "", round(event.audio_end_ms))]
            case wire.BufferCommitted():
                self._items.show(event.item_id)
                before = self._items.visible(event.previous_item_id)
                return [TurnCommitted(event.item_id, before)]
            case (
                wire.TranscriptionDelta()
                | wire.TranscriptionUpdated()
                | wire.TranscriptionCompleted()
                | wire.TranscriptionFailed()
            ):
                return [*self._caller_words.take(event)]
        return []

    def _on_response(self, event: wire.ServerEvent) -> list[SessionEvent]:
        match event:
            case wire.ItemAdded():
                return self._on_item_added(event)
            case wire.ResponseCreated():
                return self._on_response_created(event.response)
            case wire.OutputItemAdded():
                return self._on_output_item(event)
            case wire.OutputItemDone():
                return self._on_output_item_done(event)
            case wire.AudioDone():
                return self._on_audio_done(event.item_id)
            case wire.SpokenDone():
                return self._on_words_done(event)
            case wire.WrittenDelta():
                return self._on_written(event)
            case wire.WrittenDone():
                return self._on_written_done(event)
            case wire.ArgumentsDone():
                self._calls.arguments_done(event)
            case wire.ResponseDone():
                return self._on_response_done(event.response)
        return []

    def _provider_answers(self) -> bool:
        detection = self._shape.turn_detection(guarded=self.is_guarded)
        return bool(detection and detection["create_response"])

    # --- the agent -----------------------------------------------------------

    def _on_item_added(self, event: wire.ItemAdded) -> list[SessionEvent]:
        item = event.item
        if item.type == "function_call_output" and item.call_id:
            self._unseen_outputs.discard(item.call_id)
        if not item.id:
            return []
        return self._begun(self._items.added(item.id, event.previous_item_id))

    def _on_response_created(self, response: wire.ResponseBody) -> list[SessionEvent]:
        response_id = response.id or ""
        asked_for = self._responses.asked_for if self._responses.is_asked else ""
        if self._is_next_cut and self._responses.is_asked:
            self._items.cut_response(response_id)
            asked_for = ""
        else:
            self._items.want_response(response_id)
        self._is_next_cut = False
        self._responses.created(response_id, covers_plain=not self._unseen_outputs)
        return [ResponseStarted(response_id, asked_for)]

    def _on_output_item(self, event: wire.OutputItemAdded) -> list[SessionEvent]:
        item = event.item
        if item.type == "function_call":
            self._calls.began(item)
        if item.type != "message" or not item.id:
            return []
        return self._begun(self._items.announced(item.id, self._response_of(event)))

    def _begun(self, item: AgentItem | None) -> list[SessionEvent]:
        if item is None:
            return []
        events: list[SessionEvent] = []
        if self._responses.is_unannounced(item.response_id):
            events += self._on_response_created(wire.ResponseBody(id=item.response_id))
        self._output(item.response_id).items.append(item.item_id)
        return [*events, item]

    def _response_of(
        self, event: wire.OutputItemAdded | wire.AudioDelta | wire.SpokenDelta | wire.SpokenDone
    ) -> str:
        """Some servers leave the response out of what belongs to it."""
        return event.response_id or self._responses.active or ""

    def _output(self, response_id: str) -> Output:
        return self._outputs.of(response_id or self._responses.active or "")

    def _on_audio(self, event: wire.AudioDelta) -> list[SessionEvent]:
        events = self._begun(self._items.begin(event.item_id, self._response_of(event)))
        if not self._items.is_wanted(event.item_id):
            return events
        self._items.received(event.item_id, len(event.delta))
        self._output(event.response_id).audio = True
        return [*events, *self._played(event.item_id, self._check.feed(event.item_id, event.delta))]

    def _played(self, item_id: str, data: bytes) -> list[SessionEvent]:
        if not data:
            return []
        return [*self._complain_of_format(), AgentAudio(item_id, data)]

    def _on_audio_done(self, item_id: str) -> list[SessionEvent]:
        if not self._items.is_begun(item_id):
            return []
        held = self._check.finish(item_id)
        self._items.finished(item_id)
        events = self._played(item_id, held) if self._items.is_wanted(item_id) else []
        return [*events, AgentAudioDone(item_id)]

    def _on_words(self, event: wire.SpokenDelta) -> list[SessionEvent]:
        events = self._begun(self._items.begin(event.item_id, self._response_of(event)))
        if self._items.is_begun(event.item_id):
            events.append(AgentText(event.item_id, event.delta))
        return events

    def _on_words_done(self, event: wire.SpokenDone) -> list[SessionEvent]:
        events = self._begun(self._items.begin(event.item_id, self._response_of(event)))
        if self._items.is_begun(event.item_id) and event.transcript is not None:
            events.append(AgentTextDone(event.item_id, event.transcript))
        return events

    def _on_written(self, event: wire.WrittenDelta) -> list[SessionEvent]:
        if self._shape.is_text:
            return self._on_words(wire.SpokenDelta(event.item_id, event.delta, event.response_id))
        self._output(event.response_id).text = True
        return []

    def _on_written_done(self, event: wire.WrittenDone) -> list[SessionEvent]:
        if self._shape.is_text:
            done = wire.SpokenDone(event.item_id, event.text, event.response_id)
            return self._on_words_done(done)
        return self._complain_of_text(event.response_id)

    def _on_output_item_done(self, event: wire.OutputItemDone) -> list[SessionEvent]:
        if event.item.type != "function_call":
            return []
        return self._requested(event.item, event.response_id)

    def _requested(self, item: wire.Item, response_id: str) -> list[SessionEvent]:
        request = self._calls.item_done(item)
        if request is None:
            return []
        self._items.show(request.item_id)
        self._output(response_id).tool_calls = True
        return [request]

    def _on_response_done(self, response: wire.ResponseBody) -> list[SessionEvent]:
        response_id = response.id or ""
        status = status_of(response)
        events: list[SessionEvent] = []
        for item in response.output or []:
            if item.type == "function_call" and "completed" in (item.status, status):
                events += self._requested(item, response_id)
        for request in self._calls.response_done(response_id, completed=status == "completed"):
            self._items.show(request.item_id)
            self._output(response_id).tool_calls = True
            events.append(request)
        for item_id in self._output(response_id).items:
            events += self._played_rest(item_id)
        events += self._complain_of_text(response_id)
        if status == "failed":
            details = response.status_details or wire.StatusDetails()
            events += self.complaints.of_error(details.error or wire.ErrorDetail())
        self._responses.done(response_id)
        return [*events, self._outputs.finished(response, self.info.model)]

    def _played_rest(self, item_id: str) -> list[SessionEvent]:
        """What is held back of an item whose end was not announced."""
        held = self._check.finish(item_id)
        return self._played(item_id, held) if self._items.is_wanted(item_id) else []

    # --- complaints ----------------------------------------------------------

    def _on_error(self, error: wire.ErrorDetail) -> list[SessionEvent]:
        asked_for, is_busy = self._responses.asked_for, complaints.is_busy(error)
        is_ours = self._responses.refused(error.event_id, is_busy=is_busy)
        refused: list[SessionEvent] = []
        if is_ours and asked_for:
            refused.append(SayRefused(asked_for, comes_again=is_busy))
        if complaints.is_harmless(error):
            self.complaints.harmless += 1
            return refused
        self.ended = self.complaints.failure(error)
        if self.ended is not None:
            return []
        if is_ours:
            self._is_next_cut = False
        return [*refused, *self.complaints.of_error(error)]

    def _complain_of_text(self, response_id: str) -> list[SessionEvent]:
        output = self._output(response_id)
        if not output.text or output.audio:
            return []
        output.text = False
        message = "The provider answered with text instead of speech."
        return self.complaints.tell(ProblemKind.TEXT_ONLY, message)

    def _complain_of_format(self) -> list[SessionEvent]:
        declared = self.info.output_format
        if not self._check.is_pcm or declared is AudioFormat.PCM_24K:
            return []
        self.info = msgspec.structs.replace(self.info, output_format=AudioFormat.PCM_24K)
        message = f"The provider declared {declared} and sends 16-bit PCM; it is played as PCM."
        return self.complaints.tell(ProblemKind.WRONG_AUDIO, message)

    # --- sending -------------------------------------------------------------

    def _ask(self, ask: Ask) -> None:
        self._responses.ask(ask)
        self._send_next()

    def _send_next(self) -> None:
        ask = self._responses.next()
        if ask is not None:
            self._send(self._shape.response_create(ask.response, ask.event_id))

    def _send(self, event: ClientEvent) -> None:
        self.outgoing.append(event)

    def _id(self, prefix: str) -> str:
        return f"{prefix}{next(self._ids)}"
