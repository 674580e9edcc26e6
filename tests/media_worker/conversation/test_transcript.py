"""The transcript alone: order, growth, cuts, limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_worker.contract import Speaker, TranscriptUpdated
from media_worker.conversation.transcript import (
    MAX_ENTRIES,
    MAX_TEXT,
    STEP,
    Transcript,
    words_within,
)

TEXT = "one two three four five"


class Book:
    def __init__(self) -> None:
        self.updates: list[TranscriptUpdated] = []
        self.transcript = Transcript(self.updates.append)

    def order(self) -> list[str]:
        self.transcript.close(10**9)
        latest = {update.item_id: update for update in self.updates}
        return [u.item_id for u in sorted(latest.values(), key=lambda u: u.position)]

    def caller(self, item_id: str, previous: str | None, text: str = "words") -> None:
        self.transcript.caller_turn(item_id, previous, offset_ms=0, duration_ms=0)
        self.transcript.caller_text(item_id, text, final=True, offset_ms=0)

    def agent(self, item_id: str, previous: str | None, text: str = TEXT) -> None:
        self.transcript.agent_item(item_id, previous)
        self.transcript.agent_text(item_id, text)
        self.hear(item_id, 100, 100)

    def hear(self, item_id: str, heard_ms: int, received_ms: int, *, whole: bool = True) -> None:
        self.transcript.heard(
            item_id, heard_ms=heard_ms, received_ms=received_ms, began_ms=None, is_whole=whole
        )


@pytest.fixture
def book() -> Book:
    return Book()


def test_items_follow_the_one_before_them_whatever_comes_first(book):
    book.agent("a1", None)
    book.agent("a2", "u1")
    book.caller("u1", "a1")
    book.caller("u2", "a2")
    assert book.order() == ["a1", "u1", "a2", "u2"]


def test_item_with_unknown_predecessor_goes_to_the_end(book):
    book.caller("u1", "never-seen")
    book.agent("a1", None)
    assert book.order() == ["u1", "a1"]


def test_item_that_claims_to_follow_itself_goes_to_the_end(book):
    book.agent("a1", None)
    book.transcript.caller_text("u1", "words", final=True, offset_ms=0)
    book.caller("u1", "u1")
    assert book.order() == ["a1", "u1"]


def test_words_that_come_before_their_turn_are_put_in_its_place(book):
    book.agent("a1", None)
    book.agent("a2", "u1")
    book.transcript.caller_text("u1", "early words", final=True, offset_ms=5)
    book.caller("u1", "a1")
    assert book.order() == ["a1", "u1", "a2"]


def test_many_items_fit_at_one_place(book):
    book.agent("a1", None)
    book.agent("a2", "x")
    for number in range(18):
        book.caller(f"u{number}", "a1")
    book.order()
    positions = {update.item_id: update.position for update in book.updates}
    assert len(set(positions.values())) == 20


def test_positions_fit_into_a_database_column(book):
    assert MAX_ENTRIES * STEP < 2**31


def test_tool_has_its_place_between_the_entries(book):
    book.agent("a1", None)
    place = book.transcript.place("tool")
    book.agent("a2", None)
    book.order()
    positions = {update.item_id: update.position for update in book.updates}
    assert positions["a1"] < place < positions["a2"]
    assert "tool" not in positions


def test_agents_text_grows_by_whole_words_and_never_shrinks(book):
    book.transcript.agent_item("a", None)
    book.transcript.agent_text("a", TEXT)
    for heard, received in [(10, 100), (40, 100), (45, 200), (90, 200), (200, 200)]:
        book.hear("a", heard, received)
        book.transcript.send_changes(heard * 1000)
    assert [update.text for update in book.updates] == ["one two", "one two three four five"]


def test_changes_are_sent_at_most_five_times_a_second(book):
    book.transcript.agent_item("a", None)
    book.transcript.agent_text("a", "w " * 1000)
    for now in range(0, 2000, 40):
        book.hear("a", now, 2000)
        book.transcript.send_changes(now)
    assert len(book.updates) <= 10


def test_final_entry_is_sent_at_once_and_only_once(book):
    book.agent("a", None)
    book.transcript.send_changes(0)
    book.transcript.finish("a")
    book.transcript.send_changes(40)
    book.transcript.send_changes(400)
    book.transcript.close(800)
    assert [update.final for update in book.updates] == [False, True]


def test_words_that_are_ahead_of_their_sound_wait_for_it(book):
    book.transcript.agent_item("a", None)
    book.transcript.agent_text("a", "word " * 40)
    book.hear("a", 200, 200, whole=False)
    book.transcript.send_changes(0)
    book.hear("a", 1000, 1000, whole=False)
    book.transcript.send_changes(1000)
    assert [len(update.text) for update in book.updates] == [4, 29]
    book.transcript.cut("a", heard_ms=2000, received_ms=2000)
    book.transcript.close(2000)
    assert len(book.updates[-1].text) == 59


def test_cut_keeps_what_was_heard_and_what_was_not(book):
    book.transcript.agent_item("a", None)
    book.transcript.agent_text("a", TEXT)
    book.transcript.cut("a", heard_ms=350, received_ms=1000, is_whole=True)
    book.transcript.close(0)
    (update,) = book.updates
    assert (update.text, update.cut_text) == ("one two", "three four five")
    assert update.duration_ms == 350


def test_words_that_come_after_the_cut_were_not_heard(book):
    book.transcript.agent_item("a", None)
    book.transcript.agent_text("a", "one two ")
    book.transcript.cut("a", heard_ms=900, received_ms=1000)
    book.transcript.agent_text("a", "three")
    book.transcript.agent_text_done("a", "one two three")
    book.transcript.finish("a")
    book.transcript.close(0)
    assert (book.updates[-1].text, book.updates[-1].cut_text) == ("one two", "three")


def test_words_that_come_only_after_the_cut_are_shared_out(book):
    book.transcript.agent_item("a", None)
    book.transcript.cut("a", heard_ms=600, received_ms=1000)
    book.transcript.agent_text_done("a", TEXT)
    book.transcript.close(0)
    assert (book.updates[-1].text, book.updates[-1].cut_text) == ("one two three", "four five")


def test_item_of_which_nothing_was_heard_has_no_entry(book):
    book.transcript.agent_item("a", None)
    book.transcript.agent_text("a", TEXT)
    book.transcript.cut("a", heard_ms=0, received_ms=1000)
    assert book.order() == []


def test_entry_that_was_shown_is_closed_even_if_nothing_of_it_was_heard_after_all(book):
    book.transcript.agent_item("a", None)
    book.transcript.agent_text("a", "one ")
    book.hear("a", 200, 200)
    book.transcript.send_changes(0)
    book.transcript.cut("a", heard_ms=20, received_ms=1000)
    book.transcript.close(300)
    assert [update.text for update in book.updates] == ["one", ""]
    assert (book.updates[-1].cut_text, book.updates[-1].final) == ("one", True)


def test_caller_without_words_has_no_entry(book):
    book.transcript.caller_turn("u", None, offset_ms=0, duration_ms=0)
    book.transcript.caller_text("u", "  ", final=True, offset_ms=0)
    assert book.order() == []


def test_words_that_come_after_the_turn_was_closed_still_count(book):
    book.caller("u", None, "first guess")
    book.transcript.send_changes(0)
    book.transcript.caller_text("u", "better words", final=True, offset_ms=0)
    book.transcript.send_changes(10)
    assert [update.text for update in book.updates] == ["first guess", "better words"]
    assert book.updates[-1].speaker is Speaker.CALLER


def test_conversation_as_text_has_only_what_was_said_and_heard(book):
    book.agent("a1", None, "Hello there")
    book.caller("u1", "a1", "Hi")
    book.transcript.agent_item("a2", "u1")
    book.transcript.agent_text("a2", TEXT)
    book.transcript.cut("a2", heard_ms=350, received_ms=1000)
    assert book.transcript.as_text(1000) == "Agent: Hello there\nCaller: Hi\nAgent: one two"
    assert book.transcript.as_text(3) == "two"


def test_text_without_end_is_bounded(book):
    book.transcript.agent_item("a", None)
    for _ in range(100):
        book.transcript.agent_text("a", "x" * 1000)
    book.hear("a", 100, 100)
    book.transcript.caller_text("u", "y" * 100_000, final=True, offset_ms=0)
    book.transcript.close(0)
    assert [len(update.text) for update in book.updates] == [MAX_TEXT, MAX_TEXT]


def test_items_without_end_are_ignored_and_counted(book, monkeypatch):
    monkeypatch.setattr("media_worker.conversation.transcript.MAX_ENTRIES", 5)
    assert MAX_ENTRIES >= 1000
    for number in range(8):
        book.agent(f"a{number}", None)
    assert book.transcript.place("tool") == 0
    assert book.order() == ["a0", "a1", "a2", "a3", "a4"]
    assert book.transcript.ignored == 4


def test_script_without_spaces_grows_too():
    text = "営業時間は九時から五時までです"
    assert 4 <= words_within(text, 0.4) <= 6
    assert words_within("x" * 100, 0.5) == 50


@given(st.text(max_size=300), st.floats(0, 1))
def test_share_of_a_text_is_never_more_than_asked_for(text, share):
    end = words_within(text, share)
    assert 0 <= end <= len(text)
    assert end <= len(text) * share or end == len(text) == 0 or share == 1
