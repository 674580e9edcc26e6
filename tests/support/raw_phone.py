"""A caller made of two UDP sockets: SIP by hand, and every RTP packet with its arrival time.

It shares only the tables of G.711 with the product and has no jitter buffer, so that what a test
measures is what was on the wire. One call, G.711 µ-law, no authentication (RFC 3261, RFC 3550).
"""

from __future__ import annotations

import asyncio
import random
import re
import struct
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from media_worker.audio import g711
from tests.support.punctual import punctual

CLOCK_RATE = 8000
FRAME_SECONDS = 0.02
FRAME_BYTES = 160
T1_SECONDS = 0.5
REDIAL_SECONDS = 2.0
ANSWER_SECONDS = 60.0
LOUD = 300
"""Mean amplitude of a frame that somebody would hear; silence in µ-law is 0 to 8."""


@dataclass
class Packet:
    """One RTP packet as it came: CLOCK_MONOTONIC seconds, payload type, timestamp, payload."""

    at: float
    payload_type: int
    stamp: int
    payload: bytes
    is_loud: bool


def sound_seconds(first: Packet, last: Packet) -> float:
    """From the beginning of one packet to the end of the other, by the sender's own clock."""
    return ((last.stamp - first.stamp) % (1 << 32)) / CLOCK_RATE + FRAME_SECONDS


def is_loud(payload: bytes) -> bool:
    pcm = np.frombuffer(g711.decode_mu_law(payload), dtype="<i2")
    return bool(pcm.size) and float(np.abs(pcm.astype(float)).mean()) > LOUD


@dataclass
class Answer:
    """A SIP response: its status, and its header fields by lower-case name."""

    status: int
    headers: dict[str, str]
    body: str
    at: float = field(default_factory=time.monotonic)
    """When it came; CLOCK_MONOTONIC seconds."""


class _Socket(asyncio.DatagramProtocol):
    def __init__(self, receive) -> None:
        self.receive = receive

    def datagram_received(self, data: bytes, addr) -> None:
        self.receive(data, addr)


@dataclass
class RawPhone:
    """`async with RawPhone(("127.0.0.1", 5060)) as phone: await phone.call("100")`."""

    server: tuple[str, int]
    packets: list[Packet] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    call_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    async def __aenter__(self) -> RawPhone:
        loop = asyncio.get_running_loop()
        self._punctual = ExitStack()
        self._punctual.enter_context(punctual())
        self._changed = asyncio.Event()
        self._sip, _ = await loop.create_datagram_endpoint(
            lambda: _Socket(self._on_sip), local_addr=("127.0.0.1", 0)
        )
        self._rtp, _ = await loop.create_datagram_endpoint(
            lambda: _Socket(self._on_rtp), local_addr=("127.0.0.1", 0)
        )
        self._queue: list[bytes] = []
        self.said_at: list[float] = []
        """When each packet of what was to be said went out; CLOCK_MONOTONIC seconds."""
        self.latest = 0.0
        """By how many seconds a packet left later than it should have, at worst: this machine's."""
        self._loud: list[Packet] = []
        self._quiet = 0
        """Silent packets since the last loud one."""
        self._speaker: asyncio.Task[None] | None = None
        self._to = self._target = ""
        self._branch = ""
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._speaker:
            self._speaker.cancel()
        self._sip.close()
        self._rtp.close()
        self._punctual.close()

    async def call(self, number: str, *, sdp: bool = True) -> Answer:
        """INVITE; the final answer, acknowledged. After a 200 silence is sent as RTP."""
        self._uri = f"sip:{number}@{self.server[0]}:{self.server[1]}"
        self._tag = uuid.uuid4().hex[:8]
        self._branch = self._new_branch()
        body = self._sdp() if sdp else ""
        invite = asyncio.create_task(self._invite(self._request("INVITE", 1, self._uri, body)))
        try:
            answer = await self.answer(lambda answer: answer.status >= 200)
        finally:
            invite.cancel()
        self._to = answer.headers["to"]
        if answer.status != 200:
            self._send(self._request("ACK", 1, self._uri))
            return answer
        self._target = re.search(r"<(sips?:[^>]+)>", answer.headers["contact"])[1]
        self._branch = self._new_branch()
        self._send(self._request("ACK", 1, self._target))
        port = int(re.search(r"^m=audio (\d+)", answer.body, re.MULTILINE)[1])
        self._media = (re.search(r"^c=IN IP4 (\S+)", answer.body, re.MULTILINE)[1], port)
        self._speaker = asyncio.create_task(self._speak())
        return answer

    async def _invite(self, text: str) -> None:
        """Until somebody answers anything (RFC 3261 section 17.1.1.2, timer A), also somebody who
        listens only later."""
        pause = T1_SECONDS
        while not self.answers:
            self._send(text)
            await asyncio.sleep(pause)
            pause = min(pause * 2, REDIAL_SECONDS)

    async def cancel(self) -> None:
        self._send(self._request("CANCEL", 1, self._uri))

    async def hang_up(self) -> Answer:
        self._branch = self._new_branch()
        self._send(self._request("BYE", 2, self._target))
        return await self.answer(lambda answer: "BYE" in answer.headers["cseq"])

    def say(self, pcm: bytes) -> None:
        """Queue 16-bit PCM at 8000 Hz; it is sent in real time."""
        data = g711.encode_mu_law(pcm)
        data += b"\xff" * (-len(data) % FRAME_BYTES)
        self._queue += [data[i : i + FRAME_BYTES] for i in range(0, len(data), FRAME_BYTES)]

    async def answer(self, wanted, seconds: float = ANSWER_SECONDS) -> Answer:
        """The first answer that is wanted."""
        return await self._until(
            lambda: next((each for each in self.answers if wanted(each)), None), seconds
        )

    async def request(self, method: str, seconds: float = 60.0) -> str:
        """The first request of this method that came from the other side."""
        return await self._until(
            lambda: next((each for each in self.requests if each.startswith(method)), None), seconds
        )

    async def speech(self, *, since: float = 0.0, packets: int = 5, seconds: float = 60.0) -> float:
        """When that many loud packets had come after `since`."""
        loud = await self._until(
            lambda: (
                found[packets - 1].at
                if len(found := [each for each in self.loud() if each.at > since]) >= packets
                else None
            ),
            seconds,
        )
        return float(loud)

    async def silence(self, *, seconds_of_it: float = 0.8, seconds: float = 60.0) -> float:
        """When the last loud packet came, once silent packets for so long have come after it.

        Counted in packets: a moment without any, on a busy machine, is not silence.
        """
        enough = round(seconds_of_it / FRAME_SECONDS)
        return float(
            await self._until(
                lambda: self._loud[-1].at if self._loud and self._quiet >= enough else None,
                seconds,
            )
        )

    def loud(self) -> list[Packet]:
        """Those of the packets that somebody would hear."""
        return self._loud

    def longest_stall(self, until: float) -> float:
        """Longest time without any packet up to then; some 0.02 s when nobody was held up."""
        times = [packet.at for packet in self.packets if packet.at <= until]
        return max((after - before for before, after in pairwise(times)), default=0.0)

    # --- inside --------------------------------------------------------------

    async def _until(self, find, seconds: float):
        try:
            async with asyncio.timeout(seconds):
                while not (found := find()):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            asked = [request.split(maxsplit=1)[0] for request in self.requests]
            answered = [answer.status for answer in self.answers]
            raise AssertionError(
                f"not within {seconds:g} s; so far answers {answered}, requests {asked}, "
                f"{len(self.packets)} packets, {len(self._loud)} of them loud"
            ) from None
        return found

    async def _speak(self) -> None:
        sequence, stamp = random.randrange(1000), random.randrange(1 << 20)
        source = random.randrange(1 << 32)
        next_at = time.monotonic()
        while True:
            self.latest = max(self.latest, time.monotonic() - next_at)
            says = bool(self._queue)
            payload = self._queue.pop(0) if says else b"\xff" * FRAME_BYTES
            header = struct.pack("!BBHII", 0x80, 0, sequence & 0xFFFF, stamp & 0xFFFFFFFF, source)
            self._rtp.sendto(header + payload, self._media)
            if says:
                self.said_at.append(time.monotonic())
            sequence, stamp = sequence + 1, stamp + FRAME_BYTES
            next_at += FRAME_SECONDS
            await asyncio.sleep(max(0.0, next_at - time.monotonic()))

    def _on_rtp(self, data: bytes, _address) -> None:
        offset = 12 + 4 * (data[0] & 0x0F)
        payload = data[offset:]
        stamp = int.from_bytes(data[4:8], "big")
        packet = Packet(time.monotonic(), data[1] & 0x7F, stamp, payload, is_loud(payload))
        self.packets.append(packet)
        self._quiet = 0 if packet.is_loud else self._quiet + 1
        if packet.is_loud:
            self._loud.append(packet)
        self._changed.set()

    def _on_sip(self, data: bytes, _address) -> None:
        text = data.decode(errors="replace")
        head, _, body = text.partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        if first.startswith("SIP/2.0"):
            self.answers.append(Answer(int(first.split()[1]), headers, body))
        elif not first.startswith("ACK"):
            self.requests.append(text)
            self._send(self._ok(lines, "202 Accepted" if first.startswith("REFER") else "200 OK"))
        self._changed.set()

    def _ok(self, lines: list[str], status: str) -> str:
        kept = [
            line
            for line in lines
            if line.split(":")[0].strip().lower() in ("via", "from", "to", "call-id", "cseq")
        ]
        return "\r\n".join([f"SIP/2.0 {status}", *kept, f"Contact: {self._contact()}", *_NOTHING])

    def _request(self, method: str, number: int, uri: str, body: str = "") -> str:
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._here()};rport;branch={self._branch}",
            "Max-Forwards: 70",
            f'From: "Raw Phone" <sip:raw@{self._here()}>;tag={self._tag}',
            f"To: {self._to or f'<{self._uri}>'}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {number} {method}",
            f"Contact: {self._contact()}",
        ]
        if body:
            lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}", "", body]
            return "\r\n".join(lines)
        return "\r\n".join([*lines, *_NOTHING])

    def _send(self, text: str) -> None:
        self._sip.sendto(text.encode(), self.server)

    def _sdp(self) -> str:
        port = self._rtp.get_extra_info("sockname")[1]
        return (
            "v=0\r\no=raw 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
        )

    def _here(self) -> str:
        host, port = self._sip.get_extra_info("sockname")
        return f"{host}:{port}"

    def _contact(self) -> str:
        return f"<sip:raw@{self._here()}>"

    @staticmethod
    def _new_branch() -> str:
        return "z9hG4bK" + uuid.uuid4().hex[:12]


_NOTHING = ["Content-Length: 0", "", ""]
