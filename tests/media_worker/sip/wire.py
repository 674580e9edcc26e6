"""SIP by hand over UDP: what really stands on the wire."""

import asyncio
import re
import uuid

SDP = """v=0\r
o=- 1 1 IN IP4 127.0.0.1\r
s=-\r
c=IN IP4 127.0.0.1\r
t=0 0\r
m=audio {port} RTP/AVP {formats}\r
{lines}"""
PCMU = SDP.format(port=40000, formats="0", lines="a=rtpmap:0 PCMU/8000\r\n")
OPUS_ONLY = SDP.format(port=40000, formats="96", lines="a=rtpmap:96 opus/48000/2\r\n")


class Message:
    """A SIP message as it came."""

    def __init__(self, text: str) -> None:
        self.text = text
        head, _, self.body = text.partition("\r\n\r\n")
        self.start, *lines = head.split("\r\n")
        self.headers = [tuple(line.split(": ", 1)) for line in lines]

    @property
    def status(self) -> int:
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        return self["CSeq"].split()[1] if self.status else self.start.split()[0]

    def __getitem__(self, name: str) -> str:
        return next((v for n, v in self.headers if n.lower() == name.lower()), "")

    def __repr__(self) -> str:
        return self.start


class Wire(asyncio.DatagramProtocol):
    """A UDP socket that speaks to one SIP server; open it with `async with Wire(port)`."""

    def __init__(self, port: int) -> None:
        self.server = ("127.0.0.1", port)
        self.messages: asyncio.Queue[Message] = asyncio.Queue()

    async def __aenter__(self) -> "Wire":
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(
            lambda: self, remote_addr=self.server
        )
        self.port = self.transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(self, *_) -> None:
        self.transport.close()

    def datagram_received(self, data: bytes, addr) -> None:
        if data.strip(b"\0\r\n"):
            self.messages.put_nowait(Message(data.decode()))

    def send(self, data: str | bytes) -> None:
        self.transport.sendto(data.encode() if isinstance(data, str) else data)

    async def next(self, seconds: float = 30.0) -> Message:
        async with asyncio.timeout(seconds):
            return await self.messages.get()

    async def until(self, wanted, seconds: float = 30.0) -> Message:
        """The next message with that status (a number) or method (a word)."""
        async with asyncio.timeout(seconds):
            while True:
                message = await self.messages.get()
                if wanted in (message.status, message.status == 0 and message.method):
                    return message

    def dialogue(self, user: str = "100") -> "Dialogue":
        return Dialogue(self, user)


class Dialogue:
    """Requests that belong together."""

    def __init__(self, wire: Wire, user: str) -> None:
        self.wire = wire
        self.uri = f"sip:{user}@127.0.0.1:{wire.server[1]}"
        self.call_id = uuid.uuid4().hex
        self.tag = uuid.uuid4().hex[:8]
        self.branch = f"z9hG4bK{uuid.uuid4().hex}"
        self.to = f"<{self.uri}>"
        self.cseq = 1

    def request(self, method: str, body: str = "", *, extra: str = "", cseq: int = 0) -> str:
        typed = not body or "Content-Type" in extra
        content = "" if typed else "Content-Type: application/sdp\r\n"
        return (
            f"{method} {self.uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.wire.port};branch={self.branch};rport\r\n"
            f"Max-Forwards: 70\r\n"
            f'From: "Ann \\"A\\" Caller" <sip:+4989555@example.org>;tag={self.tag}\r\n'
            f"To: {self.to}\r\n"
            f"Call-ID: {self.call_id}\r\n"
            f"CSeq: {cseq or self.cseq} {method}\r\n"
            f"Contact: <sip:ann@127.0.0.1:{self.wire.port}>\r\n"
            f"{extra}{content}Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def send(self, method: str, body: str = "", *, extra: str = "", cseq: int = 0) -> None:
        if method not in ("ACK", "CANCEL"):
            self.branch = f"z9hG4bK{uuid.uuid4().hex}"
        self.wire.send(self.request(method, body, extra=extra, cseq=cseq))

    def invite(self, body: str = PCMU, extra: str = "") -> None:
        self.send("INVITE", body, extra=extra)

    def confirm(self, ok: Message, body: str = "") -> None:
        """ACK of a 200: a transaction of its own, to the Contact, in the dialogue."""
        self.to = ok["To"]
        self.uri = re.search(r"<([^>]+)>", ok["Contact"])[1]
        self.branch = f"z9hG4bK{uuid.uuid4().hex}"
        self.send("ACK", body, cseq=1)

    def refused(self, response: Message) -> None:
        """ACK of a failure: the INVITE's own transaction."""
        self.to = response["To"]
        self.send("ACK", cseq=1)

    def bye(self) -> None:
        self.cseq += 1
        self.send("BYE")
