"""A call by hand, the real leg, conversation and session, and a provider: octet by octet."""

import asyncio
import base64
import json
import random
import re
import struct
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import pytest

from media_worker.audio.activity import VoiceActivity
from media_worker.audio.g711 import encode_mu_law
from media_worker.contract import AudioFormat, ProviderAccess
from media_worker.conversation.conversation import Conversation
from media_worker.conversation.ticker import Ticker
from media_worker.realtime.dialects import new_session
from tests.media_worker.audio.signals import tone
from tests.media_worker.conversation.stage import make_plan
from tests.media_worker.realtime.stub import Line, Stub
from tests.media_worker.sip.test_rtp import Rtp, reinvite
from tests.media_worker.sip.wire import SDP, Wire
from tests.support.tries import best_of

PAYLOAD_TYPES = {AudioFormat.PCMU: 0, AudioFormat.PCMA: 8}
BOTH = "a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:13 CN/8000\r\n"
ALL_CODES = bytes(random.Random(1).sample(range(256), 256)) * 25  # 0.8 s, whole packets
COMFORT_NOISE = 13
"""Static payload type (RFC 3389 section 4)."""


@dataclass
class Provider:
    """Takes what it is sent, with the time, and says what it is told."""

    heard: list[tuple[float, bytes]] = field(default_factory=list)
    line: Line | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def script(self, line: Line) -> None:
        await line.greet()
        self.line = line
        async for text in line.websocket:
            event = json.loads(text)
            if event["type"] == "input_audio_buffer.append":
                at = asyncio.get_running_loop().time()
                self.heard.append((at, base64.b64decode(event["audio"])))
            self.changed.set()

    @property
    def octets(self) -> bytes:
        return b"".join(chunk for _, chunk in self.heard)

    async def hear(self, octets: int) -> None:
        async with asyncio.timeout(20):
            while len(self.octets) < octets:
                self.changed.clear()
                await self.changed.wait()

    async def say(self, octets: bytes) -> None:
        assert self.line is not None
        item = {"id": "a1", "type": "message", "role": "assistant", "content": []}
        place = {"response_id": "resp_1", "output_index": 0}
        spot = {**place, "item_id": "a1", "content_index": 0}
        await self.line.send("response.created", response={"id": "resp_1"})
        await self.line.send("response.output_item.added", item=item, **place)
        delta = base64.b64encode(octets).decode()
        await self.line.send("response.output_audio.delta", delta=delta, **spot)
        await self.line.send("response.output_audio.done", **spot)


class Caller(Rtp):
    """Sends by the clock of what it receives; may leave packets out."""

    kind = 0
    stamp = 0

    def send(self, payload: bytes, kind: int | None = None) -> None:
        kind = self.kind if kind is None else kind
        head = struct.pack("!BBHII", 0x80, kind, self.sequence, self.stamp, 7)
        self.transport.sendto(head + payload, self.peer)
        self.sequence += 1

    async def tick(self) -> None:
        await self.wait_for(len(self.packets) + 1)
        self.stamp += 160

    async def speak(self, octets: bytes) -> None:
        for at in range(0, len(octets), 160):
            await self.tick()
            self.send(octets[at : at + 160])

    async def be_silent(self, ms: int, *, noise_every_ms: int = 0) -> None:
        """Without packets, but for comfort noise of -60 dBov (RFC 3389 section 3)."""
        for at in range(0, ms, 20):
            await self.tick()
            if noise_every_ms and at % noise_every_ms == 0:
                self.send(bytes([60]), COMFORT_NOISE)


@asynccontextmanager
async def bridged(desk, audio_format: AudioFormat):
    """(caller, provider, SDP of the answer) of a call that offers A-law and mu-law, A-law first."""
    provider, clock = Provider(), Ticker()
    loop = asyncio.get_running_loop()
    async with Stub(provider.script) as stub, Wire(desk.endpoint.ports["udp"]) as wire:
        access = ProviderAccess(account_id="acc", name="p", url=stub.url, api_key="k")
        plan = make_plan(greets=False, audio_format=audio_format, interrupt=False)
        plan = msgspec.structs.replace(plan, provider=access)
        caller = Caller()
        caller.transport, _ = await loop.create_datagram_endpoint(
            lambda: caller, local_addr=("127.0.0.1", 0)
        )
        port = caller.transport.get_extra_info("sockname")[1]
        caller.wire, caller.dialogue = wire, wire.dialogue()
        caller.kind = PAYLOAD_TYPES[audio_format]
        caller.dialogue.invite(SDP.format(port=port, formats="8 0 13", lines=BOTH))
        async with asyncio.timeout(10):
            incoming = await desk.calls.get()

        async def no_apology() -> bytes:
            return b""

        conversation = Conversation(
            plan=plan,
            leg=incoming.leg,
            new_session=lambda *_: new_session(access, plan.settings, plan.tools, language="en"),
            apology=no_apology,
            emit=lambda _: None,
            clock=clock,
            activity=VoiceActivity(desk.endpoint.config.clock_rate),
        )
        clock.start()
        running = asyncio.create_task(conversation.run())
        ok = await wire.until(200)
        caller.dialogue.confirm(ok)
        caller.peer = ("127.0.0.1", int(re.search(r"m=audio (\d+)", ok.body)[1]))
        await provider.hear(1)
        yield caller, provider, ok.body
        caller.transport.close()
        caller.dialogue.bye()
        await running
        clock.stop()


@pytest.mark.parametrize("audio_format", [AudioFormat.PCMU, AudioFormat.PCMA])
async def test_every_code_of_g711_goes_both_ways_bit_by_bit(desk, audio_format):
    """Where the call and the provider agree nothing is transcoded, for all that can be heard: only
    mu-law's negative zero becomes zero."""
    expected = ALL_CODES
    if audio_format is AudioFormat.PCMU:
        expected = expected.replace(b"\x7f", b"\xff")

    async def both_ways() -> tuple[bool, bool]:
        async with bridged(desk, audio_format) as (caller, provider, answer):
            kind = PAYLOAD_TYPES[audio_format]
            assert re.search(r"^m=audio \d+ \S+ (\d+)", answer, re.MULTILINE)[1] == str(kind)
            await caller.wait_for(20)
            await provider.say(ALL_CODES)
            before = len(caller.packets)
            # pjmedia blends what it makes up for missing packets into those beside them
            await caller.speak(b"\xff" * 1600 + ALL_CODES + b"\xff" * 1600)
            await provider.hear(len(provider.octets) + 1600)
            await caller.wait_for(before + 60)
            assert {each for _, each, _ in caller.packets} == {kind}
            sent = b"".join(payload for _, _, payload in caller.packets)
            return expected in provider.octets, expected in sent

    # a machine that stands still makes the jitter buffer stretch: then once more
    assert await best_of(both_ways, lambda found: found == (True, True)) == (True, True)


@pytest.mark.parametrize("noise_every_ms", [0, 200])
async def test_the_audio_clock_goes_on_while_no_rtp_comes(desk, noise_every_ms):
    """Three seconds without packets (a muted phone), or with comfort noise now and then."""
    async with bridged(desk, AudioFormat.PCMU) as (caller, provider, _):
        await caller.speak(encode_mu_law(tone(800, 600)))
        await caller.be_silent(3000, noise_every_ms=noise_every_ms)
        await caller.speak(encode_mu_law(tone(800, 600)))
        await caller.be_silent(400)
        sent_ms = (len(provider.octets) - len(provider.heard[0][1])) / 8
        passed_ms = (provider.heard[-1][0] - provider.heard[0][0]) * 1000
        assert sent_ms == pytest.approx(passed_ms, abs=250)
        assert sent_ms > 4000
        pieces = re.split(rb"(?:[\x7f\xff]{160}){10,}", provider.octets)
        loud = [piece for piece in pieces if len(piece) > 2400]
        assert len(loud) == 2  # both sounds, and silence between


async def test_a_held_call_sends_the_provider_nothing_and_goes_on_after_it(desk):
    async with bridged(desk, AudioFormat.PCMU) as (caller, provider, _):
        await caller.speak(encode_mu_law(tone(800, 400)))
        await reinvite(caller, 2, "sendonly")
        await provider.line.websocket.ping()
        held = len(provider.octets)
        for _ in range(50):  # a phone on hold may still send music
            caller.send(encode_mu_law(tone(900, 20)))
            await asyncio.wait({asyncio.ensure_future(asyncio.Event().wait())}, timeout=0.02)
        assert len(provider.octets) - held <= 160 * 4  # what was under way
        await reinvite(caller, 3, "sendrecv")
        await provider.hear(len(provider.octets) + 1600)


@pytest.mark.parametrize(
    ("audio_format", "payload_type"),
    [(AudioFormat.PCMU, "0"), (AudioFormat.PCMA, "8"), (AudioFormat.PCM_24K, "8")],
)
async def test_the_answer_names_the_codec_that_suits_the_provider(desk, audio_format, payload_type):
    async with Wire(desk.endpoint.ports["udp"]) as wire:
        dialogue = wire.dialogue()
        events = BOTH + "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"
        dialogue.invite(SDP.format(port=40000, formats="8 0 101", lines=events))
        taken = await desk.next_call()
        await taken.leg.answer(audio_format)
        ok = await wire.until(200)
        dialogue.confirm(ok)
        formats = re.search(r"^m=audio \d+ \S+ (.*)", ok.body, re.MULTILINE)[1].split()
        assert formats[0] == payload_type
        assert len(formats) == 2  # and DTMF
        assert "telephone-event" in ok.body
        dialogue.bye()
        await taken.ended()


async def test_the_answer_takes_what_is_offered_where_that_does_not_suit(desk):
    async with Wire(desk.endpoint.ports["udp"]) as wire:
        dialogue = wire.dialogue()
        lines = "a=rtpmap:8 PCMA/8000\r\n"
        dialogue.invite(SDP.format(port=40000, formats="8", lines=lines))
        taken = await desk.next_call()
        await taken.leg.answer(AudioFormat.PCMU)
        ok = await wire.until(200)
        dialogue.confirm(ok)
        assert re.search(r"^m=audio \d+ \S+ 8\b", ok.body, re.MULTILINE)
        dialogue.bye()
        await taken.ended()
