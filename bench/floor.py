"""The floor: what 200 calls cost with no product at all. `python -m bench.floor --provider URL`.

pjsua2 answers every call; its frame callbacks hand 100 ms of audio over; one WebSocket client a
call sends it to the provider and plays what comes back. That is all: no admission, no record, no
turns, no settings, no accounting, no errors handled. The product is measured against it in the
same run, with the same callers, the same provider and the same core.
"""

from __future__ import annotations

import argparse
import asyncio
import audioop
import gc
import os
import signal
import sys
import threading
from binascii import b2a_base64
from collections import deque
from typing import Any, Final

import msgspec
import pjsua2 as pj
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from websockets.asyncio.client import ClientConnection, connect

CHUNK_MS: Final = 100
CHUNK_BYTES: Final = CHUNK_MS * 16
SILENCE: Final = bytes(CHUNK_BYTES)
APPEND_HEAD: Final = b'{"type":"input_audio_buffer.append","audio":"'
APPEND_TAIL: Final = b'"}'
SESSION_UPDATE: Final = (
    b'{"type":"session.update","session":{"type":"realtime",'
    b'"audio":{"input":{"format":{"type":"audio/pcmu"}},"output":{"format":{"type":"audio/pcmu"}}}}}'
)


class Delta(msgspec.Struct):
    type: str
    delta: bytes = b""


decode: Final = msgspec.json.Decoder(Delta).decode


class Port(pj.AudioMediaPort):
    """100 ms of 16-bit PCM a callback, on the media thread."""

    def __init__(self, floor: Floor) -> None:
        super().__init__()
        self.client: Any = None
        self.out: deque[bytes] = deque()
        self._floor = floor

    def create(self, name: str) -> None:
        fmt = pj.MediaFormatAudio()
        fmt.type, fmt.clockRate, fmt.channelCount = pj.PJMEDIA_TYPE_AUDIO, 8000, 1
        fmt.bitsPerSample, fmt.frameTimeUsec = 16, CHUNK_MS * 1000
        self.createPort(name, fmt)

    def onFrameReceived(self, frame: Any) -> None:  # noqa: N802 - pjsua2's name
        if frame.size:
            data = bytearray(frame.size)
            frame.buf.copy_to_bytearray(data)
            self._floor.captured(self, data)

    def onFrameRequested(self, frame: Any) -> None:  # noqa: N802 - pjsua2's name
        frame.type = pj.PJMEDIA_FRAME_TYPE_AUDIO
        frame.buf.assign_from_bytes(self.out.popleft() if self.out else SILENCE)

    def play(self, mu_law: bytes) -> None:
        self.out.append(audioop.ulaw2lin(mu_law, 2))


class Call(pj.Call):
    def __init__(self, account: Account, call_id: int, number: str) -> None:
        super().__init__(account, call_id)
        self._account = account
        self._number = number
        self._port: Port | None = None

    def onCallMediaState(self, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        if self._port is None:
            self._port = Port(self._account.floor)
            self._port.create(self._number)
            audio = self.getAudioMedia(-1)
            self._account.floor.connected(self._port, self._number)
            audio.startTransmit(self._port)
            self._port.startTransmit(audio)

    def onCallState(self, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        if self.getInfo().state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self._account.calls.discard(self)
            if self._port is not None:
                self._account.floor.gone(self._port)


class Account(pj.Account):
    def __init__(self, floor: Floor) -> None:
        super().__init__()
        self.floor = floor
        self.calls: set[Call] = set()

    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        number = prm.rdata.wholeMsg.partition(" sip:")[2].partition("@")[0]
        call = Call(self, prm.callId, number)
        self.calls.add(call)
        answer = pj.CallOpParam(True)
        answer.statusCode = 200
        call.answer(answer)


class Floor:
    """The event loop's side: sockets to the provider, one wake-up for what a media tick brought."""

    def __init__(self, provider: str, client: str) -> None:
        self._provider = provider
        self._connect = self._by_picows if client == "picows" else self._by_websockets
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Port, bytearray]] = deque()
        self._woken = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.graveyard: list[Port] = []
        """Ports of calls that are over; freed at the end, as the bridge may still hold them."""

    # --- media and SIP threads -------------------------------------------------------------------

    def captured(self, port: Port, data: bytearray) -> None:
        self._waiting.append((port, data))
        if len(self._waiting) == 1:  # else the pump is awake, and empties the queue
            self._loop.call_soon_threadsafe(self._woken.set)

    def connected(self, port: Port, number: str) -> None:
        self._loop.call_soon_threadsafe(self._begin, port, number)

    def gone(self, port: Port) -> None:
        self.graveyard.append(port)
        self._loop.call_soon_threadsafe(self._end, port)

    # --- event loop ------------------------------------------------------------------------------

    async def pump(self) -> None:
        """Send what the media thread brought."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._waiting:
                port, data = self._waiting.popleft()
                if port.client is not None:
                    encoded = b2a_base64(audioop.lin2ulaw(data, 2), newline=False)
                    await port.client(b"".join((APPEND_HEAD, encoded, APPEND_TAIL)))

    def _begin(self, port: Port, number: str) -> None:
        task = asyncio.create_task(self._connect(port, f"{self._provider}?call={number}"))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _end(self, port: Port) -> None:
        port.client = None

    async def _by_websockets(self, port: Port, url: str) -> None:
        async with connect(url, compression=None, max_queue=256) as socket:
            await socket.send(SESSION_UPDATE, text=True)
            port.client = _sender(socket)
            while port.client is not None:
                event = decode(await socket.recv(decode=False))
                if event.delta:
                    port.play(event.delta)

    async def _by_picows(self, port: Port, url: str) -> None:
        transport, _ = await ws_connect(lambda: _Listener(port), url)
        transport.send(WSMsgType.TEXT, SESSION_UPDATE)

        async def send(data: bytes) -> None:
            transport.send(WSMsgType.TEXT, data)

        port.client = send
        await transport.wait_disconnected()


def _sender(socket: ClientConnection) -> Any:
    async def send(data: bytes) -> None:
        await socket.send(data, text=True)

    return send


class _Listener(WSListener):
    def __init__(self, port: Port) -> None:
        super().__init__()
        self._port = port

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            event = decode(frame.get_payload_as_memoryview())
            if event.delta:
                self._port.play(event.delta)
        if self._port.client is None:
            transport.disconnect()


class Sip(threading.Thread):
    """All calls into pjsua2, as PJSUA2.md asks."""

    def __init__(self, floor: Floor, sip_port: int, rtp_port: int) -> None:
        super().__init__(name="pjsip", daemon=True)
        self.started = threading.Event()
        self.stopping = threading.Event()
        self._floor = floor
        self._sip_port, self._rtp_port = sip_port, rtp_port

    def run(self) -> None:
        endpoint = pj.Endpoint()
        endpoint.libCreate()
        settings = pj.EpConfig()
        settings.uaConfig.maxCalls = 512
        settings.uaConfig.threadCnt, settings.uaConfig.mainThreadOnly = 0, True
        media = settings.medConfig
        media.clockRate = media.sndClockRate = 8000
        media.noVad, media.ecTailLen, media.sndAutoCloseTime = True, 0, -1
        settings.logConfig.level = settings.logConfig.consoleLevel = 1
        endpoint.libInit(settings)
        transport = pj.TransportConfig()
        transport.port, transport.boundAddress = self._sip_port, "127.0.0.1"
        endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
        endpoint.audDevManager().setNullDev()
        endpoint.libStart()
        account = self._account()
        self.started.set()
        while not self.stopping.is_set():
            endpoint.libHandleEvents(10)
        os._exit(0)  # ports and calls need no tidy end here
        del account

    def _account(self) -> Account:
        settings = pj.AccountConfig()
        settings.idUri = "sip:floor@127.0.0.1"
        rtp = settings.mediaConfig.transportConfig
        rtp.port, rtp.portRange, rtp.boundAddress = self._rtp_port, 2064, "127.0.0.1"
        account = Account(self._floor)
        account.create(settings, True)
        return account


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--provider", required=True)
    parser.add_argument("--sip-port", type=int, required=True)
    parser.add_argument("--rtp-port", type=int, required=True)
    parser.add_argument("--client", choices=("websockets", "picows"), default="websockets")
    options = parser.parse_args()
    floor = Floor(options.provider, options.client)
    sip = Sip(floor, options.sip_port, options.rtp_port)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, sip.stopping.set)
    pumping = asyncio.create_task(floor.pump())
    sip.start()
    await asyncio.to_thread(sip.started.wait)
    gc.collect()
    gc.freeze()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await pumping


if __name__ == "__main__":
    uvloop.run(main())
