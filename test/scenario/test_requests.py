# SPDX-License-Identifier: Apache-2.0
"""What a certificate request may say: deny by default."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives import serialization

import der
import scepmsg

CA_TRUE = scepmsg.extension(scepmsg.BASIC, der.seq(der.boolean(True)), critical=True)
CERT_SIGN = scepmsg.extension(scepmsg.KEY_USAGE, der.tlv(3, b"\x02\x04"), critical=True)
ANY_EKU = scepmsg.extension(scepmsg.EKU, der.seq(der.oid("2.5.29.37.0")))
OCSP_EKU = scepmsg.extension(scepmsg.EKU, der.seq(der.oid("1.3.6.1.5.5.7.3.9")))
EMPTY_EKU = scepmsg.extension(scepmsg.EKU, der.seq())


def with_extensions(server, device, *extensions):
    san = scepmsg.extension(scepmsg.SAN, scepmsg.san(f"DNS:{device.username}"))
    return scepmsg.csr(device.key, scepmsg.name(device.subject),
                       [scepmsg.challenge(device.password), scepmsg.extension_request(san, *extensions)])


def check_refused(server, device, data):
    """A CertRep FAILURE or, where it could not be parsed, HTTP 400; one event; no certificate."""
    before = len(server.events(kind="refused"))
    reply = server.exchange(server.message(device, data))
    assert reply.status == 2 and reply.fail_info in (0, 1, 2), reply
    assert server.certificates(device=device.name) == []
    events = server.events(kind="refused")
    assert len(events) == before + 1 and events[-1]["text"], events[-1]
    return reply


@pytest.mark.parametrize("name, extensions", [
    ("ca-true", [CA_TRUE]), ("cert-sign", [CERT_SIGN]), ("any-eku", [ANY_EKU]), ("ocsp-eku", [OCSP_EKU]),
    ("empty-eku", [EMPTY_EKU]), ("doubled", [scepmsg.extension(scepmsg.KEY_USAGE, der.tlv(3, b"\x05\xa0"))] * 2),
])
def test_a_request_for_more_than_the_template_gives_is_refused(server, name, extensions):
    device = server.add_device("wants-" + name)
    check_refused(server, device, with_extensions(server, device, *extensions))
    assert server.enrol(device).status == 0, "the password must not have been burned"


def test_a_request_whose_signature_does_not_hold_is_bad_message_check(server, device):
    reply = check_refused(server, device, server.request_for(device, spoil=True))
    assert reply.fail_info == 1


def test_a_request_for_somebody_elses_key_is_refused(server, device):
    other = scepmsg.new_key()
    check_refused(server, device, server.request_for(device, public=scepmsg.spki(other)))


def test_two_challenge_passwords_are_refused(server, device):
    check_refused(server, device, server.request_for(device, attributes=[scepmsg.challenge("second")]))


def test_a_challenge_with_two_values_is_refused(server, device):
    both = scepmsg.attribute(scepmsg.CHALLENGE, der.printable(device.password), der.printable("b"))
    check_refused(server, device, server.request_for(device, password=None, attributes=[both]))


def test_two_extension_requests_are_refused(server, device):
    again = scepmsg.extension_request(scepmsg.extension(scepmsg.SAN, scepmsg.san("DNS:more.example")))
    check_refused(server, device, server.request_for(device, attributes=[again]))


@pytest.mark.parametrize("name, subject", [
    ("nul", lambda d: cn(d, der.utf8(d.name.encode() + b"\0.evil"))),
    ("nul-only", lambda d: cn(d, der.utf8(b"\0"))),
    ("control", lambda d: cn(d, der.utf8(d.name.encode() + b"\n"))),
    ("not-a-string", lambda d: cn(d, der.octets(d.name.encode()))),
    ("look-alike", lambda d: cn(d, der.utf8(d.name.replace("o", "\u043e")))),
    ("bmp-other", lambda d: cn(d, der.bmp("other"))),
    ("two", lambda d: scepmsg.name(f"CN=other,{d.subject}")),
])
def test_odd_names_are_refused(server, name, subject):
    device = server.add_device("odd-name-" + name)
    check_refused(server, device, server.request_for(device, subject=subject(device)))


def cn(device, value):
    """The device's subject, with this value in the place of its common name."""
    rdns = [rdn.raw for rdn in der.read(scepmsg.name(device.subject))]
    common_name = der.set_of(der.seq(der.oid("2.5.4.3"), value))
    return der.seq(*[common_name if b"\x06\x03\x55\x04\x03" in rdn else rdn for rdn in rdns])


@pytest.mark.parametrize("name, san", [
    ("nul", lambda d: [f"DNS:{d.username}\0.evil"]),
    ("empty", lambda d: [f"DNS:{d.username}", "DNS:"]),
    ("directory", lambda d: [f"DNS:{d.username}", der.context(4, scepmsg.name("CN=other"))]),
    ("other-name", lambda d: [f"DNS:{d.username}", der.context(0, der.oid("1.3.6.1.4.1.311.20.2.3"),
                                                              der.context(0, der.utf8("admin@example")))]),
    ("short-address", lambda d: [f"DNS:{d.username}", "IP:c00002"]),
    ("wildcard", lambda d: [f"DNS:{d.username}", "DNS:*.example"]),
])
def test_odd_alternative_names_are_refused(server, name, san):
    device = server.add_device("odd-san-" + name)
    check_refused(server, device, server.request_for(device, san=san(device)))


def test_an_rsa_key_under_2048_bits_is_refused(server):
    device = server.add_device("weak", key=scepmsg.new_key(1024))
    check_refused(server, device, server.request_for(device))


def test_an_rsa_exponent_of_three_is_refused(server):
    device = server.add_device("exponent-three", key=scepmsg.new_key(2048, 3))
    check_refused(server, device, server.request_for(device))


@pytest.mark.parametrize("name, change", [
    ("one", lambda n: (n.n, 1)), ("even-exponent", lambda n: (n.n, 65536)), ("even-modulus", lambda n: (n.n - 1, 65537)),
    ("negative", lambda n: (-n.n, 65537)), ("huge-exponent", lambda n: (n.n, (1 << 300) + 1)),
    ("huge-modulus", lambda n: ((1 << 20000) + 1, 65537)),
])
def test_odd_rsa_keys_are_refused(server, name, change):
    device = server.add_device("odd-key-" + name)
    numbers = device.key.public_key().public_numbers()
    check_refused(server, device, server.request_for(device, public=scepmsg.rsa_spki(*change(numbers))))


def test_explicit_curve_parameters_are_refused(server, device):
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    field = der.seq(der.oid("1.2.840.10045.1.1"), der.integer(prime))
    curve = der.seq(der.octets((prime - 3).to_bytes(32, "big")), der.octets(bytes.fromhex(
        "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b")))
    base = bytes.fromhex("046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                         "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    explicit = der.seq(der.integer(1), field, curve, der.octets(base), der.integer(order))
    public = der.seq(der.seq(der.oid("1.2.840.10045.2.1"), explicit), der.bits(point))
    check_refused(server, device, server.request_for(device, public=public))


def test_a_request_signed_with_sha1_or_md5_is_refused(server):
    for digest in ["sha1", "md5"]:
        device = server.add_device(f"request-{digest}")
        check_refused(server, device, server.request_for(device, digest=digest))


@pytest.mark.parametrize("name, data", [
    ("nothing", b""), ("null", b"\x05\x00"), ("text", b"hello, I should like a certificate"),
    ("certificate", None), ("long", b"\x30\x82\xff\xff" + b"\0" * 40000),
], ids=lambda value: value if isinstance(value, str) else "")
def test_message_data_that_is_no_request_is_refused(server, name, data):
    device = server.add_device("data-" + name)
    if data is None:
        data = scepmsg.cert_der(scepmsg.self_signed(device.key, device.name))
    check_refused(server, device, data)


def test_bytes_after_the_request_are_refused(server, device):
    check_refused(server, device, server.request_for(device) + b"\0")


def test_every_truncated_request_is_refused(server, device):
    data = server.request_for(device)
    for cut in [1, 4, 50, len(data) // 2, len(data) - 1]:
        reply = server.exchange(server.message(device, data[:cut]))
        assert reply.status == 2, f"cut at {cut}"
    assert server.enrol(device).status == 0
