"""Answers with one codec, from what pjsip would have answered."""

import pytest

from media_worker.sip.sdp import narrowed

HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
OURS = (
    f"{HEAD}m=audio 4000 RTP/SAVP 0 8 101\r\na=rtcp:4001 IN IP4 192.0.2.1\r\na=sendrecv\r\n"
    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=fmtp:8 x=1\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=crypto:1 AES inline:8\r\n"
)


def offer(formats: str, *lines: str) -> str:
    return HEAD + f"m=audio 9 RTP/AVP {formats}\r\n" + "".join(f"{line}\r\n" for line in lines)


def test_the_codec_wanted_and_dtmf_are_left():
    assert narrowed(OURS, offer("8 0"), "PCMU") == (
        f"{HEAD}m=audio 4000 RTP/SAVP 0 101\r\na=rtcp:4001 IN IP4 192.0.2.1\r\na=sendrecv\r\n"
        "a=rtpmap:0 PCMU/8000\r\n"
        "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=crypto:1 AES inline:8\r\n"
    )


def test_names_count_not_numbers_or_capitals():
    answer = narrowed(
        OURS, offer("96 97", "a=rtpmap:96 pcma/8000", "a=rtpmap:97 PCMU/8000"), "pcma"
    )
    assert "m=audio 4000 RTP/SAVP 8 101\r\n" in answer


@pytest.mark.parametrize(
    ("answer", "asked", "codec"),
    [
        (OURS, offer("8"), "PCMU"),  # not offered
        (OURS, offer("0 8"), "opus"),
        (OURS, offer("96", "a=rtpmap:96 opus/48000/2"), "opus"),  # not ours
        (offer("0 101", "a=rtpmap:101 telephone-event/8000"), offer("0"), "PCMU"),  # nothing else
        (OURS, HEAD, "PCMU"),  # no audio
        (HEAD, offer("0"), "PCMU"),
        ("", "", "PCMU"),
        (OURS, "rubbish\r\nm=audio\r\nm=audio x y z\r\n", "PCMU"),
    ],
)
def test_otherwise_the_answer_stays_as_it_is(answer, asked, codec):
    assert narrowed(answer, asked, codec) == answer
