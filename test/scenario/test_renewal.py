# SPDX-License-Identifier: Apache-2.0
"""Renewal: a valid certificate of ours proves the device; nothing else does."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import scepmsg


def refused(reply):
    return reply.status == 2


@pytest.fixture
def enrolled(server, device):
    """A device with its first certificate as `device.issued`."""
    reply = server.enrol(device)
    assert reply.status == 0, reply.text
    device.issued = reply.certs[0]
    return device


def renewal(server, device, cert=None, old_key=None, key=None, message_type=17, **more):
    """A request signed by the old key and certificate, for a new key, without a password."""
    signing_key = old_key or device.key
    device.key = key or scepmsg.new_key()
    more.setdefault("password", None)
    data = server.request_for(device, **more)
    return scepmsg.Message(key=signing_key, cert=cert or device.issued, recipients=[server.ra_cert()], data=data,
                           message_type=message_type)


@pytest.mark.parametrize("message_type", [17, 19])
def test_a_valid_certificate_renews_without_a_password(server, enrolled, message_type, tmp_path):
    reply = server.exchange(renewal(server, enrolled, message_type=message_type))
    assert reply.status == 0, reply.text
    cert = reply.certs[0]
    assert cert.public_key().public_numbers() == enrolled.key.public_key().public_numbers()
    assert cert.subject == enrolled.issued.subject and cert.serial_number != enrolled.issued.serial_number
    server.verify(cert, tmp_path)


def test_a_renewal_may_keep_its_key(server, enrolled):
    assert server.exchange(renewal(server, enrolled, key=enrolled.key)).status == 0


def test_a_renewed_certificate_renews_again(server, enrolled):
    reply = server.exchange(renewal(server, enrolled))
    enrolled.issued = reply.certs[0]
    assert server.exchange(renewal(server, enrolled)).status == 0


def test_a_repeated_renewal_gets_the_same_certificate(server, enrolled):
    message = renewal(server, enrolled)
    assert server.exchange(message).certs[0] == server.exchange(message).certs[0]
    assert len(server.certificates(device=enrolled.name)) == 2


def test_a_revoked_certificate_does_not_renew(server, enrolled):
    row, = server.certificates(device=enrolled.name)
    server.muster("certificate", "revoke", row["serial"], "--reason", "keyCompromise")
    assert server.certificates(device=enrolled.name)[0]["state"] == "revoked"
    reply = server.exchange(renewal(server, enrolled))
    assert refused(reply), reply
    assert len(server.certificates(device=enrolled.name)) == 1


@pytest.mark.parametrize("message_type", [17, 19])
def test_a_self_signed_certificate_proves_nothing(server, enrolled, message_type):
    key = scepmsg.new_key()
    forged = scepmsg.self_signed(key, enrolled.issued.subject)
    reply = server.exchange(renewal(server, enrolled, cert=forged, old_key=key, message_type=message_type))
    assert refused(reply), reply


def forge(server, device, key, issuer_key, **change):
    """A copy of the device's certificate, signed by somebody else."""
    now = datetime.datetime.utcnow()
    old = device.issued
    builder = (x509.CertificateBuilder().subject_name(old.subject).issuer_name(old.issuer)
               .serial_number(change.get("serial", old.serial_number)).public_key(key.public_key())
               .not_valid_before(now + datetime.timedelta(days=change.get("begin_days", -2)))
               .not_valid_after(now + datetime.timedelta(days=change.get("end_days", 2))))
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(issuer_key, hashes.SHA256())


@pytest.mark.parametrize("message_type", [17, 19])
def test_a_certificate_that_only_names_our_authority_proves_nothing(server, enrolled, message_type):
    key = scepmsg.new_key()
    for issuer_key in [scepmsg.new_key(), key]:
        forged = forge(server, enrolled, key, issuer_key)
        reply = server.exchange(renewal(server, enrolled, cert=forged, old_key=key, message_type=message_type))
        assert refused(reply), reply
    assert len(server.certificates(device=enrolled.name)) == 1


def test_a_certificate_of_another_authority_proves_nothing(server, enrolled, new_server):
    other = new_server("--depth", "1").start()
    twin = other.add_device(enrolled.name, key=enrolled.key)
    foreign = other.enrol(twin).certs[0]
    reply = server.exchange(renewal(server, enrolled, cert=foreign))
    assert refused(reply), reply


def test_the_ra_and_the_authorities_cannot_be_renewed_by_scep(server, enrolled):
    key = scepmsg.new_key()
    for cert in server.ca_certs():
        message = renewal(server, enrolled, cert=cert, old_key=key)
        assert refused(server.exchange(message, key, cert))


def test_a_renewal_for_another_subject_is_refused(server, enrolled):
    victim = server.add_device("renewal-victim")
    for names in [{"subject": scepmsg.name(victim.subject)},
                  {"san": [f"DNS:{victim.username}"], "subject": scepmsg.name(victim.subject)},
                  {"san": [f"DNS:{enrolled.username}", f"DNS:{victim.username}"]}]:
        signer = enrolled.key
        reply = server.exchange(renewal(server, enrolled, old_key=signer, **names))
        assert refused(reply), f"{names}: {reply}"
        enrolled.key = signer
    assert server.certificates(device=victim.name) == []


def test_a_renewal_with_a_wrong_password_is_refused(server, enrolled):
    assert refused(server.exchange(renewal(server, enrolled, password="wrong")))


def test_a_renewal_whose_request_does_not_prove_its_key_is_refused(server, enrolled):
    assert refused(server.exchange(renewal(server, enrolled, spoil=True)))


def test_a_removed_device_does_not_renew(server, enrolled):
    server.muster("device", "remove", enrolled.name)
    assert refused(server.exchange(renewal(server, enrolled)))


def authority_key(server):
    """The issuing authority's own key, to make what its clock would take a year to make."""
    return serialization.load_pem_private_key((server.directory / "authority/issuing/key.pem").read_bytes(), None)


@pytest.mark.parametrize("name, begin_days, end_days", [("expired", -30, -1), ("not-yet-valid", 1, 30)])
def test_a_certificate_outside_its_validity_does_not_renew(server, enrolled, name, begin_days, end_days):
    cert = forge(server, enrolled, enrolled.key, authority_key(server), begin_days=begin_days, end_days=end_days)
    reply = server.exchange(renewal(server, enrolled, cert=cert))
    assert refused(reply), reply
    assert len(server.certificates(device=enrolled.name)) == 1


def test_a_certificate_that_the_ledger_does_not_know_does_not_renew(server, enrolled):
    cert = forge(server, enrolled, enrolled.key, authority_key(server), serial=x509.random_serial_number())
    assert refused(server.exchange(renewal(server, enrolled, cert=cert)))


def test_a_twin_of_a_certificate_for_another_key_does_not_renew(server, enrolled):
    key = scepmsg.new_key()
    cert = forge(server, enrolled, key, authority_key(server))
    assert refused(server.exchange(renewal(server, enrolled, cert=cert, old_key=key)))


def test_a_renewal_too_early_is_refused_where_the_template_says_so(new_server):
    server = new_server("--depth", "1")
    server.set_in("template device", "renew_from_percent", "50")
    server.start()
    device = server.add_device("early")
    device.issued = server.enrol(device).certs[0]
    assert refused(server.exchange(renewal(server, device)))
