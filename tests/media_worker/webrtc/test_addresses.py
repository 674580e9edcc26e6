"""Which addresses a browser is told of."""

from __future__ import annotations

from aioice import ice

from media_worker.webrtc import addresses

SDP = (
    "m=audio 41000 UDP/TLS/RTP/SAVPF 0\r\n"
    "a=candidate:1 1 udp 2130706431 10.0.0.7 41000 typ host\r\n"
    "a=candidate:2 1 udp 2130706431 fd00::2 41001 typ host\r\n"
    "a=candidate:3 1 udp 1694498815 203.0.113.9 41000 typ srflx raddr 10.0.0.7 rport 41000\r\n"
    "a=end-of-candidates\r\n"
)


def test_behind_a_nat_the_outer_address_stands_for_ours():
    told = addresses.told(SDP, "198.51.100.4")
    assert "a=candidate:1 1 udp 2130706431 198.51.100.4 41000 typ host\r\n" in told
    assert "10.0.0.7 41000 typ host" not in told
    assert "fd00::2" not in told
    assert "203.0.113.9 41000 typ srflx" in told
    assert told.endswith("a=end-of-candidates\r\n")


def test_without_one_nothing_is_changed():
    assert addresses.told(SDP, "") == SDP
    assert addresses.told(SDP, "127.0.0.1") == SDP


def test_our_own_address_is_the_only_one_listened_on():
    addresses.listen_on("127.0.0.1")
    assert ice.get_host_addresses(use_ipv4=True, use_ipv6=True) == ["127.0.0.1"]


def test_a_machine_with_nothing_but_a_loopback_uses_it(monkeypatch):
    monkeypatch.setattr(addresses, "_gather", lambda use_ipv4, use_ipv6: [])
    addresses.listen_on("198.51.100.4")
    assert ice.get_host_addresses(use_ipv4=True, use_ipv6=True) == ["127.0.0.1"]
