# SPDX-License-Identifier: Apache-2.0
"""The pkiMessage: what is not exactly a request we know is refused, and nothing is issued."""

import os
import pathlib
import tarfile

import pytest

import der
import scepmsg


def refused(answer, server, message):
    """A signed CertRep FAILURE, or HTTP 4xx where the message could not be parsed."""
    if answer.status != 200:
        assert 400 <= answer.status < 500, answer
        return None
    reply = scepmsg.read_reply(answer.body, message.key, message.cert, server.ca_certs())
    assert reply.status == 2, reply
    return reply


def send(server, message):
    return refused(server.post(message.der()), server, message)


def test_every_message_type_that_is_not_served_is_refused(server, device):
    base = server.message(device)
    for number in range(256):
        if number in (17, 19, 20, 21):
            continue
        message = server.message(device, base.data, message_type=number)
        reply = send(server, message)
        assert reply is None or reply.fail_info == 2, f"messageType {number}: {reply}"
    assert server.certificates(device=device.name) == []
    assert server.enrol(device).status == 0


def test_a_renewal_request_by_a_self_signed_signer_is_refused(server, device):
    assert send(server, server.message(device, message_type=17)) is not None
    assert server.certificates(device=device.name) == []


@pytest.mark.parametrize("name, value", [
    ("missing", None),
    ("two-values", [19, 19]),
    ("two-kinds", [17, 19]),
    ("integer", der.integer(19)),
    ("octets", der.octets(b"19")),
    ("utf8", der.utf8("19")),
    ("null", der.null()),
    ("sequence", der.seq(der.printable("19"))),
    ("empty", der.printable("")),
    ("space-before", der.printable(" 19")),
    ("space-after", der.printable("19 ")),
    ("leading-zero", der.printable("019")),
    ("plus", der.printable("+19")),
    ("minus", der.printable("-19")),
    ("hex", der.printable("0x13")),
    ("point", der.printable("19.0")),
    ("nul", der.printable("19\0")),
    ("huge", der.printable("1" * 5000)),
    ("wraps", der.printable(str((1 << 32) + 19))),
    ("wraps-64", der.printable(str((1 << 64) + 19))),
])
def test_a_message_type_in_any_other_form_is_refused(server, name, value):
    device = server.add_device("type-" + name)
    send(server, server.message(device, message_type=value))
    assert server.certificates(device=device.name) == []
    assert server.enrol(device).status == 0


def test_a_doubled_message_type_attribute_is_refused(server, device):
    again = scepmsg.attribute(scepmsg.MESSAGE_TYPE, der.printable("19"))
    send(server, server.message(device, extra=[again]))
    assert server.certificates(device=device.name) == []


@pytest.mark.parametrize("name, fields", [
    ("empty", {"transaction": der.printable("")}),
    ("missing", {"transaction": False}),
    ("octets", {"transaction": der.octets(b"abc")}),
    ("null", {"transaction": der.null()}),
    ("time", {"transaction": der.tlv(0x17, b"261123180000Z")}),
    ("over-limit", {"transaction": der.printable("a" * 1025)}),
    ("huge", {"transaction": der.printable("a" * 50000)}),
    ("doubled", {"extra": [scepmsg.attribute(scepmsg.TRANSACTION, der.printable("other"))]}),
    ("nonce-missing", {"nonce": False}),
    ("nonce-empty", {"nonce": b""}),
    ("nonce-huge", {"nonce": bytes(5000)}),
    ("nonce-printable", {"nonce": (der.printable("0123456789abcdef"),)}),
    ("nonce-doubled", {"extra": [scepmsg.attribute(scepmsg.SENDER_NONCE, der.octets(bytes(16)))]}),
    ("no-content-type", {"drop": (scepmsg.CONTENT_TYPE,)}),
    ("no-digest", {"drop": (scepmsg.MESSAGE_DIGEST,)}),
    ("digest-null", {"drop": (scepmsg.MESSAGE_DIGEST,),
                     "extra": [scepmsg.attribute(scepmsg.MESSAGE_DIGEST, der.null())]}),
    ("digest-short", {"drop": (scepmsg.MESSAGE_DIGEST,),
                      "extra": [scepmsg.attribute(scepmsg.MESSAGE_DIGEST, der.octets(bytes(16)))]}),
    ("value-none", {"extra": [scepmsg.attribute(scepmsg.PKI_STATUS)]}),
])
def test_attributes_of_wrong_size_type_or_number_are_refused(server, name, fields):
    device = server.add_device("attribute-" + name)
    send(server, server.message(device, **fields))
    assert server.certificates(device=device.name) == []


@pytest.mark.parametrize("length", [1, 8, 15, 17, 32, 64])
def test_a_nonce_of_another_length_than_16_is_bad_request(server, length):
    device = server.add_device(f"nonce-{length}")
    reply = server.enrol(device, nonce=os.urandom(length))
    assert (reply.status, reply.fail_info) == (2, 2) and "senderNonce" in reply.text
    assert server.certificates(device=device.name) == []


@pytest.mark.parametrize("transaction", ["0", "a/../b", "A+B/C==", "x" * 1024, "SSCEP transactionId"])
def test_a_transaction_id_is_opaque(server, transaction):
    device = server.add_device(f"opaque-{len(transaction)}-{ord(transaction[0])}")
    assert server.enrol(device, transaction=transaction).status == 0


def test_two_recipients_are_refused(server, device):
    ra = server.ra_cert()
    stranger = scepmsg.self_signed(scepmsg.new_key(), "stranger")
    for recipients in [[ra, ra], [ra, stranger], [stranger, ra], []]:
        send(server, server.message(device, recipients=recipients))
    assert server.certificates(device=device.name) == []
    assert server.enrol(device).status == 0


def test_a_wrong_recipient_is_bad_message_check(server, device):
    stranger = scepmsg.self_signed(scepmsg.new_key(), "stranger")
    reply = send(server, server.message(device, recipients=[stranger]))
    assert reply is not None and reply.fail_info in (1, 2)


def test_a_message_for_the_ca_instead_of_the_ra_is_refused(server, device):
    authorities = [c for c in server.ca_certs() if c != server.ra_cert()]
    for cert in authorities:
        if hasattr(cert.public_key(), "encrypt"):
            send(server, server.message(device, recipients=[cert]))
    assert server.certificates(device=device.name) == []


def signed_without_envelope(server, device, content):
    return server.message(device, content=content)


@pytest.mark.parametrize("name, content", [
    ("empty", b""),
    ("text", b"plain"),
    ("data", der.seq(der.oid(scepmsg.DATA), der.context(0, der.octets(b"x")))),
    ("enveloped-empty", der.seq(der.oid(scepmsg.ENVELOPED))),
    ("auth-enveloped", der.seq(der.oid("1.2.840.113549.1.9.16.1.23"), der.context(0, der.seq(der.integer(0))))),
    ("digested", der.seq(der.oid("1.2.840.113549.1.7.5"), der.context(0, der.seq(der.integer(0))))),
    ("encrypted", der.seq(der.oid("1.2.840.113549.1.7.6"), der.context(0, der.seq(der.integer(0))))),
    ("compressed", der.seq(der.oid("1.2.840.113549.1.9.16.1.9"), der.context(0, der.seq(der.integer(0))))),
])
def test_any_other_content_than_an_envelope_is_refused(server, name, content):
    device = server.add_device("content-" + name)
    send(server, signed_without_envelope(server, device, content))
    assert server.certificates(device=device.name) == []


def test_a_request_that_is_not_encrypted_is_refused(server, device):
    send(server, signed_without_envelope(server, device, server.request_for(device)))
    assert server.certificates(device=device.name) == []


def foreign_recipient(kind):
    """An EnvelopedData whose one RecipientInfo is no key transport."""
    info = der.context(kind, der.integer(0), der.octets(bytes(32)), der.seq(der.oid("2.16.840.1.101.3.4.1.5")),
                       der.octets(bytes(24)))
    content = der.seq(der.oid(scepmsg.DATA), scepmsg.algorithm(scepmsg.CIPHERS["aes128"][0], der.octets(bytes(16))),
                      der.context(0, bytes(64), constructed=False))
    return der.seq(der.oid(scepmsg.ENVELOPED), der.context(0, der.seq(der.integer(2), der.set_of(info), content)))


@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_recipients_other_than_key_transport_are_refused(server, kind):
    device = server.add_device(f"recipient-kind-{kind}")
    send(server, signed_without_envelope(server, device, foreign_recipient(kind)))
    assert server.certificates(device=device.name) == []


def test_a_message_without_signer_certificate_is_refused(server, device):
    assert 400 <= server.post(server.message(device, embed=[]).der()).status < 500 or \
        server.certificates(device=device.name) == []


def test_a_message_signed_by_another_key_than_its_certificates_is_refused(server, device):
    message = server.message(device)
    message.key = scepmsg.new_key()
    answer = server.post(message.der())
    if answer.status == 200:
        reply = scepmsg.read_reply(answer.body, device.key, device.cert, server.ca_certs())
        assert (reply.status, reply.fail_info) == (2, 1)
    assert server.certificates(device=device.name) == []


def test_the_request_of_one_in_the_message_of_another_is_refused(server, device):
    """RFC 8894 s2.3: the signer of a first request holds the key of the request."""
    thief = scepmsg.new_key()
    message = scepmsg.Message(key=thief, cert=scepmsg.self_signed(thief, device.name), recipients=[server.ra_cert()],
                              data=server.request_for(device))
    assert server.exchange(message).status == 2
    assert server.certificates(device=device.name) == []


def test_a_flipped_bit_at_any_position_gives_a_refusal_or_the_very_certificate(server, device):
    """Some bytes of a pkiMessage are under no signature: the self-signed certificate's validity, for one. Whatever
    is flipped, nobody but this device gets a certificate, for no key but its own, and no more than one."""
    message = server.message(device)
    good = message.der()
    refused_count = 0
    for at in range(len(good)):
        answer = server.post(good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1:])
        assert answer.status in (200, 400), f"position {at}: HTTP {answer.status}"
        if answer.status == 200:
            reply = scepmsg.read_reply(answer.body, device.key, None, server.ca_certs_once())
            if reply.status == 0:
                assert reply.certs[0].public_key().public_numbers() == device.key.public_key().public_numbers()
                continue
        refused_count += 1
    assert refused_count > len(good) * 3 // 4
    assert server.exchange(message).status == 0
    assert len(server.certificates(device=device.name)) == 1


def test_truncated_messages_never_give_a_certificate(server, device):
    good = server.message(device).der()
    for cut in range(0, len(good), 97):
        answer = server.post(good[:cut])
        assert answer.status == 400, f"cut at {cut}: HTTP {answer.status}"
    assert server.certificates(device=device.name) == []


def test_bytes_after_the_message_are_refused(server, device):
    answer = server.post(server.message(device).der() + b"\0\0")
    assert answer.status in (200, 400)
    assert server.certificates(device=device.name) == []


def corpus_files(directory):
    for path in sorted((directory / "asn1-fuzz").glob("cms.tar.gz")):
        with tarfile.open(path) as archive:
            for member in archive.getmembers():
                if member.isfile():
                    yield member.name, archive.extractfile(member).read()
    for folder in ["scep-gutmann", "scep-micromdm", "cms-rustcrypto", "rfc4134"]:
        for path in sorted((directory / "messages" / folder).iterdir()):
            yield str(path), path.read_bytes()


def test_messages_of_the_corpora_give_no_certificate_and_do_no_harm(server, device):
    directory = pathlib.Path(os.environ.get("MUSTER_CORPORA", pathlib.Path(__file__).parents[3] / "shared" / "corpora"))
    assert directory.is_dir(), f"corpora absent: {directory} is not there (MUSTER_CORPORA says where)"
    before = len(server.certificates())
    pids = server.children()
    sent = 0
    for name, data in corpus_files(directory):
        answer = server.post(data)
        assert answer.status == 200 or 400 <= answer.status < 500, f"{name}: HTTP {answer.status}"
        sent += 1
    assert sent > 1000
    assert len(server.certificates()) == before and server.children() == pids
    assert server.enrol(device).status == 0
