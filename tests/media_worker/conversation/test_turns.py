"""The turn keeper alone: what it answers to what was heard."""

from __future__ import annotations

import pytest

from media_worker.conversation.turns import (
    CONFIRM_SECONDS,
    GOES_ON_MS,
    SURE_MS,
    Move,
    TurnKeeper,
)


def keeper(
    *,
    interrupt: bool = True,
    guard_ms: int = 1000,
    owns_turns: bool = False,
    greets: bool = True,
    pauses: bool = True,
    false_interruption_ms: int = 1500,
) -> TurnKeeper:
    return TurnKeeper(
        interrupt=interrupt,
        guard_ms=guard_ms,
        owns_turns=owns_turns,
        greets=greets,
        pauses=pauses,
        false_interruption_ms=false_interruption_ms,
    )


def test_speech_within_the_guard_moves_nothing():
    turns = keeper()
    assert turns.guarded
    assert turns.speech_started(9.9) == []
    turns.greeting_played(10.0)
    assert turns.tick(10.9) == []


def test_guard_ends_on_time_and_only_once():
    turns = keeper()
    turns.greeting_played(10.0)
    turns.greeting_played(10.5)
    assert turns.tick(11.0) == [Move.LIFT_GUARD]
    assert turns.tick(12.0) == []
    assert not turns.guarded


def test_guard_never_ends_before_the_greeting_is_heard():
    turns = keeper()
    assert turns.tick(1e9) == []


def test_speech_that_goes_on_past_the_guard_stops_the_agent():
    turns = keeper()
    turns.greeting_played(10.0)
    turns.speech_started(10.8)
    assert turns.tick(11.0) == [Move.LIFT_GUARD]
    assert turns.tick(11.0 + GOES_ON_MS / 2000, audible_ms=GOES_ON_MS - 20) == []
    assert turns.tick(11.0 + GOES_ON_MS / 1000, audible_ms=20) == [Move.STOP_AGENT]
    assert turns.tick(11.5, audible_ms=200) == []


def test_noise_that_still_sounds_at_the_end_of_the_guard_but_ends_soon_does_not():
    turns = keeper()
    turns.greeting_played(10.0)
    turns.speech_started(10.8)
    assert turns.tick(11.0, audible_ms=40) == [Move.LIFT_GUARD]
    assert turns.tick(11.04, audible_ms=GOES_ON_MS - 20) == []
    assert turns.tick(11.5) == []  # silent; the provider waits for more of it
    turns.speech_stopped()
    assert turns.tick(11.6, audible_ms=GOES_ON_MS) == []
    assert turns.tick(100.0) == []


@pytest.mark.parametrize("heard_by", ["the provider", "our own VAD"])
def test_noise_of_the_guard_that_we_hear_of_after_it_does_not(heard_by):
    turns = keeper()
    turns.greeting_played(10.0)
    turns.tick(11.0)
    if heard_by == "the provider":
        assert turns.speech_started(10.99) == []
    else:
        assert turns.local_onset(10.99, 11.05, agent_speaks=True) == []
    assert turns.tick(11.1, audible_ms=40) == []
    turns.speech_stopped()
    turns.local_end(11.2)
    assert turns.tick(11.2, audible_ms=GOES_ON_MS) == []
    assert turns.speech_started(11.2) == [Move.STOP_AGENT]


def test_speech_too_soft_for_us_stops_the_agent_when_the_provider_keeps_hearing_it():
    turns = keeper()
    turns.greeting_played(10.0)
    turns.speech_started(10.5)
    turns.tick(11.0)
    assert turns.tick(11.9) == []
    assert turns.tick(12.0) == [Move.STOP_AGENT]


def test_a_pause_between_words_after_the_guard_does_not_hide_them():
    turns = keeper()
    turns.greeting_played(10.0)
    turns.speech_started(10.5)
    assert turns.tick(11.0) == [Move.LIFT_GUARD]
    assert turns.tick(11.2, audible_ms=GOES_ON_MS // 2) == []
    assert turns.tick(11.4, audible_ms=0) == []
    assert turns.tick(11.6, audible_ms=GOES_ON_MS // 2) == [Move.STOP_AGENT]


def test_speech_that_stopped_within_the_guard_does_not():
    turns = keeper()
    turns.greeting_played(10.0)
    turns.speech_started(10.0)
    turns.speech_stopped()
    assert turns.tick(11.0) == [Move.LIFT_GUARD]


def test_turn_of_the_guard_is_answered_when_the_greeting_is_over():
    turns = keeper()
    turns.greeting_played(10.0)
    turns.speech_started(10.0)
    turns.turn_committed(10.5)
    assert turns.tick(11.0) == [Move.LIFT_GUARD]
    assert turns.greeting_over(13.0) == [Move.ANSWER]
    assert turns.greeting_is_over


def test_turn_of_the_guard_is_left_to_the_provider_when_the_caller_speaks_again():
    turns = keeper()
    turns.turn_committed(10.5)
    turns.speech_started(10.0)
    assert turns.greeting_over(10.8) == [Move.LIFT_GUARD]


@pytest.mark.parametrize("interrupt", [True, False])
def test_speech_after_the_guard_stops_the_agent_where_that_is_allowed(interrupt):
    turns = keeper(greets=False, interrupt=interrupt)
    assert turns.speech_started(10.0) == ([Move.STOP_AGENT] if interrupt else [])


def test_turn_after_the_guard_is_the_providers_to_answer():
    turns = keeper(greets=False)
    turns.speech_started(10.0)
    turns.turn_committed(10.0)
    assert turns.tick(100.0) == []


# --- our own VAD ---------------------------------------------------------------------------------


def paused(**settings) -> TurnKeeper:
    """Our VAD heard something at 10.0, while the agent speaks."""
    turns = keeper(greets=False, **settings)
    assert turns.local_onset(9.9, 10.0, agent_speaks=True) == [Move.PAUSE_AGENT]
    return turns


def test_a_cough_pauses_the_agent_and_nothing_is_made_of_it():
    turns = paused()
    assert turns.tick(10.3, speech_ms=200) == []
    assert turns.local_end(10.8) == []
    assert turns.tick(11.4) == []
    assert turns.tick(11.5) == [Move.RESUME_AGENT]
    assert turns.tick(100.0) == []


def test_a_pause_that_the_provider_confirms_becomes_a_stop():
    turns = paused()
    assert turns.speech_started(9.8) == [Move.STOP_AGENT]
    assert turns.tick(20.0, speech_ms=SURE_MS) == []
    turns.local_end(20.0)
    assert turns.tick(100.0) == []


def test_a_pause_that_our_own_vad_confirms_becomes_a_stop():
    turns = paused()
    assert turns.tick(10.3, speech_ms=SURE_MS - 20) == []
    assert turns.tick(10.4, speech_ms=SURE_MS) == [Move.STOP_AGENT]
    assert turns.tick(20.0, speech_ms=5000) == []


def test_speech_that_goes_on_after_the_agent_did_stops_it_after_all():
    turns = paused()
    assert turns.tick(11.5, speech_ms=SURE_MS - 20) == [Move.RESUME_AGENT]
    assert turns.tick(11.6, speech_ms=SURE_MS) == [Move.STOP_AGENT]


def test_the_providers_word_that_comes_after_the_agent_went_on_stops_it():
    turns = paused()
    assert turns.tick(11.5) == [Move.RESUME_AGENT]
    assert turns.speech_started(9.8) == [Move.STOP_AGENT]


def test_a_second_onset_within_the_pause_makes_it_longer():
    turns = paused()
    turns.local_end(10.8)
    assert turns.local_onset(11.3, 11.4, agent_speaks=True) == [Move.PAUSE_AGENT]
    assert turns.tick(12.8) == []
    assert turns.tick(12.9) == [Move.RESUME_AGENT]


def test_onset_of_speech_that_the_provider_hears_already_stops_at_once():
    turns = keeper(greets=False)
    turns.speech_started(9.8)
    assert turns.local_onset(9.9, 10.0, agent_speaks=True) == [Move.STOP_AGENT]


def test_what_a_session_heard_is_forgotten_with_it():
    turns = keeper(greets=False)
    turns.speech_started(9.8)
    turns.session_over()
    assert not turns.caller_speaks
    assert turns.local_onset(9.9, 10.0, agent_speaks=True) == [Move.PAUSE_AGENT]


def test_onset_stops_at_once_and_for_good_where_no_time_is_given():
    turns = keeper(greets=False, false_interruption_ms=0)
    assert turns.local_onset(9.9, 10.0, agent_speaks=True) == [Move.STOP_AGENT]
    turns.local_end(10.7)
    assert turns.tick(10.7 + CONFIRM_SECONDS) == [Move.ANSWER]


def test_onset_stops_nothing_where_only_the_provider_may():
    turns = keeper(greets=False, pauses=False)
    assert turns.local_onset(9.9, 10.0, agent_speaks=True) == []
    assert turns.tick(12.0, speech_ms=SURE_MS * 5) == []
    assert turns.speech_started(9.9) == [Move.STOP_AGENT]


@pytest.mark.parametrize("false_interruption_ms", [0, 1500])
def test_onset_stops_nothing_where_interruption_is_off(false_interruption_ms):
    turns = keeper(greets=False, interrupt=False, false_interruption_ms=false_interruption_ms)
    assert turns.local_onset(9.9, 10.0, agent_speaks=True) == []
    assert turns.tick(12.0, speech_ms=SURE_MS * 5) == []


def test_onset_within_the_guard_pauses_nothing_but_counts_after_it():
    turns = keeper()
    turns.greeting_played(10.0)
    assert turns.local_onset(10.8, 10.9, agent_speaks=True) == []
    assert turns.tick(11.0, speech_ms=SURE_MS) == [Move.LIFT_GUARD]
    assert turns.tick(11.3, audible_ms=GOES_ON_MS, speech_ms=700) == [Move.STOP_AGENT]


def test_doubt_that_is_resolved_while_the_agent_is_paused_stops_it_once():
    turns = keeper()
    turns.greeting_played(10.0)
    turns.tick(11.0)
    assert turns.local_onset(11.05, 11.1, agent_speaks=True) == [Move.PAUSE_AGENT]
    assert turns.speech_started(10.9) == []  # with its padding it began within the guard
    assert turns.tick(11.4, audible_ms=GOES_ON_MS) == [Move.STOP_AGENT]
    assert turns.tick(20.0, speech_ms=SURE_MS) == []


def test_stop_that_the_provider_does_not_confirm_is_made_good():
    turns = paused()
    assert turns.tick(10.4, speech_ms=SURE_MS) == [Move.STOP_AGENT]
    assert turns.local_end(11.0) == []
    assert turns.tick(11.0 + CONFIRM_SECONDS - 0.1) == []
    assert turns.tick(11.0 + CONFIRM_SECONDS) == [Move.ANSWER]
    assert turns.tick(100.0) == []


@pytest.mark.parametrize("confirmation", ["speech_started", "response_started"])
def test_stop_that_the_provider_confirms_needs_nothing(confirmation):
    turns = paused()
    turns.tick(10.4, speech_ms=SURE_MS)
    turns.local_end(11.0)
    if confirmation == "speech_started":
        turns.speech_started(10.0)
    else:
        turns.response_started()
    assert turns.tick(100.0) == []


def test_local_onset_while_the_agent_is_silent_owes_nothing():
    turns = keeper(greets=False)
    assert turns.local_onset(9.9, 10.0, agent_speaks=False) == []
    assert turns.tick(10.5, speech_ms=SURE_MS) == []
    turns.local_end(11.0)
    assert turns.tick(100.0) == []


# --- turns that our own VAD ends -----------------------------------------------------------------


def test_our_own_vad_ends_the_turn_where_it_owns_turns():
    turns = keeper(greets=False, owns_turns=True)
    assert turns.local_onset(9.9, 10.0, agent_speaks=False) == []
    assert turns.local_end(11.0) == [Move.COMMIT]


def test_own_turn_that_interrupts_is_committed_when_it_ends():
    turns = paused(owns_turns=True)
    assert turns.tick(10.4, speech_ms=SURE_MS) == [Move.STOP_AGENT]
    assert turns.local_end(11.0) == [Move.COMMIT]
    assert turns.tick(100.0) == []


def test_a_cough_is_no_own_turn_and_the_agent_goes_on_when_it_is_over():
    turns = paused(owns_turns=True)
    assert turns.local_end(10.8) == [Move.RESUME_AGENT]
    assert turns.tick(100.0) == []


def test_own_turn_interrupts_without_a_pause_when_it_is_sure():
    turns = keeper(greets=False, owns_turns=True, pauses=False)
    assert turns.local_onset(9.9, 10.0, agent_speaks=True) == []
    assert turns.tick(12.0, speech_ms=SURE_MS) == [Move.STOP_AGENT]
    assert turns.local_end(13.0) == [Move.COMMIT]


def test_own_turn_of_the_guard_is_committed_when_the_greeting_is_over():
    turns = keeper(owns_turns=True)
    turns.local_onset(9.9, 10.0, agent_speaks=True)
    assert turns.local_end(10.5) == []
    assert turns.greeting_over(12.0) == [Move.LIFT_GUARD, Move.COMMIT]
