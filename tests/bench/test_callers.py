"""The load generator: RTP on an absolute schedule, SIP, and the provider that it talks to."""

from __future__ import annotations

import base64
import json
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import suppress

import msgspec
import numpy as np
import pytest
from websockets.sync.client import connect

from bench import floor
from bench.callers import Callers
from bench.provider import Orders, Provider, seconds_of
from bench.rtp import SLOTS, Heard, RtpPort
from bench.speech import FRAME_SAMPLES, RATE, Speech, marked


@pytest.fixture(scope="module")
def speech() -> Speech:
    rng = np.random.default_rng(3)
    return Speech(marked(rng.normal(0, 4000, RATE * 2).clip(-32000, 32000).astype(np.int16)))


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    """Sends every datagram back to where it came from, from a port of its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(0.2)
        over = threading.Event()

        def run() -> None:
            while not over.is_set():
                try:
                    data, address = udp.recvfrom(2048)
                except TimeoutError:
                    continue
                udp.sendto(data, address)

        thread = threading.Thread(target=run)
        thread.start()
        yield udp.getsockname()
        over.set()
        thread.join()


def tick_for(rtp: RtpPort, ticks: int) -> None:
    """Without waiting for the clock."""
    for _ in range(ticks):
        rtp.tick()


def test_rtp_sends_each_call_every_twentieth_tick(speech: Speech, echo: tuple[str, int]) -> None:
    rtp = RtpPort(speech, capacity=4, known_calls=1)
    rtp.start()
    rtp.add(0, *echo, frame=5)
    heard = rtp.heard = Heard(1)
    heard.tracked[0] = True
    tick_for(rtp, 10 * SLOTS)
    while heard.count < 10:
        rtp.tick()
    sequence, at, payload = heard.packets_of(0)
    rtp.close()

    assert np.diff(sequence.astype(int)).tolist()[:9] == [1] * 9
    assert (payload[:10] == speech.frames[5:15]).all()
    sent = rtp.sent_at(0, np.arange(10))
    assert sent == pytest.approx(np.asarray(rtp.ticks)[rtp.first_tick[0] :: SLOTS][:10])
    assert (at[:10] >= sent).all()


def test_rtp_spreads_calls_over_the_twenty_milliseconds(speech: Speech) -> None:
    rtp = RtpPort(speech, capacity=40, known_calls=40)
    rtp.start()
    for call in range(40):
        rtp.add(call, "127.0.0.1", 9, frame=0)
    rtp.close()

    assert sorted(rtp.first_tick % SLOTS) == sorted([*range(SLOTS), *range(SLOTS)])


def test_rtp_keeps_the_others_when_a_call_ends(speech: Speech, echo: tuple[str, int]) -> None:
    rtp = RtpPort(speech, capacity=60, known_calls=60)
    rtp.start()
    for call in range(60):
        rtp.add(call, "127.0.0.1", 20_000 + call, frame=call)
    for call in range(59):
        rtp.remove(call)
    rtp.remove(59)
    rtp.add(59, *echo, frame=7)
    heard = rtp.heard = Heard(60)
    heard.tracked[59] = True
    while heard.count < 3:
        rtp.tick()
    _, _, payload = heard.packets_of(59)
    rtp.close()

    assert (payload[:3] == speech.frames[7:10]).all()
    assert set(heard.call[: heard.count]) == {59}


def test_schedule_is_absolute(speech: Speech) -> None:
    """What is late is made up for: the number of ticks says what time it is."""
    callers = Callers(("127.0.0.1", 9), speech, at_once=1, known_calls=1)
    callers.run(0.3)
    callers.later(0.0, lambda: threading.Event().wait(0.1))
    callers.run(0.3)
    rtp = callers.rtp
    callers.close()

    assert rtp.pacing_errors(0).min() >= 0
    assert rtp.next_due() - rtp.ticks[-1] < 0.1  # not the stall behind
    assert len(rtp.ticks) >= 500


class Server:
    """A user agent server with a script: one answer a number dialled."""

    def __init__(self) -> None:
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.udp.setblocking(False)
        self.requests: list[str] = []
        self.address: tuple[str, int] = self.udp.getsockname()

    def poll(self) -> None:
        try:
            data, source = self.udp.recvfrom(65536)
        except BlockingIOError:
            return
        text = data.decode()
        self.requests.append(text.split(maxsplit=1)[0])
        if text.startswith("INVITE"):
            self._answer(text, source, "503 Full" if "sip:full@" in text else "200 OK")
        elif text.startswith("BYE"):
            self._answer(text, source, "200 OK")

    def _answer(self, text: str, source: tuple[str, int], status: str) -> None:
        names = ("Via", "From", "To", "Call-ID", "CSeq")
        kept = [line for line in text.split("\r\n") if line.split(":")[0] in names]
        extra = ["Retry-After: 5"] if status.startswith("503") else ["Contact: <sip:there@here>"]
        body = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 0\r\n"
        lines = [f"SIP/2.0 {status}", *kept, *extra, f"Content-Length: {len(body)}", "", body]
        self.udp.sendto("\r\n".join(lines).encode(), source)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.udp.close()


def until(callers: Callers, server: Server, what: object) -> None:
    def asked() -> bool:
        server.poll()
        return bool(what())  # type: ignore[operator]

    assert callers.run(30, asked)


def test_call_is_answered_acknowledged_and_hung_up(speech: Speech, server: Server) -> None:
    callers = Callers(server.address, speech, at_once=1, known_calls=1)
    dialog = callers.dial("100")
    until(callers, server, lambda: dialog.final_at)
    assert (dialog.status, dialog.media) == (200, ("127.0.0.1", 4000))
    assert dialog.setup_seconds > 0
    until(callers, server, lambda: "ACK" in server.requests)
    callers.hang_up(dialog)
    until(callers, server, lambda: dialog.ended_at)
    callers.close()

    assert not dialog.by_peer
    assert "BYE" in server.requests


def test_refusal_is_acknowledged_and_its_retry_after_kept(speech: Speech, server: Server) -> None:
    callers = Callers(server.address, speech, at_once=1, known_calls=1)
    dialog = callers.dial("full")
    until(callers, server, lambda: dialog.ended_at and "ACK" in server.requests)
    callers.close()

    assert (dialog.status, dialog.retry_after) == (503, "5")


def test_two_servers_are_called_by_the_same_callers(speech: Speech, server: Server) -> None:
    other = Server()
    callers = Callers(server.address, speech, at_once=2, known_calls=2)
    here, there = callers.dial("100"), callers.dial("full", other.address)

    def both() -> bool:
        other.poll()
        return bool(here.final_at and there.final_at)

    until(callers, server, both)
    callers.close()
    other.udp.close()

    assert (here.status, there.status) == (200, 503)


def test_invite_is_sent_again_until_it_is_answered(speech: Speech, server: Server) -> None:
    callers = Callers(server.address, speech, at_once=1, known_calls=1)
    dialog = callers.dial("100")
    assert not callers.run(1.2, lambda: False)  # nobody answers
    assert dialog.resent >= 1
    until(callers, server, lambda: dialog.final_at)
    callers.close()

    assert dialog.status == 200


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    running = Provider()
    yield running
    running.close()


UPDATE = '{"type":"session.update","session":{"type":"realtime","audio":{}}}'


def events(socket_: object, wanted: str) -> Iterator[dict]:
    """Events of this type, as they come."""
    while True:
        event = msgspec.json.decode(socket_.recv(timeout=30))
        if event["type"] == wanted:
            yield event


def test_provider_echoes_what_comes_as_it_is_said(provider: Provider) -> None:
    """What waited for the session to open comes in a burst, and would stay as delay."""
    provider.obey(Orders(tracked=frozenset({7})))
    waited = base64.b64encode(b"\1" * 4800).decode()
    said = base64.b64encode(b"\2" * 4800).decode()
    append = '{{"type":"input_audio_buffer.append","audio":"{}"}}'.format
    sent, delta = [waited] * 3, None
    with connect(provider.url(7), compression=None) as socket_:
        socket_.send(UPDATE)
        next(events(socket_, "response.output_item.added"))
        for piece in sent:
            socket_.send(append(piece))
        while delta is None:  # 100 ms of PCM each 100 ms
            with suppress(TimeoutError):
                delta = json.loads(socket_.recv(timeout=0.1)).get("delta")
            if delta is None:
                sent.append(said)
                socket_.send(append(said))
    account = provider.read()

    assert delta == said
    assert [chunk for _, chunk in account.chunks[7]] == [piece.encode() for piece in sent]
    assert account.sessions == 1


def test_provider_is_as_slow_to_open_as_it_is_told(provider: Provider) -> None:
    provider.obey(Orders(mode="speaker", open_seconds=2.0, answer=bytes(FRAME_SAMPLES * 50)))
    with connect(provider.url(8), compression=None) as socket_:
        socket_.send(UPDATE)
        with pytest.raises(TimeoutError):
            socket_.recv(timeout=0.2)
        next(events(socket_, "session.updated"))
        socket_.send('{"type":"response.create"}')
        deltas = [next(events(socket_, "response.output_audio.delta")) for _ in range(5)]
    account = provider.read()

    assert sum(len(base64.b64decode(delta["delta"])) for delta in deltas) == FRAME_SAMPLES * 50
    assert len(account.first_deltas[8]) == 1


def test_provider_speaks_at_the_address_of_its_realtime_api(provider: Provider) -> None:
    provider.obey(Orders(speech=b"speech"))
    url = provider.front_url(9)
    request = urllib.request.Request(
        url.replace("ws:", "http:").replace("/realtime", "/audio/speech"), data=b'{"input":"Hi"}'
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        assert (reply.read(), reply.headers["Content-Type"]) == (b"speech", "audio/pcm")
    with connect(url, compression=None) as socket_:
        socket_.send(UPDATE)
        next(events(socket_, "session.updated"))
    assert provider.read().sessions == 1


def test_the_floor_declares_what_it_sends() -> None:
    """Else the provider takes it for what waited in a burst, and sends nothing back."""
    audio = json.loads(floor.SESSION_UPDATE)["session"]["audio"]
    chunk = base64.b64encode(bytes(floor.CHUNK_BYTES // 2)).decode()

    assert seconds_of(chunk, audio) == pytest.approx(floor.CHUNK_MS / 1000, rel=0.01)
