"""How long a word takes from a media worker's event to an open page: a worker that only talks, by
its real outbox, admission and link; and pages that note when they show each word.

Words are `w0z`, `w1z` and so on, each call's own. A page notes the highest that it has: when its
message came ("socket"), when it was on the page ("page"), when its frame was made ("frame").
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from media_worker.contract import (
    AdmissionRequest,
    CallAnswered,
    CallEnded,
    CallPlan,
    EndCause,
    Heartbeat,
    Hello,
    Speaker,
    TranscriptUpdated,
)
from media_worker.control.admission import Admission
from media_worker.control.link import Link
from media_worker.control.outbox import Outbox

WORDS_AN_ENTRY: Final = 20
STAGES: Final = ("disk", "socket", "page", "frame")

NOTE_WORDS: Final = """() => {
  const now = () => performance.timeOrigin + performance.now();
  const last = (text) => Math.max(-1, ...[...text.matchAll(/\\bw(\\d+)z/g)].map((m) => +m[1]));
  const highest = { socket: -1, page: -1 };
  window.noted = [];
  const note = (stage, word, at) => window.noted.push([stage, word, at]);
  const Native = window.WebSocket;
  window.WebSocket = class extends Native {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data }) => {
        const at = now(), word = last(data);
        if (word > highest.socket) note("socket", (highest.socket = word), at);
      });
    }
  };
  addEventListener("DOMContentLoaded", () => {
    const list = document.getElementById("transcript");
    if (!list) return;
    new MutationObserver(() => {
      const word = last(list.lastElementChild?.textContent ?? "");
      if (word <= highest.page) return;
      note("page", (highest.page = word), now());
      requestAnimationFrame(() => setTimeout(() => note("frame", word, now())));
    }).observe(list, { childList: true, subtree: true, characterData: true });
  });
}"""
"""Run before the page's own scripts: `f"({NOTE_WORDS})()"`."""


@dataclass
class Talk:
    """One call, and when each of its words was told and lay on the worker's disk; Unix seconds."""

    call_id: str
    told: list[float] = field(default_factory=list)
    on_disk: list[float] = field(default_factory=list)


class Talker:
    """`open` it, `begin` calls, have them `talk`, `end` them, `close` it."""

    def __init__(self, web: str, token: str, folder: Path) -> None:
        self._web, self._token = web, token
        self._folder = folder
        self.talks: list[Talk] = []

    async def open(self) -> None:
        self._outbox = Outbox(self._folder / "outbox.sqlite3")
        self._admission = Admission(self._web, self._token, self._outbox)
        self._outbox.on_commit(self._on_disk)
        link = Link(
            self._web,
            self._token,
            self._outbox,
            hello=self._hello,
            heartbeat=lambda: Heartbeat(active_calls=len(self.talks)),
            on_command=self._no_command,
        )
        self._running = asyncio.create_task(link.run(), name="link")
        await asyncio.wait_for(link.connected.wait(), 60)

    async def begin(self, number: str) -> Talk:
        request = AdmissionRequest(
            call_key=str(uuid.uuid4()),
            called=number,
            calling="+4930123456",
            sip_call_id=uuid.uuid4().hex,
        )
        plan = await self._admission.admit(request)
        assert isinstance(plan, CallPlan), plan
        talk = Talk(plan.call_id)
        self._outbox.append(talk.call_id, CallAnswered(codec="PCMU/8000"))
        self.talks.append(talk)
        return talk

    async def talk(self, words: int, *, a_second: float) -> None:
        """Each call says so many words, all calls evenly beside each other."""
        began, gap = time.monotonic(), 1 / a_second / len(self.talks)
        for word in range(words):
            for place, talk in enumerate(self.talks):
                due = began + (word * len(self.talks) + place) * gap
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                self._say(talk)

    async def end(self) -> None:
        """All callers hang up; return when the web side knows."""
        for talk in self.talks:
            self._outbox.append(talk.call_id, CallEnded(cause=EndCause.CALLER_HUNG_UP))
        self.talks = []
        await asyncio.wait_for(self._outbox.emptied(), 60)

    async def close(self) -> None:
        await self.end()
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self._admission.close()
        await self._outbox.close()

    def _say(self, talk: Talk) -> None:
        word = len(talk.told)
        entry, first = divmod(word, WORDS_AN_ENTRY)
        text = " ".join(f"w{number}z" for number in range(word - first, word + 1))
        event = TranscriptUpdated(
            item_id=f"item_{entry}",
            position=entry,
            speaker=Speaker.AGENT,
            text=text,
            final=first == WORDS_AN_ENTRY - 1,
            offset_ms=word * 100,
        )
        talk.told.append(time.time())
        self._outbox.append(talk.call_id, event)

    def _on_disk(self) -> None:
        now = time.time()
        for talk in self.talks:
            talk.on_disk += [now] * (len(talk.told) - len(talk.on_disk))

    def _hello(self) -> Hello:
        return Hello(
            stream=self._outbox.stream,
            boot_id=uuid.uuid4().hex,
            host="talker",
            version="0",
            sip_build="none",
            capacity=1000,
        )

    @staticmethod
    async def _no_command(_command: Any) -> str:
        return "This worker only talks."


def waits(talk: Talk, noted: Iterable[tuple[str, int, float]]) -> dict[str, list[float]]:
    """Milliseconds from each word's event to each stage on one page that watched the call.

    A word that a later one overtook was there with it.
    """
    found: dict[str, list[float]] = {stage: [] for stage in STAGES}
    found["disk"] = [
        (disk - told) * 1000 for told, disk in zip(talk.told, talk.on_disk, strict=False)
    ]
    seen = sorted(noted, key=lambda one: one[2])
    for stage in STAGES[1:]:
        marks = [(word, at) for kind, word, at in seen if kind == stage]
        for word, told in enumerate(talk.told):
            shown = next((at for last, at in marks if last >= word), None)
            if shown is not None:
                found[stage].append(shown - told * 1000)
    return found


def percentile(values: list[float], share: float) -> float:
    return float(np.percentile(values, share)) if values else float("nan")
