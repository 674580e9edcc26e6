import warnings

import numpy as np
import pytest

from media_worker.audio import g711

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop  # the reference: CPython's copy of Sun's g711.c; gone from Python 3.13

ALL_PCM = np.arange(65536, dtype=np.uint16).astype("<u2").tobytes()
ALL_OCTETS = bytes(range(256))


def test_every_sample_encodes_as_the_reference_does():
    assert g711.encode_mu_law(ALL_PCM) == audioop.lin2ulaw(ALL_PCM, 2)
    assert g711.encode_a_law(ALL_PCM) == audioop.lin2alaw(ALL_PCM, 2)


def test_every_octet_decodes_as_the_reference_does():
    assert g711.decode_mu_law(ALL_OCTETS) == audioop.ulaw2lin(ALL_OCTETS, 2)
    assert g711.decode_a_law(ALL_OCTETS) == audioop.alaw2lin(ALL_OCTETS, 2)


@pytest.mark.parametrize(
    ("octet", "sample"),
    [(0x80, 32124), (0x00, -32124), (0xFF, 0), (0xEF, 132), (0x6F, -132)],
)
def test_mu_law_values_of_the_recommendation(octet, sample):
    # G.711 table 2 in 14 bits (8031, 33 ...), here in 16
    assert np.frombuffer(g711.decode_mu_law(bytes([octet])), "<i2")[0] == sample
    assert g711.encode_mu_law(np.array([sample], "<i2").tobytes()) == bytes([octet])


@pytest.mark.parametrize(("octet", "sample"), [(0xAA, 32256), (0x2A, -32256), (0xD5, 8)])
def test_a_law_values_of_the_recommendation(octet, sample):
    # G.711 table 1 in 13 bits (4032, 1 ...), here in 16
    assert np.frombuffer(g711.decode_a_law(bytes([octet])), "<i2")[0] == sample
    assert g711.encode_a_law(np.array([sample], "<i2").tobytes()) == bytes([octet])
