# SPDX-License-Identifier: Apache-2.0
"""GetCert (RFC 8894 s2.6, s3.3.4, s4.5): whoever holds a certificate of ours may have a copy of one."""

import pytest

import der
import scepmsg


@pytest.fixture
def member(server, device):
    """A device with its certificate as `device.issued`."""
    device.issued = server.enrol(device).certs[0]
    return device


def get_cert(server, member, issuer=None, serial=None, data=None, cert=None, key=None, **more):
    """A GetCert signed with the device's certificate, for that certificate unless something else is said."""
    issuer = member.issued.issuer.public_bytes() if issuer is None else issuer
    serial = der.integer(member.issued.serial_number) if serial is None else serial
    return scepmsg.Message(key=key or member.key, cert=cert or member.issued, recipients=[server.ra_cert()],
                           data=der.seq(issuer, serial) if data is None else data, message_type=21, **more)


def last_refusal(server):
    return server.events(kind="refused")[-1]["text"]


def test_a_device_gets_a_copy_of_its_certificate(server, member):
    reply = server.exchange(get_cert(server, member))
    assert reply.status == 0, reply.text
    assert reply.certs == [member.issued], "that certificate, and nothing else"
    fetched = server.events(kind="fetched", device=member.name)
    assert len(fetched) == 1 and int(fetched[0]["serial"], 16) == member.issued.serial_number


def test_the_same_transaction_may_fetch_again(server, member):
    """sscep sends one constant transactionID with every GetCert."""
    for _ in range(2):
        assert server.exchange(get_cert(server, member, transaction="SSCEP transactionId")).certs == [member.issued]


def test_a_revoked_certificate_can_still_be_read_but_not_with_itself(server, member):
    other = server.add_device("access-other")
    other.issued = server.enrol(other).certs[0]
    server.muster("certificate", "revoke", f"{other.issued.serial_number:040x}")
    wanted = der.integer(other.issued.serial_number)
    assert server.exchange(get_cert(server, member, serial=wanted)).certs == [other.issued]
    reply = server.exchange(get_cert(server, other))
    assert (reply.status, reply.fail_info) == (2, 2) and "revoked" in reply.text


def test_a_serial_number_that_does_not_exist_is_bad_cert_id(server, member):
    before = len(server.events(kind="refused"))
    numbers = [0, 1, member.issued.serial_number + 1, (1 << 159) - 1, 1 << 160, 1 << 4000]
    for number in numbers:
        reply = server.exchange(get_cert(server, member, serial=der.integer(number)))
        assert (reply.status, reply.fail_info) == (2, 4), f"{number}: {reply}"
    assert len(server.events(kind="refused")) == before + len(numbers), "one event for each refusal"


def test_the_authoritys_own_number_is_not_among_its_certificates(server, member):
    for cert in server.ca_certs():
        assert server.exchange(get_cert(server, member, serial=der.integer(cert.serial_number))).fail_info == 4


def test_another_issuer_is_bad_cert_id(server, member):
    for issuer in [scepmsg.name("CN=Somebody"), der.seq(), der.seq(der.seq()), der.seq(der.null())]:
        reply = server.exchange(get_cert(server, member, issuer=issuer))
        assert (reply.status, reply.fail_info) == (2, 4), reply
        assert "issuer" in last_refusal(server)


def test_a_self_signed_signer_gets_nothing(server, member):
    key = scepmsg.new_key()
    for cert, signing in [(scepmsg.self_signed(member.key, member.name), member.key),
                          (scepmsg.self_signed(key, member.issued.subject), key)]:
        reply = server.exchange(get_cert(server, member, cert=cert, key=signing))
        assert (reply.status, reply.fail_info) == (2, 2), reply


def test_a_certificate_of_another_server_gets_nothing(server, member, new_server):
    other = new_server("--depth", "1").start()
    twin = other.add_device(member.name, key=member.key)
    foreign = other.enrol(twin).certs[0]
    assert server.exchange(get_cert(server, member, cert=foreign)).fail_info == 2


def test_a_removed_device_gets_nothing(server, member):
    server.muster("device", "remove", member.name)
    assert server.exchange(get_cert(server, member)).fail_info == 2


MISSHAPEN = {
    "empty": der.seq(),
    "text": b"certificate",
    "no-issuer": der.seq(der.integer(5)),
    "no-serial": der.seq(der.seq()),
    "set": der.set_as_given(der.seq(), der.integer(5)),
    "serial-octets": der.seq(der.seq(), der.octets(b"\5")),
    "serial-empty": der.seq(der.seq(), der.tlv(2, b"")),
    "serial-negative": der.seq(der.seq(), der.tlv(2, b"\x85")),
    "behind": der.seq(der.seq(), der.integer(5)) + b"\0",
    "one-more": der.seq(der.seq(), der.integer(5), der.null()),
    "truncated": der.seq(der.seq(), der.integer(5))[:-1],
    "huge": der.seq(der.seq(der.octets(bytes(40000))), der.integer(5))[:-3],
}


@pytest.mark.parametrize("name", MISSHAPEN)
def test_messagedata_of_another_form_is_bad_message_check(server, member, name):
    reply = server.exchange(get_cert(server, member, data=MISSHAPEN[name]))
    assert (reply.status, reply.fail_info) == (2, 1), reply


def test_a_get_cert_with_a_request_inside_gets_nothing(server, member):
    reply = server.exchange(get_cert(server, member, data=server.request_for(member)))
    assert (reply.status, reply.fail_info) == (2, 1), reply
    assert len(server.certificates(device=member.name)) == 1


def test_a_transaction_id_of_no_or_many_bytes_is_no_message(server, member):
    for transaction in [der.printable(""), der.printable("a" * 1025), der.printable("a" * 50000),
                        der.printable("a" * (1 << 20))]:
        assert server.post(get_cert(server, member, transaction=transaction).der()).status in (400, 413)
