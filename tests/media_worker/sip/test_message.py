from hypothesis import given
from hypothesis import strategies as st

from media_worker.sip.message import (
    MOST_HEADERS,
    parse_address,
    parse_request,
    transport_of,
    user_of,
)

INVITE = (
    "INVITE sip:100@pbx SIP/2.0\r\n"
    "v: SIP/2.0/TLS 192.0.2.1:5061;branch=z9hG4bK1, SIP/2.0/UDP 192.0.2.2\r\n"
    "f: Ann <sip:ann@example.org>;tag=1\r\n"
    "I: abc\r\n"
    "X-Long: a\r\n\tb\r\n"
    "x-long: c\r\n"
    "Proxy-Authorization: Digest response=secret\r\n"
    "\r\n"
    "v=0\r\nX-Body: no\r\n"
)


def test_compact_folded_and_repeated_headers():
    request = parse_request(INVITE)
    assert (request.method, request.uri) == ("INVITE", "sip:100@pbx")
    assert request.header("from") == "Ann <sip:ann@example.org>;tag=1"
    assert request.header("Call-ID") == "abc"
    assert request.headers["X-Long"] == "a b, c"
    assert transport_of(request) == "TLS"
    assert "X-Body" not in request.headers
    assert "secret" not in str(request)


def test_users():
    assert user_of("sip:100@pbx:5060;transport=tcp") == "100"
    assert user_of("sips:%2B49@pbx") == "+49"
    assert user_of("sip:100;phone-context=x@pbx") == "100"
    assert user_of("sip:100:secret@pbx") == "100"
    assert user_of("tel:+49-30-123;ext=5") == "+49-30-123"
    assert user_of("sip:pbx") == user_of("") == user_of("http://a@b") == ""


def test_addresses():
    assert parse_address('"A \\"B\\" C" <sip:1@x>;tag=2').name == 'A "B" C'
    assert parse_address("Ann Lee <sip:1@x>").name == "Ann Lee"
    bare = parse_address("sip:1@x;tag=2")
    assert (bare.name, bare.user, bare.uri) == ("", "1", "sip:1@x")


def test_headers_are_bounded():
    text = "INVITE sip:1@x SIP/2.0\r\n" + "".join(f"X-{n}: {'y' * 5000}\r\n" for n in range(500))
    request = parse_request(text)
    assert len(request.headers) == MOST_HEADERS
    assert max(map(len, request.headers.values())) == 1024


def test_many_headers_do_not_push_out_what_a_record_needs():
    first, rest = INVITE.split("\r\n", 1)
    many = "".join(f"X-{n}: {n}\r\n" for n in range(2 * MOST_HEADERS))
    request = parse_request(f"{first}\r\n{many}{rest}")
    assert request.header("From") == "Ann <sip:ann@example.org>;tag=1"
    assert request.header("Call-ID") == "abc"
    assert transport_of(request) == "TLS"


@given(st.text())
def test_any_text_gives_an_answer(text):
    for request in (parse_request(text), parse_request(INVITE.replace("Ann", text))):
        transport_of(request)
        parse_address(request.header("From"))
        user_of(request.uri)
    assert "\n" not in parse_address(text).user
    assert len(user_of(f"sip:{text}@x")) <= 128
