# SPDX-License-Identifier: Apache-2.0
"""The main job: a registered device gets a certificate that any X.509 software accepts."""

import datetime

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

import scepmsg
from server import is_ca, openssl, pem, serial_text


def extension(cert, kind):
    return cert.extensions.get_extension_for_class(kind)


def test_a_registered_device_gets_a_certificate_that_openssl_verifies(server, device, tmp_path):
    reply = server.enrol(device)
    assert reply.status == 0, reply.text
    cert = reply.certs[0]
    assert cert.public_key().public_numbers() == device.key.public_key().public_numbers()
    server.verify(cert, tmp_path)
    assert openssl("x509", "-in", tmp_path / "leaf.pem", "-noout", "-text").stderr == b""


def test_the_certificate_says_what_the_template_says(server, device):
    cert = server.enrol(device).certs[0]
    assert f"CN={device.name}" in cert.subject.rfc4514_string()
    usage = extension(cert, x509.KeyUsage)
    assert usage.critical and usage.value.digital_signature and usage.value.key_encipherment
    assert not (usage.value.key_cert_sign or usage.value.crl_sign)
    assert ExtendedKeyUsageOID.CLIENT_AUTH in extension(cert, x509.ExtendedKeyUsage).value
    assert not is_ca(cert)
    issuer = next(c for c in server.ca_certs() if c.subject == cert.issuer)
    assert extension(cert, x509.AuthorityKeyIdentifier).value.key_identifier == \
        extension(issuer, x509.SubjectKeyIdentifier).value.digest
    assert extension(cert, x509.SubjectKeyIdentifier).value.digest


def test_the_validity_begins_a_little_in_the_past_and_ends_before_the_issuers(server, device):
    cert = server.enrol(device).certs[0]
    issuer = next(c for c in server.ca_certs() if c.subject == cert.issuer)
    now = datetime.datetime.utcnow()
    assert now - datetime.timedelta(days=1) <= cert.not_valid_before <= now
    assert now < cert.not_valid_after <= issuer.not_valid_after


def test_serial_numbers_are_positive_random_and_twenty_octets_at_most(server):
    serials = {server.enrol(server.add_device(f"serial-{i}")).certs[0].serial_number for i in range(8)}
    assert len(serials) == 8
    assert all(0 < s < 1 << 159 and s.bit_length() >= 150 for s in serials)


def test_openssl_cms_reads_the_reply(server, device, tmp_path):
    message = server.message(device)
    body = server.post(message.der()).body
    for name, data in [("reply", body), ("key.pem", device.key.private_bytes(
            scepmsg.serialization.Encoding.PEM, scepmsg.serialization.PrivateFormat.PKCS8,
            scepmsg.serialization.NoEncryption())), ("cert.pem", pem(device.cert)),
            ("ca.pem", b"".join(map(pem, server.ca_certs())))]:
        (tmp_path / name).write_bytes(data)
    openssl("cms", "-verify", "-binary", "-inform", "DER", "-in", tmp_path / "reply", "-CAfile", tmp_path / "ca.pem",
            "-purpose", "any", "-out", tmp_path / "envelope")
    openssl("cms", "-decrypt", "-binary", "-inform", "DER", "-in", tmp_path / "envelope",
            "-recip", tmp_path / "cert.pem", "-inkey", tmp_path / "key.pem", "-out", tmp_path / "bundle")
    out = openssl("pkcs7", "-inform", "DER", "-in", tmp_path / "bundle", "-print_certs", "-noout").stdout.decode()
    assert device.name in out
    printed = openssl("cms", "-cmsout", "-print", "-inform", "DER", "-in", tmp_path / "reply").stdout
    assert b"2.16.840.1.113733.1.9.7" in printed or b"id-" in printed


@pytest.mark.parametrize("cipher", ["aes128", "aes192", "aes256"])
@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_the_reply_uses_the_algorithms_of_the_request(server, cipher, digest):
    device = server.add_device(f"mirror-{cipher}-{digest}")
    reply = server.enrol(device, cipher=cipher, digest=digest)
    assert (reply.status, reply.cipher, reply.digest) == (0, cipher, digest), reply.text


def test_oaep_is_answered_with_oaep(server, device):
    reply = server.enrol(device, oaep=True)
    assert (reply.status, reply.oaep) == (0, True), reply.text


@pytest.mark.parametrize("cipher, digest", [("des3", "sha256"), ("aes128", "sha1"), ("aes128", "md5")])
def test_old_algorithms_are_bad_alg_unless_the_path_allows_them(server, cipher, digest):
    device = server.add_device(f"old-{cipher}-{digest}")
    reply = server.enrol(device, cipher=cipher, digest=digest)
    assert (reply.status, reply.fail_info) == (2, 0), reply.text
    assert server.certificates(device=device.name) == []


def test_triple_des_and_sha1_are_taken_where_the_path_allows_them(new_server):
    server = new_server("--depth", "1")
    server.set_in("path device", "allow_des3", "true")
    server.set_in("path device", "allow_sha1", "true")
    server.start()
    assert b"DES3" in server.get("operation=GetCACaps").body
    reply = server.enrol(server.add_device("old"), cipher="des3", digest="sha1")
    assert (reply.status, reply.cipher) == (0, "des3"), reply.text


def test_a_repeated_request_gets_the_same_certificate_and_no_second_one(server, device):
    message = server.message(device)
    first, second = server.exchange(message), server.exchange(message)
    assert first.certs[0] == second.certs[0]
    assert len(server.certificates(device=device.name)) == 1


def test_the_same_transaction_with_another_key_is_not_a_repeat(server, device):
    first = server.message(device)
    assert server.exchange(first).status == 0
    device.key, device.cert = scepmsg.new_key(), None
    reply = server.enrol(device, transaction=first.transaction)
    assert (reply.status, reply.fail_info) == (2, 2)
    assert len(server.certificates(device=device.name)) == 1


def test_the_repeat_is_answered_after_a_restart_too(new_server):
    server = new_server().start()
    device = server.add_device("again")
    message = server.message(device)
    first = server.exchange(message).certs[0]
    assert server.stop() == 0
    server.start()
    assert server.exchange(message).certs[0] == first


def test_the_ledger_knows_the_certificate(server, device):
    cert = server.enrol(device).certs[0]
    row, = server.certificates(device=device.name)
    assert row["serial"] == serial_text(cert) and row["state"] == "valid"
    shown = server.muster("certificate", "show", row["serial"], "--pem").stdout
    assert x509.load_pem_x509_certificate(shown.encode()) == cert
    event = [e for e in server.events(device=device.name) if e.get("serial") == row["serial"]]
    assert len(event) == 1 and event[0]["kind"] == "enrolled"


def test_request_names_may_be_absent(server):
    device = server.add_device("nameless")
    data = server.request_for(device, subject=b"\x30\x00", san=[], password=f"{device.username}:{device.password}")
    reply = server.exchange(server.message(device, data))
    assert reply.status == 0, reply.text
    assert f"CN={device.name}" in reply.certs[0].subject.rfc4514_string()


def test_the_message_may_come_by_get_as_clients_write_it(server):
    for i, quote in enumerate([True, False]):
        device = server.add_device(f"by-get-{i}")
        message = server.message(device)
        answer = server.get_message(message.der(), quote=quote)
        assert answer.status == 200, answer
        reply = scepmsg.read_reply(answer.body, device.key, device.cert, server.ca_certs())
        assert reply.status == 0, reply.text


@pytest.mark.parametrize("kind", [None, "application/octet-stream", "text/plain"])
def test_a_post_needs_no_right_content_type(server, kind):
    device = server.add_device(f"kind-{str(kind).replace('/', '-').lower()}")
    answer = server.post(server.message(device).der(), kind=kind)
    assert scepmsg.read_reply(answer.body, device.key, device.cert, server.ca_certs()).status == 0


def test_a_post_without_operation_is_a_pki_operation(server, device):
    answer = server.post(server.message(device).der(), query="")
    assert scepmsg.read_reply(answer.body, device.key, device.cert, server.ca_certs()).status == 0


def test_the_username_may_stand_in_the_challenge(server, device):
    data = server.request_for(device, san=[], password=f"{device.username}:{device.password}")
    assert server.exchange(server.message(device, data)).status == 0


def test_the_password_may_be_any_string_type(server):
    for name, kind in [("utf8", scepmsg.der.utf8), ("ia5", scepmsg.der.ia5), ("bmp", scepmsg.der.bmp)]:
        device = server.add_device(f"string-{name}")
        data = server.request_for(device, password=kind(device.password))
        reply = server.exchange(server.message(device, data))
        assert reply.status == 0, f"{name}: {reply.text}"


def test_signed_attributes_may_come_in_any_order_with_unknown_ones(server, device):
    unknown = scepmsg.attribute("1.2.840.113549.1.9.52", scepmsg.der.seq(scepmsg.der.integer(1)))
    reply = server.enrol(device, sort=False, extra=[unknown])
    assert reply.status == 0, reply.text


def test_separate_ra_certificates_serve_decryption_and_signature(new_server):
    server = new_server("--ra", "separate").start()
    reply = server.enrol(server.add_device("two"))
    assert reply.status == 0, reply.text
    assert reply.signer != server.ra_cert()
