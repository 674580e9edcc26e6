"""The one timer of all calls."""

from __future__ import annotations

import asyncio

import pytest

from media_worker.conversation.ticker import BEHIND_SECONDS, PERIOD_SECONDS, Ticker
from tests.media_worker.conversation.stage import VirtualTicker
from tests.support.tries import best_of


async def never() -> None:
    await asyncio.Event().wait()


async def soon() -> str:
    return "done"


async def test_ticker_calls_everybody_until_they_leave():
    ticker, calls = VirtualTicker(), []
    leave = ticker.add(lambda: calls.append("a"))
    ticker.add(lambda: calls.append("b"))
    ticker.tick()
    leave()
    leave()
    ticker.tick()
    assert calls == ["a", "b", "b"]


async def test_callback_that_fails_does_not_keep_the_others_from_theirs():
    ticker, calls = VirtualTicker(), []
    ticker.add(lambda: 1 / 0)
    ticker.add(lambda: calls.append("b"))
    ticker.tick()
    assert calls == ["b"]


async def test_everybody_has_a_turn_of_their_own_and_the_turns_are_spread():
    ticker, calls = VirtualTicker(), []
    for name in range(200):
        ticker.add(lambda name=name: calls.append(name), every_ms=100)
    turns = []
    for _ in range(5):
        before = len(calls)
        ticker.tick()
        turns.append(len(calls) - before)
    assert turns == [40] * 5
    assert sorted(calls) == list(range(200))
    first = list(calls)
    for _ in range(5):
        ticker.tick()
    assert calls == first * 2


async def test_who_leaves_makes_room_for_the_next():
    ticker, calls = VirtualTicker(), []
    leave = [ticker.add(lambda: None, every_ms=60) for _ in range(6)]
    leave[1]()
    leave[4]()
    for name in "ab":
        ticker.add(lambda name=name: calls.append((name, ticker.time)), every_ms=60)
    for tick in range(3):
        ticker.time = tick
        ticker.tick()
    assert calls[0][1] == calls[1][1]  # both where the two left


@pytest.mark.parametrize("missed", [1, 2, 3, 30])
async def test_nobody_whose_tick_was_missed_waits_for_another_turn(missed: int):
    ticker, calls = VirtualTicker(), []
    for name in range(5):
        ticker.add(lambda name=name: calls.append(name), every_ms=100)
    ticker.tick()
    ticker.tick(missed)
    assert len(calls) == 1 + min(missed + 1, 5)
    assert len(set(calls[1:])) == len(calls[1:])
    for _ in range(4 - missed if missed < 4 else 0):
        ticker.tick()
    assert set(calls) == set(range(5))


async def test_what_is_given_to_before_comes_before_those_who_are_due():
    ticker, steps = VirtualTicker(), []
    for name in "ab":
        ticker.add(lambda name=name: steps.append(name))
    ticker.before(lambda: steps.append("before"))
    ticker.tick()
    assert steps == ["before", "a", "b"]


async def test_a_step_may_come_before_every_second_tick_only():
    ticker, steps = VirtualTicker(), []
    ticker.before(lambda: steps.append(ticker.time), every_ms=40)
    for tick in range(5):
        ticker.time = tick
        ticker.tick()
    ticker.tick(missed=1)
    assert steps == [0, 2, 4, 4]


async def test_sleep_ends_at_the_first_tick_after_its_time():
    ticker = VirtualTicker()
    sleeper = asyncio.ensure_future(ticker.sleep(1.0))
    await asyncio.sleep(0)
    ticker.time += 0.99
    ticker.tick()
    await asyncio.sleep(0)
    assert not sleeper.done()
    ticker.time += 0.02
    ticker.tick()
    await sleeper


async def test_within_gives_the_result_or_cancels_and_says_timeout():
    ticker = VirtualTicker()
    assert await ticker.within(1.0, soon()) == "done"
    late = asyncio.ensure_future(ticker.within(1.0, never()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    ticker.time += 1.1
    ticker.tick()
    with pytest.raises(TimeoutError):
        await late


async def test_ticks_keep_to_their_schedule_when_one_was_late():
    after = await best_of(places_after_a_late_tick, are_on_schedule)
    assert are_on_schedule(after)  # on the old schedule, not shifted by the delay
    assert after[-1] >= 7 * 0.99


def are_on_schedule(places: list[float]) -> bool:
    return all(place % 1 < 0.3 for place in places)


async def places_after_a_late_tick() -> list[float]:
    """A tick took 2.5 periods: what was missed was made up for at once. When the three ticks after
    that came, in periods since the start."""
    loop = asyncio.get_running_loop()
    ticker = Ticker(period_seconds=0.02)
    times: list[float] = []
    six = asyncio.Event()

    def note() -> None:
        times.append(loop.time())
        if len(times) == 2:
            busy_until = loop.time() + 0.05
            while loop.time() < busy_until:
                pass
        if len(times) == 6:
            six.set()

    ticker.add(note)
    began = loop.time()
    ticker.start()
    await six.wait()
    ticker.stop()
    assert ticker.late_ticks >= 1
    return [(time - began) / 0.02 for time in times[3:]]


@pytest.mark.parametrize("ahead", [0.002, 0.009, 0.011, 0.018])
async def test_ticks_move_to_just_behind_those_of_the_media_thread(ahead: float):
    """Whichever is the shorter way."""
    places = await best_of(lambda: places_behind_media(ahead), are_behind_media)
    assert are_behind_media(places)


def are_behind_media(places: list[float]) -> bool:
    return all(abs(place - BEHIND_SECONDS) < 0.003 for place in places[-5:])


async def places_behind_media(ahead: float) -> list[float]:
    """When ticks came, in seconds after the media thread's, of those 30 after the first."""
    loop = asyncio.get_running_loop()
    ticker, places, enough = Ticker(), list[float](), asyncio.Event()
    ticker.start()
    media_at = loop.time() + ahead
    ticker.follow(media_at)

    def note() -> None:
        places.append((loop.time() - media_at) % PERIOD_SECONDS)
        if len(places) == 30:
            enough.set()

    ticker.add(note)
    await enough.wait()
    ticker.stop()
    return places
