import stat

from cryptography import x509

from media_worker.sip.certificate import ensure_certificate


def test_made_once_and_for_our_eyes_only(tmp_path):
    folder = tmp_path / "keys"
    certificate, key = ensure_certificate(folder, "192.0.2.1")
    for path in (certificate, key):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = certificate.read_bytes(), key.read_bytes()
    assert ensure_certificate(folder, "192.0.2.1") == (certificate, key)
    assert (certificate.read_bytes(), key.read_bytes()) == before
    names = x509.load_pem_x509_certificate(before[0]).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert [str(name) for name in names.value.get_values_for_type(x509.IPAddress)] == ["192.0.2.1"]
